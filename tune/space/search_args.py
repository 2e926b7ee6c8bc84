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

SCHEDULER_ARGS: dict[str, dict[str, Argument]] = {
    "asha": {
        "grace_period": Argument(name="grace_period", kinds=frozenset({"int"})),
        "reduction_factor": Argument(name="reduction_factor", kinds=frozenset({"int", "float"})),
    },
    "none": {},
}
LEAST = {"grace_period": 1, "reduction_factor": 1.1}
"""The smallest value that makes sense; a rung of ASHA lets one in ``reduction_factor`` pass."""


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
    least = LEAST[name]
    if isinstance(value, int | float) and not least <= value < math.inf:  # NaN neither
        raise SpaceError(where, f"{owner}: {name} must be at least {least}, got {value}", "Write a larger number.")
