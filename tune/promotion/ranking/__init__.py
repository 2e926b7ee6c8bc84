"""Which constants are worth a search, and which of them first."""
