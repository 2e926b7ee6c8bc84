"""What a search that has ended suggests to do next."""
