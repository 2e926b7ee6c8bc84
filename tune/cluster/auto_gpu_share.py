"""How many trials share a GPU, by what a pre-flight measured on the hardcoded and on the largest configuration."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tune.cluster.resources import Resources, count_gpu_slots, spread_trials
from tune.errors import OptionError
from tune.experiment.gpu_records import GpuMemoryReport, MemoryFootprint, read_gpu_memory
from tune.experiment.records import TrialRecord
from tune.promotion.checks.space_checks import N_DRAWS, allowed_options
from tune.promotion.resolve import PromotedConstant, hardcoded_values
from tune.space.conditions import draw_config
from tune.space.dimensions import Dimension, Value, extreme_values, is_int
from tune.space.settings import AUTO, Settings
from tune.space.space import Space

MARGIN = 1.1
"""Of what was measured: a longer training leaves memory in pieces, and a last batch has another size."""
LEAST_UTILIZATION = 0.01
"""NVML tells whole hundredths."""
GIB = 2**30


def share_gpus(weighed: GpuMemoryReport, resources: Resources, settings: Settings) -> Resources:
    """Return the resources with the share that trials need; with fewer trials or cores than fit, a larger one.

    Cores that are left over are divided among the trials, unless the user said how many a trial has.
    Raises OptionError where the user asked for more trials at a time than fit.
    """
    n_gpus, fit = len(resources.gpus), count_trials_per_gpu(weighed, settings)
    wanted = settings.concurrency
    if wanted is not None and wanted > fit * n_gpus:
        what = f"{wanted} trials at a time do not fit: {describe_sharing(weighed, settings)}"
        raise OptionError("concurrency", what, f"Ask for {fit * n_gpus}, or make the space's largest sizes smaller.")
    by_cores = max(n_gpus, int(resources.n_cores / resources.cpus_per_trial))
    at_a_time = wanted or max(1, min(fit * n_gpus, by_cores, settings.trials))
    at_a_time, share = spread_trials(at_a_time, n_gpus, is_fixed=wanted is not None)
    return _divide_cores(replace(resources, gpus_per_trial=share, concurrency=at_a_time, is_measured=False), settings)


def give_whole_gpus(resources: Resources, settings: Settings) -> Resources:
    """Return the resources with a GPU for each trial: nothing was measured."""
    at_a_time = max(1, min(len(resources.gpus), settings.concurrency or len(resources.gpus), settings.trials))
    whole = replace(resources, gpus_per_trial=1.0, concurrency=at_a_time, is_measured=False)
    return _divide_cores(whole, settings)


def restore_share(resources: Resources, settings: Settings, baseline: TrialRecord | None) -> Resources:
    """Return the resources with the share that the pre-flight of an experiment measured; whole GPUs where none did."""
    weighed = read_measured_memory(baseline, resources)
    return give_whole_gpus(resources, settings) if weighed is None else share_gpus(weighed, resources, settings)


def read_measured_memory(baseline: TrialRecord | None, resources: Resources) -> GpuMemoryReport | None:
    """Return what the pre-flight measured, as on the smallest of the GPUs: a share is one of any of them.

    None where nothing was measured.
    """
    weighed = None if baseline is None else read_gpu_memory(baseline.gpu_memory)
    least = resources.least_memory
    if weighed is None or least is None or least[1] >= weighed.free_bytes:
        return weighed
    return replace(weighed, total_bytes=least[0], free_bytes=least[1])


def _divide_cores(resources: Resources, settings: Settings) -> Resources:
    if settings.cpus_per_trial is not None:
        return resources
    at_a_time = settings.concurrency or count_gpu_slots(resources.gpus_per_trial, len(resources.gpus))
    return replace(resources, cpus_per_trial=max(resources.cpus_per_trial, resources.n_cores // at_a_time))


def count_trials_per_gpu(weighed: GpuMemoryReport, settings: Settings) -> int:
    """Return how many trials share a GPU, at least one: no more than its memory has room for.

    Where nobody said that trials are to share one, they do so only as far as one alone leaves it idle.
    """
    heaviest = _largest_footprint(weighed)
    if heaviest is None or not weighed.free_bytes or any(each.overflows for each in weighed.footprints):
        return 1
    by_memory = max(1, int(weighed.free_bytes / (MARGIN * heaviest.peak_bytes + weighed.context_bytes)))
    if settings.gpus_per_trial == AUTO or settings.concurrency is not None:
        return by_memory
    if weighed.utilization is None:
        return 1
    return max(1, min(by_memory, int(1 / max(weighed.utilization, LEAST_UTILIZATION))))


def describe_sharing(weighed: GpuMemoryReport, settings: Settings) -> str:
    """Return what was measured and what follows, in a sentence."""
    fit = count_trials_per_gpu(weighed, settings)
    trials = f"{fit} trial{'s' if fit != 1 else ''}"
    taken = [f"{_describe_footprint(each)}" for each in weighed.footprints]
    if not weighed.total_bytes:
        return f"it could not be measured: {', '.join(taken)}"
    free = f"{weighed.free_bytes / GIB:.1f} of {weighed.total_bytes / GIB:.1f} GiB that are free"
    context = f"CUDA itself {weighed.context_bytes / GIB:.1f} GiB in each"
    busy = "" if weighed.utilization is None else f"; one trial keeps it {weighed.utilization:.0%} busy"
    return f"a GPU has room for {trials} in the {free}; measured: {', '.join([*taken, context])}{busy}"


def _largest_footprint(weighed: GpuMemoryReport) -> MemoryFootprint | None:
    """Return what took most; None where the hardcoded values did not even train, of which the pre-flight will tell."""
    if weighed.footprints[0].failure is not None:
        return None
    return max((each for each in weighed.footprints if each.failure is None), key=lambda each: each.peak_bytes)


def _describe_footprint(footprint: MemoryFootprint) -> str:
    if footprint.overflows:
        return f"{footprint.what} more than there is"
    if footprint.failure is not None:
        return f"{footprint.what} failed ({footprint.failure})"
    return f"{footprint.what} {footprint.peak_bytes / GIB:.1f} GiB"


def find_largest_config(
    space: Space, dimensions: Mapping[str, Dimension], hardcoded: Mapping[str, Value]
) -> dict[str, Value]:
    """Return the sizes of the corner, and of the other constants nothing: they keep their hardcoded values.

    A size is whatever is a whole number, or a list of such. Where the space's requirements refuse the corner, it is
    the allowed one of 1,000 draws whose sizes have the largest product.
    """
    sizes = {
        name: each for name, each in dimensions.items() if all(_value_size(value) for value in extreme_values(each))
    }
    corner = allowed_options(
        space, {name: max(extreme_values(each), key=_value_size) for name, each in sizes.items()}, hardcoded
    )
    if corner is not None:
        return corner
    rng = random.Random(space.settings.seed)  # noqa: S311 - no secret
    draws = (allowed_options(space, draw_config(sizes, {}, rng), hardcoded) for _ in range(N_DRAWS))
    return max((each for each in draws if each is not None), key=_log_total_size, default={})


def _log_total_size(values: Mapping[str, Value]) -> float:
    return sum(math.log(_value_size(value)) for value in values.values())


def _value_size(value: Value) -> int:
    """Return how large it is; 0 for what is no size."""
    if is_int(value):
        return max(0, value)
    if isinstance(value, list | tuple) and value and all(map(_value_size, value)):
        return sum(map(_value_size, value))
    return 0


HARDCODED = "the hardcoded values"


def configs_to_measure(space: Space, promoted: Sequence[PromotedConstant]) -> dict[str, dict[str, Value]]:
    """Return the configurations to measure by what they are called: the hardcoded one, and the heaviest corner."""
    corner = find_largest_config(space, {item.key: item.dimension for item in promoted}, hardcoded_values(promoted))
    named = ", ".join(f"{name.rstrip('=')}={value}" for name, value in corner.items())
    return {HARDCODED: {}, **({named: corner} if corner else {})}
