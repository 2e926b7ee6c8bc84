"""Proposals to a search that runs: how many are lost, how soon they begin, and what they cost the driver."""
