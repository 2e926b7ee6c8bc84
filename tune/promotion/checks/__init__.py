"""What is looked at before a search: whether a program and a space can be searched, and what deserves a warning."""
