"""How often a verdict on a gain is right."""
