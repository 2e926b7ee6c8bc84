"""What the orchestration adds to each trial: see ``python -m benchmarks.overhead --help``."""
