"""Whether a checkpoint is data alone."""

import pickle
from pathlib import Path

import torch


def is_plain(checkpoint: Path) -> bool:
    """Tell whether a checkpoint holds tensors and plain data alone: such a one runs nothing when it is loaded."""
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, OSError, EOFError, KeyError):
        return False
    return True
