"""The sampler of a node: reads once a second how busy each GPU is, into a file that all trials of the node read.

Each actor with a GPU has one; whichever holds the lock samples, and the next one goes on where its process ends.
"""

import contextlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from tune.paths import atomic_write, read_json

PERIOD_S = 1.0
"""NVML tells how busy a GPU was in the last second, at most."""
LOOK_S = 5.0
"""So often it is tried to take over from another one."""
SAMPLES = "gpu-samples.json"

Samples = Mapping[str, tuple[int, float]]
"""By a GPU's UUID how often it was read, and the sum of what was read, each 0 to 1."""


def read_samples(file: Path) -> Samples:
    """Return the samples so far; none where there is no such file, or none that we wrote."""
    try:
        return {str(uuid): (int(n), float(total)) for uuid, (n, total) in read_json(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


class GpuSampler:
    """One of an actor."""

    def __init__(self, folder: Path) -> None:
        """``folder``: of the node, in which the actors of one search find the file."""
        self.file = folder / SAMPLES
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="GPU sampler", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._ended.set()

    def _run(self) -> None:
        lock = FileLock(self.file.with_suffix(".lock"))
        while not self._ended.is_set() and self.file.parent.is_dir():  # which the lock would make again
            with contextlib.suppress(Timeout, OSError), lock.acquire(timeout=0):  # OSError: the folder is gone
                self._sample()
            self._ended.wait(LOOK_S)

    def _sample(self) -> None:
        """Write what is read until the end; nothing where NVML does not tell."""
        import pynvml

        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            try:
                handles = [pynvml.nvmlDeviceGetHandleByIndex(place) for place in range(pynvml.nvmlDeviceGetCount())]
                sums = dict(read_samples(self.file))
                while not self._ended.wait(PERIOD_S):
                    for handle in handles:
                        with contextlib.suppress(pynvml.NVMLError):  # one that is lost, or that is divided
                            uuid = str(pynvml.nvmlDeviceGetUUID(handle))
                            n, total = sums.get(uuid, (0, 0.0))
                            sums[uuid] = (n + 1, total + float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100)
                    with atomic_write(self.file) as aside:
                        aside.write_text(json.dumps(sums), encoding="utf-8")
            finally:
                pynvml.nvmlShutdown()
