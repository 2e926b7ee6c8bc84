"""How many trials share a GPU (``gpus_per_trial: auto``): measured on the largest configurations."""

import math
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import ray
from ray.exceptions import RayError

from tune.cluster.resources import Resources, count_gpu_slots, spread_trials
from tune.errors import OptionError
from tune.promotion.resolve import PromotedConstant, hardcoded_values
from tune.space.conditions import draw_config, only_active
from tune.space.dimensions import Dimension, Value, extreme_values, is_int
from tune.space.settings import Settings
from tune.space.space import Space
from tune.trial.messages import GpuMemoryReport, Job, MemoryFootprint
from tune.trial.process.channel import drop_launcher_variables

MARGIN = 1.1
"""Of what was measured: a longer training leaves memory in pieces, and a last batch has another size."""
GIB = 2**30


def share_gpus(weighed: GpuMemoryReport, resources: Resources, settings: Settings) -> Resources:
    """Return the resources with the share that trials need; with fewer trials or cores than fit, a larger one.

    Cores that are left over are divided among the trials, unless the user said how many a trial has.
    Raises OptionError where the user asked for more trials at a time than fit.
    """
    n_gpus, fit = len(resources.gpus), count_trials_per_gpu(weighed)
    wanted = settings.concurrency
    if wanted is not None and wanted > fit * n_gpus:
        what = f"{wanted} trials at a time do not fit: {describe_sharing(weighed, fit)}"
        raise OptionError("concurrency", what, f"Ask for {fit * n_gpus}, or make the space's largest sizes smaller.")
    by_cores = max(n_gpus, int(resources.n_cores / resources.cpus_per_trial))
    at_a_time = wanted or max(1, min(fit * n_gpus, by_cores, settings.trials))
    at_a_time, share = spread_trials(at_a_time, n_gpus, is_fixed=wanted is not None)
    cpus = resources.cpus_per_trial
    if settings.cpus_per_trial is None:
        cpus = max(cpus, resources.n_cores // (wanted or count_gpu_slots(share, n_gpus)))
    return replace(
        resources,
        cpus_per_trial=cpus,
        gpus_per_trial=share,
        concurrency=at_a_time,
        is_measured=False,
    )


def give_whole_gpus(resources: Resources) -> Resources:
    """Return the resources with a GPU for each trial: nothing was measured."""
    return replace(resources, gpus_per_trial=1.0, is_measured=False)


def count_trials_per_gpu(weighed: GpuMemoryReport) -> int:
    """Return how many trials fit on one GPU, at least one."""
    heaviest = _largest_footprint(weighed)
    if heaviest is None or any(each.overflows for each in weighed.footprints):
        return 1
    return max(1, int(weighed.free_bytes / (MARGIN * heaviest.peak_bytes + weighed.context_bytes)))


def describe_sharing(weighed: GpuMemoryReport, fit: int) -> str:
    """Return what was measured and what follows, in a sentence."""
    free = f"{weighed.free_bytes / GIB:.1f} of {weighed.total_bytes / GIB:.1f} GiB that are free"
    trials = f"{fit} trial{'s' if fit != 1 else ''}"
    taken = [f"{_describe_footprint(each)}" for each in weighed.footprints]
    context = f"CUDA itself {weighed.context_bytes / GIB:.1f} GiB in each"
    return f"a GPU has room for {trials} in the {free}; measured: {', '.join([*taken, context])}"


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


N_DRAWS = 1000


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
    corner = _allowed_sizes(
        space, {name: max(extreme_values(each), key=_value_size) for name, each in sizes.items()}, hardcoded
    )
    if corner is not None:
        return corner
    rng = random.Random(space.settings.seed)  # noqa: S311 - no secret
    draws = (_allowed_sizes(space, draw_config(sizes, {}, rng), hardcoded) for _ in range(N_DRAWS))
    return max((each for each in draws if each is not None), key=_log_total_size, default={})


def _allowed_sizes(space: Space, sizes: dict[str, Value], hardcoded: Mapping[str, Value]) -> dict[str, Value] | None:
    """Return the sizes that vary beside the hardcoded values; None where a requirement is not met."""
    active = only_active({**hardcoded, **sizes}, space.conditions)
    values = {name: value for name, value in active.items() if name in sizes}
    return values if all(each.is_met({**hardcoded, **values}) for each in space.requirements) else None


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


def measure_gpu_share(
    space: Space, promoted: Sequence[PromotedConstant], job: Job, resources: Resources
) -> tuple[Resources, GpuMemoryReport | None, str]:
    """Return the resources with the share that trials need, what was measured, and the same in a sentence.

    Raises OptionError where the user asked for more trials at a time than fit.
    """
    loads = configs_to_measure(space, promoted)
    try:
        weighed = measure_on_gpu(job, resources, space.settings.seed, loads)
    except RayError as error:  # the process died: the pre-flight comes next, and says why
        *_, last = str(error).strip().splitlines() or [type(error).__name__]
        return give_whole_gpus(resources), None, f"it could not be measured: {last.strip()}"
    return (
        share_gpus(weighed, resources, space.settings),
        weighed,
        describe_sharing(weighed, count_trials_per_gpu(weighed)),
    )


def configs_to_measure(space: Space, promoted: Sequence[PromotedConstant]) -> dict[str, dict[str, Value]]:
    """Return the configurations to measure by what they are called: the hardcoded one, and the heaviest corner."""
    corner = find_largest_config(space, {item.key: item.dimension for item in promoted}, hardcoded_values(promoted))
    named = ", ".join(f"{name.rstrip('=')}={value}" for name, value in corner.items())
    return {HARDCODED: {}, **({named: corner} if corner else {})}


def measure_on_gpu(job: Job, resources: Resources, seed: int, loads: Mapping[str, dict[str, Value]]) -> GpuMemoryReport:
    """Measure in a process of its own, which has a whole GPU and gives it back as it ends."""
    task = ray.remote(num_gpus=1, num_cpus=resources.cpus_per_trial, max_calls=1, max_retries=0)(_measure_in_process)
    weighed: GpuMemoryReport = ray.get(task.remote(job, seed, dict(loads)))
    return weighed


def _measure_in_process(job: Job, seed: int, loads: dict[str, dict[str, Value]]) -> GpuMemoryReport:
    own = drop_launcher_variables(os.environ)  # Lightning would take this one process for a task of SLURM's
    os.environ.clear()
    os.environ.update(own)
    from tune.trial.measure_memory import measure_configs  # torch: in that process, not in the driver

    return measure_configs(job, seed, loads)
