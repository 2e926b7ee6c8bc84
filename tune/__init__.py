"""Hyperparameter search for PyTorch Lightning programs. Light to import.

``search("lr_bs.yaml")`` searches, ``Experiment("lr_bs")`` opens what was searched, ``load("lr_bs")`` gives a model.
"""

from typing import TYPE_CHECKING, Any

from tune.version import __version__

if TYPE_CHECKING:
    from tune.api import Experiment, search
    from tune.results.load_model import load

__all__ = ["Experiment", "__version__", "load", "search"]


def __getattr__(name: str) -> Any:
    """Import on first use: each of them needs some of the heavy libraries."""
    if name == "load":
        from tune.results.load_model import load

        return load
    if name in ("Experiment", "search"):
        import tune.api

        return getattr(tune.api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
