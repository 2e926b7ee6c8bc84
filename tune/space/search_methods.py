"""The samplers and schedulers by name. Checks, the help, completion and the pages follow from these tables."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tune.space.library_args import LibraryArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSpec:
    """What is known of a sampler without an import of Optuna."""

    source: tuple[str, str]
    """The file of Optuna's, and the class in it whose arguments `sampler_args` are."""
    learns_from_pruned: bool = True
    """Whether it learns from trials that were stopped; one that ignores them is told their last values."""


SAMPLERS: Mapping[str, SamplerSpec] = {
    "tpe": SamplerSpec(source=("samplers/_tpe/sampler.py", "TPESampler")),
    "gp": SamplerSpec(source=("samplers/_gp/sampler.py", "GPSampler"), learns_from_pruned=False),
    "cmaes": SamplerSpec(source=("samplers/_cmaes.py", "CmaEsSampler"), learns_from_pruned=False),
    "qmc": SamplerSpec(source=("samplers/_qmc.py", "QMCSampler")),
    "random": SamplerSpec(source=("samplers/_random.py", "RandomSampler")),
    "grid": SamplerSpec(source=("samplers/_grid.py", "GridSampler")),
}
"""By their names in a space file. Checks, the help, completion and the pages follow from this table."""


def _takes(**arguments: str) -> dict[str, LibraryArgument]:
    """Return arguments and their kinds; every scheduler that stops trials takes the metric that it looks at."""
    kinds = {**arguments, "metric": "str"}
    return {name: LibraryArgument(name=name, kinds=frozenset(kind.split())) for name, kind in kinds.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSpec:
    """What is known of a scheduler without its code."""

    arguments: Mapping[str, LibraryArgument]
    """Named as in Ray Tune; counted in epochs."""
    pauses_trials: bool = False
    """Whether it lets trials wait for others: then they go on from their last checkpoint."""


SCHEDULERS: Mapping[str, SchedulerSpec] = {
    "asha": SchedulerSpec(arguments=_takes(grace_period="int", reduction_factor="int float")),
    "hyperband": SchedulerSpec(arguments=_takes(max_t="int", reduction_factor="int float"), pauses_trials=True),
    "median": SchedulerSpec(arguments=_takes(grace_period="int", min_samples_required="int")),
    "pbt": SchedulerSpec(
        arguments=_takes(perturbation_interval="int", quantile_fraction="float", resample_probability="int float"),
        pauses_trials=True,
    ),
    "none": SchedulerSpec(arguments={}),
}
"""By their names in a space file, likewise."""


BOUNDS: dict[str, tuple[float, float]] = {
    "grace_period": (1, math.inf),
    "reduction_factor": (1.1, math.inf),
    "max_t": (1, math.inf),
    "min_samples_required": (1, math.inf),
    "perturbation_interval": (1, math.inf),
    "quantile_fraction": (0.0, 0.5),
    "resample_probability": (0.0, 1.0),
}
"""What makes sense, both ends included; a rung of ASHA lets one in ``reduction_factor`` pass."""
