"""Trials of several processes."""
