"""What a trial uses of its GPUs: the most memory, and how busy they were meanwhile."""

import contextlib
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

import torch

from tune.experiment.gpu_records import CONTEXT_BYTES, GpuUsage
from tune.nvml import Gpu, find_gpu, list_gpus, select_visible
from tune.trial.gpu.gpu_sampler import read_samples

GIB = 2**30
MEMORY, BUSY = "GPU/PeakMemoryGiB", "GPU/Utilization"
"""The scalars of TensorBoard."""
PEAK = struct.Struct("Q")
"""One process's peak, in the memory that all share."""

Sums = Sequence[tuple[int, float]]
"""How often each GPU was read, and the sum of what was read."""


class GpuUsageMeter:
    """Reads from the beginning of a training on. The processes of a trial share it: each has the GPU of its rank.

    It is made before the others are forked. Each notes its own peak; the first one reads what all used.
    """

    def __init__(self, visible: str | None, samples: Path | None, n_ranks: int = 1) -> None:
        """``visible``: CUDA_VISIBLE_DEVICES; ``samples``: the file of the node's sampler, None: there is none."""
        gpus = list_gpus()
        self._names = select_visible(visible or "", gpus)[:n_ranks]
        found = [find_gpu(name, gpus) for name in self._names] if gpus else []
        self._gpus = [gpu or Gpu() for gpu in found] + [Gpu()] * (n_ranks - len(found))
        self._peaks = mmap.mmap(-1, PEAK.size * n_ranks)
        self.rank = 0
        """Which of the processes this one is."""
        self._samples = samples
        self._began = self._epoch_began = self._read_sums()

    def note_peak(self) -> None:
        """Note the most that torch has reserved in this process so far; behind a CUDA error it may not be told."""
        with contextlib.suppress(RuntimeError):
            PEAK.pack_into(self._peaks, PEAK.size * self.rank, torch.cuda.max_memory_reserved())

    def read_usage(self) -> GpuUsage:
        """Return what the training used so far: the memory of the GPU of which it took most, the mean time of all."""
        peaks = self._read_peaks()
        fullest = peaks.index(max(peaks))
        gpu = self._gpus[fullest]
        return GpuUsage(
            uuid=gpu.uuid,
            name=gpu.name,
            total_bytes=gpu.total_bytes,
            peak_bytes=peaks[fullest],
            taken_bytes=self._read_taken() if len(self._gpus) == 1 else 0,
            utilization=_mean_since(self._began, self._read_sums()),
        )

    def _read_taken(self) -> int:
        """Return the bytes of the GPU that others have now; 0 where NVML does not tell, as of a slice."""
        gpus = list_gpus()
        gpu = find_gpu(self._names[0], gpus) if gpus and self._names else None
        if gpu is None or gpu.slices is not None:
            return 0
        own = 0
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            with contextlib.suppress(RuntimeError):  # behind a CUDA error it may not be told
                own = torch.cuda.memory_reserved() + CONTEXT_BYTES
        return max(0, gpu.used_bytes - own)

    def read_epoch(self) -> dict[str, float]:
        """Return the scalars of the epoch that is over; those that are known."""
        now = self._read_sums()
        busy = _mean_since(self._epoch_began, now)
        self._epoch_began = now
        peak = max(self._read_peaks())
        return {**({MEMORY: peak / GIB} if peak else {}), **({} if busy is None else {BUSY: busy})}

    def _read_peaks(self) -> list[int]:
        self.note_peak()
        return [int(peak) for (peak,) in PEAK.iter_unpack(self._peaks)]

    def _read_sums(self) -> Sums:
        samples = {} if self._samples is None else read_samples(self._samples)
        return [samples.get(gpu.uuid, (0, 0.0)) for gpu in self._gpus]


def _mean_since(before: Sums, now: Sums) -> float | None:
    """Return the mean over the GPUs that were read meanwhile; None where none was."""
    pairs = zip(before, now, strict=True)
    means = [(total - total_before) / (n - n_before) for (n_before, total_before), (n, total) in pairs if n > n_before]
    return sum(means) / len(means) if means else None
