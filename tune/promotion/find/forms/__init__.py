"""The ways a program writes a constant, one a file. Each yields constants, and refusals with their reason."""
