"""Weights out of a checkpoint, into a model of the class that the program defines."""

import pickle
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from tune.errors import ExperimentError
from tune.paths import short
from tune.trial.system import find_model_class

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


def load_model(module: ModuleType, wanted: str | None, place: str, path: Path, *, trust: bool) -> "LightningModule":
    """Return the program's model with a checkpoint's weights, on the CPU, in eval mode; within ``Executor.execute``.

    Raises ExperimentError where the checkpoint holds what only unpickling would bring back, unless ``trust``.
    """
    model_class = find_model_class(module, wanted, place)
    try:
        model: LightningModule = model_class.load_from_checkpoint(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        what = f"the checkpoint holds more than weights and plain values: {_what(error)}"
        hint = "Unpickling it may run code. If you trust whoever trained it: load(..., trust_checkpoints=True)."
        raise ExperimentError(short(path), what, hint) from error
    return model.eval()


def _what(error: Exception) -> str:
    """Return the class that stands in the way, out of torch's long message."""
    found = re.search(r"GLOBAL (\S+)", str(error))
    return f"a {found.group(1)}" if found else "objects of other classes"
