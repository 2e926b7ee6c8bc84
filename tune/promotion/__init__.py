"""How a value gets into a program, and back into its source."""
