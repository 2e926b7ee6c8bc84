"""Experiments that are sent elsewhere: to trackers, and as tables."""
