"""Attacks on searches by strangers, damaged files and killed processes, with a table of what went wrong."""
