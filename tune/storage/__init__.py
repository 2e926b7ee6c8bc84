"""Experiments at a URL: object stores and other places that fsspec reaches. Behind it all other code sees folders."""
