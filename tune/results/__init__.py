"""Afterwards, from files."""
