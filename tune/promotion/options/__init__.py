"""The options that a program takes on its command line: declared, valued, read."""
