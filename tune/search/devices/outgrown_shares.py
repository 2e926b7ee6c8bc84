"""The share of a GPU that each trial has: one that runs out of memory on a share is tried once on a larger one."""

from collections.abc import Callable, Mapping
from typing import Any

from tune.cluster.gpus import LEAST_USED_BYTES
from tune.experiment.gpu_records import read_gpu_usage
from tune.experiment.records import Failure, TrialRecord
from tune.experiment.trial_result import OUTGROWN
from tune.trial.messages import is_out_of_memory

GROWTH = 2
"""How many times as large the larger one is; it has the place of so many trials."""
OF_THE_HOST = "MemoryError"
"""The kind of a failure for want of the machine's memory, of which trials have no shares."""

LEAST_TAKEN = 0.05
"""Of a GPU's memory, what is more than its driver keeps, and than CUDA may keep for a trial beyond what is usual."""


def is_gpu_out_of_memory(failure: Failure) -> bool:
    """Tell whether a failure is one for want of a GPU's memory."""
    return not failure.ours and failure.kind != OF_THE_HOST and is_out_of_memory(failure.kind, failure.message)


def is_crowded_out(record: TrialRecord) -> bool:
    """Tell whether a trial ran out of memory on a GPU of which others have taken what was the trial's.

    Trials that share the GPU with it have their own shares.
    """
    usage = read_gpu_usage(record.gpu)
    if usage is None or record.failure is None or not is_gpu_out_of_memory(record.failure):
        return False
    of_others = usage.taken_bytes - max(0.0, 1 - record.gpu_share) * usage.total_bytes
    return of_others >= max(LEAST_USED_BYTES, LEAST_TAKEN * usage.total_bytes)


class GpuShares:
    """Those of one search."""

    def __init__(self, share: float, on_outgrown: Callable[[int, float, float], None] = lambda *told: None) -> None:
        """``share``: of one GPU, for each trial; 0 or more than one are no shares, and nothing is tried again.

        ``on_outgrown`` hears of a trial that ran out of memory: its number, its share, and the larger one.
        """
        self._share = share
        self._on_outgrown = on_outgrown

    def enlarge_share(
        self, number: int, record: TrialRecord | None, attributes: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Hear of a trial that failed; return the attributes with which it runs again on a larger share.

        None where that is not why it failed, or it was tried on a larger one, or there is no larger one.
        """
        if record is None or record.failure is None or not is_gpu_out_of_memory(record.failure):
            return None
        if not 0 < self._share < 1 or OUTGROWN in attributes:
            return None
        self._on_outgrown(number, self._share, self._grow(self._share))
        return {OUTGROWN: [self._share]}

    def share_of(self, attributes: Mapping[str, Any]) -> float | None:
        """Return the share of a trial where that is not the share of all; ``attributes``: its own."""
        outgrown = read_outgrown(attributes)
        return max(self._share, self._grow(outgrown[-1])) if outgrown and 0 < self._share < 1 else None

    def count_places(self, attributes: Mapping[str, Any]) -> int:
        """Return of how many trials one has the place, so that the larger share is not waited for in vain."""
        share = self.share_of(attributes)
        return 1 if share is None else max(1, round(share / self._share))

    def _grow(self, share: float) -> float:
        return min(1.0, GROWTH * share)


def read_outgrown(attributes: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the shares on which a trial ran out of memory before."""
    return tuple(attributes.get(OUTGROWN, ()))
