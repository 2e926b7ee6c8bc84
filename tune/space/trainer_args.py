"""The arguments of the Lightning Trainer."""

from tune.space.dimensions import Value
from tune.space.scalar import scalar
from tune.space.signature import Argument, arguments_of_class, check_argument

TRAINER_FILES = {"pytorch_lightning": "trainer/trainer.py", "lightning": "pytorch/trainer/trainer.py"}
"""The packages that hold a Trainer, and where; the first that is installed counts."""

OURS = {
    "logger": "every trial logs into its own version",
    "callbacks": "they cannot be written in a space file, and the search adds its own; give them in the program",
    "default_root_dir": "every trial writes into its own version",
    "enable_checkpointing": "every version keeps its best checkpoint, which `resume` and `retrain` need",
    "fast_dev_run": "it would log nothing to search by; use --fast-dev-run",
}
"""Arguments that the search sets, with the reason."""


def trainer_args() -> dict[str, Argument]:
    """Return the arguments by name, in Lightning's order; none where no Lightning is installed."""
    found = (arguments_of_class(package, file, "Trainer") for package, file in TRAINER_FILES.items())
    return next((arguments for arguments in found if arguments), {})


def check_trainer_args(args: dict[str, Value], where: str | None) -> None:
    """Raise SpaceError, which starts with ``where``, at the first argument that will not do."""
    for name, value in args.items():
        check_trainer_arg(name, value, where)


def check_trainer_arg(name: str, value: Value, where: str | None) -> None:
    """Raise SpaceError at an unknown argument, one of ours, or a value of a wrong type."""
    check_argument(name, value, trainer_args(), OURS, "trainer", where)


def parse_trainer_value(text: str) -> Value:
    """Return what a word on the command line stands for: YAML's scalars, and Python's None. Nothing is a string."""
    if text in ("", "None"):
        return None if text else ""
    return scalar(text)
