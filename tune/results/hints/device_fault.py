"""A GPU that failed trials, which ran again elsewhere."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tune.trial.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFault:
    """A device that failed trials."""

    device: str
    """``host:device``, as CUDA_VISIBLE_DEVICES has it."""
    n_trials: int

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        host, _, gpu = self.device.rpartition(":")
        trials = f"{self.n_trials} trial{'s' if self.n_trials != 1 else ''}"
        return f"GPU {gpu} of {host} failed {trials}, which ran again: look at it, or leave it out with `--gpu`"


def find_device_faults(trials: Sequence[Outcome]) -> tuple[DeviceFault, ...]:
    """Return the devices that failed trials, the most often first."""
    counts = Counter(device for trial in trials for device in trial.device_faults)
    return tuple(DeviceFault(device=device, n_trials=n) for device, n in counts.most_common())
