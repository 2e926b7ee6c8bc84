"""How many epochs a trial has, where neither the space nor the command line says."""

import re

from tune.errors import SpaceError
from tune.experiment.counted_fits import CountedFits
from tune.promotion.constant import Constant
from tune.promotion.find_constants import find_constants
from tune.promotion.program import Program
from tune.space.dimensions import is_int
from tune.space.space import Script, Space

EPOCH_NAMES = ("max_epochs", "epochs", "n_epochs", "num_epochs", "nepochs")
"""Constants that stand for the Trainer's ``max_epochs``; case does not count."""

BOUNDS = frozenset({"max_epochs", "max_steps", "max_time"})
"""Arguments of the Trainer that end a training."""


def find_epochs_constant(program: Program) -> Constant | None:
    """Return the program's own constant that stands for ``max_epochs``, or None."""
    own = [item for item in find_constants(program) if item.sites[0].source == program.source.name]
    names = {constant.name.casefold(): constant for constant in own}
    return next((names[name] for name in EPOCH_NAMES if name in names), None)


def check_epochs(space: Space, program: Program) -> None:
    """Raise SpaceError when nothing says how long to train: Lightning would train for 1,000 epochs."""
    settings = space.settings
    if (
        settings.scheduler == "hyperband"
        and "max_t" not in settings.scheduler_args
        and not count_epochs(space, program)
    ):
        raise SpaceError(
            space.place_of_entry("scheduler"),
            "hyperband: nothing says how many epochs a whole trial has",
            "Write `scheduler_args: {max_t: 27}`, or `trainer: {max_epochs: 27}`.",
        )
    if isinstance(space.shape, Script):
        return  # it builds its own Trainer
    if BOUNDS & space.settings.trainer.keys() or find_epochs_constant(program) is not None:
        return
    raise SpaceError(
        space.place_of_entry("trainer"),
        f"nothing says how many epochs a trial has, and {program.source.name} has no MAX_EPOCHS",
        "Write `trainer: {max_epochs: 10}`, or give --trainer.max_epochs 10.",
    )


def count_reports(space: Space, program: Program, counted: CountedFits | None) -> int | None:
    """Return how many values every trial reports, unless it is stopped; None where trials differ or nothing says.

    ``counted``: what the pre-flight found, which knows the Trainers of a script.
    """
    if counted is not None and counted.is_mean:
        return counted.n_reports
    varies = any(re.split(r"[.\-=]", name.strip("-="))[-1].casefold() in EPOCH_NAMES for name in space.dimensions)
    if counted is None or varies or not isinstance(space.shape, Script):
        return count_epochs(space, program)
    return counted.n_reports


def count_epochs(space: Space, program: Program) -> int | None:
    """Return how many epochs every trial has, unless it is stopped; None where trials differ or only running tells."""
    given = space.settings.trainer.get("max_epochs")
    constant = None if isinstance(space.shape, Script) else find_epochs_constant(program)
    varies = constant is not None and bool({*constant.names} & space.dimensions.keys())
    wanted = given if given is not None or constant is None or varies else constant.value
    return wanted if is_int(wanted) and wanted > 0 else None
