"""Run with `python -m app.train`."""

from .config import LR
