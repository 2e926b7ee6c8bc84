"""Depth of indoor panoramas from one picture, in the folder shape of the article that this project follows."""
