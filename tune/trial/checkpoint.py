"""Weights out of a checkpoint, into a model of the class that the program defines."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch

from tune.errors import ExperimentError
from tune.paths import short
from tune.trial.lightning import PACKAGES
from tune.trial.system import find_model_class

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


HYPERPARAMETERS = ("hyper_parameters", "hparams", "module_arguments")
"""Where a checkpoint may have them: Lightning's key, and those of its early versions."""
INSTANTIATORS = frozenset(f"{package}.cli.instantiate_module" for package in PACKAGES)


def load_model(module: ModuleType, wanted: str | None, place: str, path: Path, *, trust: bool) -> "LightningModule":
    """Return the program's model with a checkpoint's weights, on the CPU, in eval mode; within ``Executor.execute``.

    Raises ExperimentError where the checkpoint holds what only unpickling would bring back, unless ``trust``.
    """
    model_class = find_model_class(module, wanted, place)
    try:
        if not trust:
            _check_inert(path)
        model: LightningModule = model_class.load_from_checkpoint(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        what = f"the checkpoint holds more than weights and plain values: {_what(error)}"
        hint = "Unpickling it may run code. If you trust whoever trained it: load(..., trust_checkpoints=True)."
        raise ExperimentError(short(path), what, hint) from error
    except ExperimentError:
        raise
    except Exception as error:  # the file may hold anything, and Lightning and the program's own class read it
        what = f"no model comes of this checkpoint: {type(error).__name__}: {_first_line(error)}"
        raise ExperimentError(short(path), what, "Is it the checkpoint that this version wrote?") from error
    return model.eval()


def _check_inert(path: Path) -> None:
    """Raise ExperimentError where Lightning would call what the checkpoint names; 2.6 has a list, earlier ones none.

    Plain values can do that: LightningCLI puts the name of a function that makes the model beside its hyperparameters.
    """
    held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    for name in HYPERPARAMETERS:
        values = held.get(name) if isinstance(held, dict) else None
        function = values.get("_instantiator") if isinstance(values, Mapping) else None
        if function is not None and function not in INSTANTIATORS:
            what = f"the checkpoint names a function to make the model, and it is not LightningCLI's: {function!r}"
            hint = "Calling it may run code. If you trust whoever trained it: load(..., trust_checkpoints=True)."
            raise ExperimentError(short(path), what, hint)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _what(error: Exception) -> str:
    """Return the class that stands in the way, out of torch's long message."""
    found = re.search(r"GLOBAL (\S+)", str(error))
    return f"a {found.group(1)}" if found else "objects of other classes"
