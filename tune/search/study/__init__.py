"""The Optuna study of a search, on disk: written by one process, and still true when that process is killed."""
