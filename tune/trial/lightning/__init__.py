"""What is added to each Trainer of a trial."""
