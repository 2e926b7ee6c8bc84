"""All that is printed while a search runs, and at its end."""
