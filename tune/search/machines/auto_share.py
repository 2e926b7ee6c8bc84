"""``gpus_per_trial: auto``: measure on a GPU what trials need, before the first one, and give each that share."""

import os
from collections.abc import Mapping, Sequence

import ray
from ray.exceptions import RayError

from tune.promotion.resolve import Promoted, hardcoded
from tune.search.machines.resources import Resources
from tune.search.machines.shares import apportion, fitting, told, whole
from tune.space.dimensions import Value
from tune.space.heaviest import heaviest
from tune.space.space import Space
from tune.trial.footprint import Weighed
from tune.trial.process.start import drop_launcher_variables
from tune.trial.task import Job

HARDCODED = "the hardcoded values"


def measured_share(
    space: Space, promoted: Sequence[Promoted], job: Job, resources: Resources
) -> tuple[Resources, Weighed | None, str]:
    """Return the resources with the share that trials need, what was measured, and the same in a sentence.

    Raises OptionError where the user asked for more trials at a time than fit.
    """
    loads = loads_of(space, promoted)
    try:
        weighed = weigh_on_gpu(job, resources, space.settings.seed, loads)
    except RayError as error:  # the process died: the pre-flight comes next, and says why
        *_, last = str(error).strip().splitlines() or [type(error).__name__]
        return whole(resources), None, f"it could not be measured: {last.strip()}"
    return apportion(weighed, resources, space.settings), weighed, told(weighed, fitting(weighed))


def loads_of(space: Space, promoted: Sequence[Promoted]) -> dict[str, dict[str, Value]]:
    """Return the configurations to measure by what they are called: the hardcoded one, and the heaviest corner."""
    corner = heaviest(space, {item.key: item.dimension for item in promoted}, hardcoded(promoted))
    named = ", ".join(f"{name}={value}" for name, value in corner.items())
    return {HARDCODED: {}, **({named: corner} if corner else {})}


def weigh_on_gpu(job: Job, resources: Resources, seed: int, loads: Mapping[str, dict[str, Value]]) -> Weighed:
    """Measure in a process of its own, which has a whole GPU and gives it back as it ends."""
    task = ray.remote(num_gpus=1, num_cpus=resources.cpus_per_trial, max_calls=1, max_retries=0)(_weigh)
    weighed: Weighed = ray.get(task.remote(job, seed, dict(loads)))
    return weighed


def _weigh(job: Job, seed: int, loads: dict[str, dict[str, Value]]) -> Weighed:
    own = drop_launcher_variables(os.environ)  # Lightning would take this one process for a task of SLURM's
    os.environ.clear()
    os.environ.update(own)
    from tune.trial.weigh import weigh  # torch: in that process, not in the driver

    return weigh(job, seed, loads)
