"""Whether one driver keeps many workers busy: see ``python -m benchmarks.many_workers --help``."""
