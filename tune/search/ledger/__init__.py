"""What is known of a search, on disk: written by one process, and still true when that is killed."""
