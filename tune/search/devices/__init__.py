"""The GPUs that trials run on: which of them fail, and how large the share of each trial is."""
