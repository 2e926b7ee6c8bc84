"""How long a search takes to a good value: see ``python -m benchmarks.time_to_good --help``."""
