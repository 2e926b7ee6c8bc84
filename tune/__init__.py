"""Hyperparameter search for PyTorch Lightning programs. Light to import."""

__version__ = "0.1.0"
