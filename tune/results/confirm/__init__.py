"""Which of the best trials is the best on fresh seeds, and whether its gain is real."""
