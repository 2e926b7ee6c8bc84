"""What a search costs beside its training: see ``python -m benchmarks.cost --help``."""
