"""The version of Promotune."""

__version__ = "0.1.0"
