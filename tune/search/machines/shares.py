"""How many trials share a GPU, by what was measured of their memory. Arithmetic alone: it needs no GPU."""

from dataclasses import replace

from tune.errors import OptionError
from tune.search.machines.resources import Resources, gpu_slots, spread_trials
from tune.space.settings import Settings
from tune.trial.footprint import Footprint, Weighed

MARGIN = 1.1
"""Of what was measured: a longer training leaves memory in pieces, and a last batch has another size."""
GIB = 2**30


def apportion(weighed: Weighed, resources: Resources, settings: Settings) -> Resources:
    """Return the resources with the share that trials need; with fewer trials or cores than fit, a larger one.

    Cores that are left over are divided among the trials, unless the user said how many a trial has.
    Raises OptionError where the user asked for more trials at a time than fit.
    """
    n_gpus, fit = len(resources.gpus), fitting(weighed)
    wanted = settings.concurrency
    if wanted is not None and wanted > fit * n_gpus:
        what = f"{wanted} trials at a time do not fit: {told(weighed, fit)}"
        raise OptionError("concurrency", what, f"Ask for {fit * n_gpus}, or make the space's largest sizes smaller.")
    by_cores = max(n_gpus, int(resources.n_cores / resources.cpus_per_trial))
    at_a_time = wanted or max(1, min(fit * n_gpus, by_cores, settings.trials))
    at_a_time, share = spread_trials(at_a_time, n_gpus, is_fixed=wanted is not None)
    cpus = resources.cpus_per_trial
    if settings.cpus_per_trial is None:
        cpus = max(cpus, resources.n_cores // (wanted or gpu_slots(share, n_gpus)))
    return replace(
        resources,
        cpus_per_trial=cpus,
        gpus_per_trial=share,
        concurrency=at_a_time,
        is_measured=False,
    )


def whole(resources: Resources) -> Resources:
    """Return the resources with a GPU for each trial: nothing was measured."""
    return replace(resources, gpus_per_trial=1.0, is_measured=False)


def fitting(weighed: Weighed) -> int:
    """Return how many trials fit on one GPU, at least one."""
    heaviest = _heaviest(weighed)
    if heaviest is None or any(each.overflows for each in weighed.footprints):
        return 1
    return max(1, int(weighed.free_bytes / (MARGIN * heaviest.peak_bytes + weighed.context_bytes)))


def told(weighed: Weighed, fit: int) -> str:
    """Return what was measured and what follows, in a sentence."""
    free = f"{weighed.free_bytes / GIB:.1f} of {weighed.total_bytes / GIB:.1f} GiB that are free"
    trials = f"{fit} trial{'s' if fit != 1 else ''}"
    taken = [f"{_taken(each)}" for each in weighed.footprints]
    context = f"CUDA itself {weighed.context_bytes / GIB:.1f} GiB in each"
    return f"a GPU has room for {trials} in the {free}; measured: {', '.join([*taken, context])}"


def _heaviest(weighed: Weighed) -> Footprint | None:
    """Return what took most; None where the hardcoded values did not even train, of which the pre-flight will tell."""
    if weighed.footprints[0].failure is not None:
        return None
    return max((each for each in weighed.footprints if each.failure is None), key=lambda each: each.peak_bytes)


def _taken(footprint: Footprint) -> str:
    if footprint.overflows:
        return f"{footprint.what} more than there is"
    if footprint.failure is not None:
        return f"{footprint.what} failed ({footprint.failure})"
    return f"{footprint.what} {footprint.peak_bytes / GIB:.1f} GiB"
