"""What a trial has of GPUs, and what it takes of them."""
