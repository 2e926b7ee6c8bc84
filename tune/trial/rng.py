"""The states of the random number generators, as JSON has them."""

import base64
import random
from typing import Any

import numpy as np
import torch


def rng_state() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators."""
    numpy_state: Any = np.random.get_state(legacy=False)
    state = numpy_state["state"]
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {"key": state["key"].tolist(), "pos": int(state["pos"])}},
        "torch": _text(torch.get_rng_state()),
        "cuda": [_text(device) for device in devices],
    }


def restore_rng(state: dict[str, Any]) -> None:
    """Put the generators back."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    held = state["numpy"]
    key = np.array(held["state"]["key"], dtype=np.uint32)
    np.random.set_state({**held, "state": {"key": key, "pos": held["state"]["pos"]}})
    torch.set_rng_state(_tensor(state["torch"]))
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_tensor(text) for text in state["cuda"]])


def _text(state: torch.Tensor) -> str:
    return base64.b64encode(state.cpu().numpy().tobytes()).decode()


def _tensor(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype=np.uint8).copy())
