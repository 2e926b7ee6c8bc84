"""What trials suggest about GPUs: one that failed, a share that was too small, and GPUs that were idle."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tune.experiment.trial_result import TrialResult
from tune.results.gpus.gpu_usage import mean_utilization


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
        return f"GPU {gpu} of {host} failed {trials}, which ran again: check it, or leave it out with `--gpu`"


def find_device_faults(trials: Sequence[TrialResult]) -> tuple[DeviceFault, ...]:
    """Return the devices that failed trials, the most often first."""
    counts = Counter(device for trial in trials for device in trial.device_faults)
    return tuple(DeviceFault(device=device, n_trials=n) for device, n in counts.most_common())


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgrownShare:
    """A share of a GPU on which trials ran out of memory."""

    share: float
    n_trials: int
    n_failed: int
    """Of those the ones that failed on the larger share, too."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        trials = f"{self.n_trials} trial{'s' if self.n_trials != 1 else ''}"
        again = f"{self.n_failed} of them failed there, too" if self.n_failed else "none failed there"
        return (
            f"{trials} ran out of memory on {self.share:g} of a GPU and ran again on a larger share; {again}: "
            "a larger `gpus_per_trial` saves the time"
        )


def find_outgrown_share(trials: Sequence[TrialResult]) -> OutgrownShare | None:
    """Return the smallest share that trials outgrew; None where none did."""
    grown = [trial for trial in trials if trial.outgrown_shares]
    if not grown:
        return None
    n_failed = sum(trial.state == "failed" for trial in grown)
    return OutgrownShare(
        share=min(min(trial.outgrown_shares) for trial in grown), n_trials=len(grown), n_failed=n_failed
    )


MOSTLY_IDLE = 0.3
"""GPUs that are busy for less of the time are idle for more than twice as long."""
LEAST_MEASURED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleGpu:
    """The GPUs were idle for most of the time."""

    busy: float
    """The part of the time in which they were busy, 0 to 1, while trials ran."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"the GPUs were busy {self.busy:.0%} of the time while trials ran: more trials on each "
            "(`--gpus-per-trial auto`), or more `num_workers` of the DataLoaders, would use them"
        )


def find_idle_gpus(trials: Sequence[TrialResult]) -> IdleGpu | None:
    """Return the hint where three trials or more tell that GPUs were idle for most of the time."""
    measured = [trial for trial in trials if trial.gpu is not None and trial.gpu.utilization is not None]
    busy = mean_utilization(measured)
    return None if len(measured) < LEAST_MEASURED or busy is None or busy >= MOSTLY_IDLE else IdleGpu(busy=busy)
