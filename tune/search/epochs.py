"""How many epochs a trial has, where neither the space nor the command line says."""

from tune.errors import SpaceError
from tune.promotion.constants import Constant, find_constants
from tune.promotion.program import Program
from tune.space.space import Script, Space

EPOCH_NAMES = ("max_epochs", "epochs", "n_epochs", "num_epochs", "nepochs")
"""Constants that stand for the Trainer's ``max_epochs``; case does not count."""

BOUNDS = frozenset({"max_epochs", "max_steps", "max_time"})
"""Arguments of the Trainer that end a training."""


def epochs_constant(program: Program) -> Constant | None:
    """Return the program's own constant that stands for ``max_epochs``, or None."""
    own = [item for item in find_constants(program) if item.sites[0].source == program.source.name]
    names = {constant.name.casefold(): constant for constant in own}
    return next((names[name] for name in EPOCH_NAMES if name in names), None)


def check_epochs(space: Space, program: Program) -> None:
    """Raise SpaceError when nothing says how long to train: Lightning would train for 1,000 epochs."""
    if isinstance(space.shape, Script):
        return  # it builds its own Trainer
    if BOUNDS & space.settings.trainer.keys() or epochs_constant(program) is not None:
        return
    raise SpaceError(
        space.where("trainer"),
        f"nothing says how many epochs a trial has, and {program.source.name} has no MAX_EPOCHS",
        "Write `trainer: {max_epochs: 10}`, or give --trainer.max_epochs 10.",
    )
