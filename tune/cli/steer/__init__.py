"""The commands that steer a search while it runs."""
