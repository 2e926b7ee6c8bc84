"""Runs that a program logs to trackers itself: one for each trial, named, grouped, and closed in its state."""
