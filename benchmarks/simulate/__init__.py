"""Searches simulated over recorded learning curves: see ``python -m benchmarks.simulate --help``."""
