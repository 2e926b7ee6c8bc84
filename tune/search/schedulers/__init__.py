"""Which trial goes on after an epoch, which stops, and which waits or takes over another's weights."""
