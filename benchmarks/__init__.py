"""What the search costs, against the limit and against peers; each module runs as ``python -m benchmarks.NAME``."""
