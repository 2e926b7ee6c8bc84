"""A machine with GPUs that need not be there: what NVML says of it."""

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "fake_nvml"
"""To be on the path of a process that is to find the fake module."""


def fake_nvml(monkeypatch, gpus):
    """Let NVML tell in this process of these GPUs, as ``fake_nvml/pynvml.py`` has them."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setenv("FAKE_NVML", json.dumps(gpus))
