"""Hyperparameter search for PyTorch Lightning programs. Light to import.

``load(folder)`` gives the model of a version back.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune.results.load import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import on first use: `load` needs torch."""
    if name == "load":
        from tune.results.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
