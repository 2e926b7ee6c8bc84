"""What a trial's program reads: its command line and its config files."""
