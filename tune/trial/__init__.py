"""One trial, in a worker."""
