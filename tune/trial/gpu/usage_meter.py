"""What a trial uses of its GPU: the most memory, and how busy the GPU was meanwhile."""

from pathlib import Path

import torch

from tune.experiment.gpu_records import GpuUsage
from tune.nvml import find_gpu, list_gpus, select_visible
from tune.trial.gpu.sampler import read_samples

GIB = 2**30
MEMORY, BUSY = "GPU/PeakMemoryGiB", "GPU/Utilization"
"""The scalars of TensorBoard."""


class GpuUsageMeter:
    """Reads from the beginning of a training on; of several processes the first one does."""

    def __init__(self, visible: str | None, samples: Path | None) -> None:
        """``visible``: CUDA_VISIBLE_DEVICES; ``samples``: the file of the node's sampler, None: there is none."""
        gpus = list_gpus()
        names = select_visible(visible or "", gpus)
        gpu = find_gpu(names[0], gpus) if names and gpus else None
        self._uuid = "" if gpu is None else gpu.uuid
        self._name = "" if gpu is None else gpu.name
        self._total_bytes = 0 if gpu is None else gpu.total_bytes
        self._samples = samples
        self._began = self._epoch_began = self._read_sums()

    def read_usage(self) -> GpuUsage:
        """Return what the training used so far."""
        return GpuUsage(
            uuid=self._uuid,
            name=self._name,
            total_bytes=self._total_bytes,
            peak_bytes=_read_peak(),
            utilization=_mean_since(self._began, self._read_sums()),
        )

    def read_epoch(self) -> dict[str, float]:
        """Return the scalars of the epoch that is over; those that are known."""
        now = self._read_sums()
        busy = _mean_since(self._epoch_began, now)
        self._epoch_began = now
        peak = _read_peak()
        return {**({MEMORY: peak / GIB} if peak else {}), **({} if busy is None else {BUSY: busy})}

    def _read_sums(self) -> tuple[int, float]:
        return (0, 0.0) if self._samples is None else read_samples(self._samples).get(self._uuid, (0, 0.0))


def _read_peak() -> int:
    is_used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return int(torch.cuda.max_memory_reserved()) if is_used else 0


def _mean_since(before: tuple[int, float], now: tuple[int, float]) -> float | None:
    n = now[0] - before[0]
    return (now[1] - before[1]) / n if n > 0 else None
