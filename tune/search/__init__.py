"""Many trials, in the driver."""
