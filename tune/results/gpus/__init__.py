"""What trials used of GPUs, and what that suggests to do."""
