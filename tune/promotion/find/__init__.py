"""Find the constants of a program: one walk a file, then the names, what they mean, and who reads them."""
