"""What a search and a retraining take on the command line beside their target: settings, devices, the Trainer's."""

import argparse
import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tune.cli.parser import Parser, add_quiet, add_storage
from tune.cluster.backend import Backend, open_backend
from tune.errors import OptionError, SpaceError
from tune.space.library_args import SAMPLERS, SCHEDULERS, parse_trainer_value
from tune.space.settings import DURATIONS, Settings, set_to

TRAINER_PREFIX = "--trainer."


def list_words(names: Iterable[str]) -> str:
    """Return names as a sentence lists them: ``tpe, gp or grid``."""
    *most, last = names
    return f"{', '.join(most)} or {last}"


SETTINGS = {
    "trials": "number of trials, the baseline included",
    "time-budget": "start no trial after this time: 30m, 2h, 1h30m or seconds",
    "seed": "seed of the sampler and of every trial",
    "seeds-per-trial": "train each trial with N seeds, and judge it by their mean",
    "sampler": list_words(SAMPLERS),
    "scheduler": list_words(SCHEDULERS),
    "concurrency": "trials at a time",
    "cpus-per-trial": "cores for each trial; default: one, or one for each DataLoader worker",
    "gpus-per-trial": "GPUs for each trial; 0.5: two share one; auto: as many share one as have room",
    "workers-per-trial": "processes that train a trial together, with DDP",
    "fits": "which fits count where a program fits several times: auto, mean, last or a number",
    "max-failures": "how often a trial is tried again after its worker died",
    "give-up-after": "end the search after N failures in a row with one cause",
    "hang-after": "fail a trial that is silent for this time, and for 10 epochs: 10m",
    "own-folder": "give each trial a working directory of its own",
    "keep-checkpoints": "keep those of the best N trials, of the baseline and of running trials",
    "checkpoints": "when a trial writes them: auto, epoch, best, none or a time such as 10m",
    "confirm": "train the best trials again at the end, with fresh seeds: is the gain real?",
    "holdout": "share of the validation set that only `retrain` evaluates: 0.2",
    "repeats": "train a configuration again if it is drawn again",
}
"""Options that have a key of the same name in the space file, and win over it."""

FLAGS = frozenset({"own-folder", "repeats", "confirm"})
"""Settings that are true when they are given."""

SHOWN = {
    "checkpoints": "WHEN",
    "fits": "WHICH",
    "holdout": "SHARE",
    "time-budget": "TIME",
    "hang-after": "TIME",
    "sampler": "NAME",
    "scheduler": "NAME",
}
"""What stands for the value in the help, where it is no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What the user gave."""

    given: dict[str, str]
    """Settings by their name in a space file, as text."""
    trainer: dict[str, str]
    """Trainer arguments, as text."""
    gpus: tuple[int, ...] | None
    """Indices of the GPUs to use; None: all there are."""
    address: str | None = None
    """Of the Ray cluster to join; None: a Ray of our own, on this machine."""

    def apply_settings(self, base: Settings) -> Settings:
        """Return ``base`` with what was given on the command line."""
        for name, text in self.given.items():
            value = text if name in ("sampler", "scheduler", "checkpoints", *DURATIONS) else parse_trainer_value(text)
            option = f"--{name.replace('_', '-')}"
            try:
                base = set_to(base, name, value, option)
            except SpaceError as error:
                raise _build_option_error(error, option, name) from None
        for name, text in self.trainer.items():
            base = set_to(base, "trainer", {name: parse_trainer_value(text)}, f"{TRAINER_PREFIX}{name}")
        return base

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> "Arguments":
        """Return what a SearchParser read."""
        names = [name.replace("-", "_") for name in SETTINGS]
        return cls(
            given={name: text for name in names if (text := getattr(given, name, None)) is not None},
            trainer=getattr(given, "trainer", {}),
            gpus=None if given.gpu is None else tuple(given.gpu),
            address=given.address,
        )

    def choose_backend(self, tell: Callable[[str], None]) -> contextlib.AbstractContextManager[Backend]:
        """Return where trials run; ``tell`` hears of a cluster that is joined."""
        return open_backend(self.address, self.gpus, tell)


def _build_option_error(error: SpaceError, option: str, name: str) -> OptionError:
    """Return the error of a setting as one of its option: a space file's `trials: 20` is `--trials 20` here."""
    hint = re.sub(rf"`{name}: ([^`]*)`", rf"`{option} \1`", error.hint or "") or None
    return OptionError(option, error.what.removeprefix(f"{name}: "), hint)


class SearchParser(Parser):
    """Takes ``--trainer.ANY VALUE`` beside its own options."""

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say, the Trainer's arguments as ``trainer``."""
        rest, trainer = split_trainer_words(words)
        found = super().parse_words(rest)
        found.trainer = trainer
        return found


def add_settings(parser: Parser, settings: dict[str, str]) -> None:
    """Add options: these settings, devices, the storage; a SearchParser's the Trainer's arguments too."""
    for name, what in settings.items():
        if name in FLAGS:
            parser.add_argument(f"--{name}", action="store_const", const="true", help=what)
        else:
            parser.add_argument(f"--{name}", metavar=SHOWN.get(name, "N"), help=what)
    parser.add_argument("-g", "--gpu", type=int, nargs="+", metavar="INDEX", help="use exactly these GPUs")
    where = "join this Ray cluster: auto, HOST:6379 or ray://HOST:10001"
    parser.add_argument("--address", metavar="WHERE", help=where)
    add_storage(parser)
    add_quiet(parser)
    if isinstance(parser, SearchParser):
        add_trainer(parser)


def add_trainer(parser: SearchParser) -> None:
    """Show that any argument of the Trainer may be given."""
    parser.add_argument(
        "--trainer.ARGUMENT",
        dest="trainer_argument",
        metavar="VALUE",
        help="any argument of pytorch_lightning.Trainer, such as --trainer.max_epochs 10",
    )


def split_trainer_words(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Take ``--trainer.NAME VALUE`` and ``--trainer.NAME=VALUE`` out of the words."""
    rest: list[str] = []
    trainer: dict[str, str] = {}
    waiting = iter(words)
    for word in waiting:
        if not word.startswith(TRAINER_PREFIX):
            rest.append(word)
            continue
        name, equals, text = word.removeprefix(TRAINER_PREFIX).partition("=")
        value = text if equals else next(waiting, None)
        if value is None or (not equals and value.startswith("--")):
            raise OptionError(None, f"{word} needs a value", f"Write {word} VALUE.")
        trainer[name] = value
    return rest, trainer
