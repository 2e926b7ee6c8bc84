"""What only a GPU can tell: twelve checks for the first day with one."""
