"""One trial: its program, its record and its process."""
