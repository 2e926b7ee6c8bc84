"""The keys `sampler_args` and `scheduler_args`: what they may hold depends on the sampler and on the scheduler."""

import math

from tune.errors import SpaceError
from tune.space.dimensions import Value
from tune.space.settings import Settings
from tune.space.signature import Argument, arguments_of_class, check_argument

SAMPLER_FILES = {
    "tpe": ("samplers/_tpe/sampler.py", "TPESampler"),
    "gp": ("samplers/_gp/sampler.py", "GPSampler"),
    "cmaes": ("samplers/_cmaes.py", "CmaEsSampler"),
    "qmc": ("samplers/_qmc.py", "QMCSampler"),
    "random": ("samplers/_random.py", "RandomSampler"),
    "grid": ("samplers/_grid.py", "GridSampler"),
}
"""Where Optuna keeps the class of each sampler."""

OURS = {"seed": "`seed:` sets it", "search_space": "it is the space's constants"}
"""Arguments of samplers that the search sets, with the reason."""


def _argument(name: str, *kinds: str) -> dict[str, Argument]:
    return {name: Argument(name=name, kinds=frozenset(kinds))}


_METRIC = _argument("metric", "str")
SCHEDULER_ARGS: dict[str, dict[str, Argument]] = {
    "asha": {**_argument("grace_period", "int"), **_argument("reduction_factor", "int", "float"), **_METRIC},
    "hyperband": {**_argument("max_t", "int"), **_argument("reduction_factor", "int", "float"), **_METRIC},
    "median": {**_argument("grace_period", "int"), **_argument("min_samples_required", "int"), **_METRIC},
    "pbt": {
        **_argument("perturbation_interval", "int"),
        **_argument("quantile_fraction", "float"),
        **_argument("resample_probability", "int", "float"),
        **_METRIC,
    },
    "none": {},
}
"""Named as in Ray Tune; counted in epochs."""

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


def check_search_args(settings: Settings, where_sampler: str | None, where_scheduler: str | None) -> None:
    """Raise SpaceError at an argument that the sampler or the scheduler does not take."""
    known = arguments_of_class("optuna", *SAMPLER_FILES[settings.sampler])
    for name, value in settings.sampler_args.items():
        check_argument(name, value, known, OURS, f"sampler_args of {settings.sampler}", where_sampler)
    for name, value in settings.scheduler_args.items():
        _check_scheduler_arg(settings.scheduler, name, value, where_scheduler)


def _check_scheduler_arg(scheduler: str, name: str, value: Value, where: str | None) -> None:
    owner = f"scheduler_args of {scheduler}"
    known = SCHEDULER_ARGS[scheduler]
    if not known:
        raise SpaceError(where, f"{owner}: it takes none, got {name!r}", "Take it out.")
    check_argument(name, value, known, {}, owner, where)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    least, most = BOUNDS[name]
    if not (least <= value < math.inf):  # NaN neither
        raise SpaceError(where, f"{owner}: {name} must be at least {least:g}, got {value}", "Write a larger number.")
    if value > most:
        raise SpaceError(where, f"{owner}: {name} must be at most {most:g}, got {value}", "Write a smaller number.")
