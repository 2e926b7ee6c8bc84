"""The commands for coding agents."""
