"""What a user would pick instead of a search of ours, each as its own documentation writes it."""
