"""How far a trial was when a checkpoint was written, kept inside the checkpoint's own file.

A checkpoint is a zip archive; this is one more member of it, so that the two can never disagree. It is JSON: reading it
executes nothing, and needs neither the program's classes nor torch.
"""

import json
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tune.paths import atomic_write, read_json
from tune.space.dimensions import is_number

MEMBER = "promotune.json"

Built = list[dict[str, str]]
"""The texts of its optimizers' settings, of each param group, then of each scheduler, in the order of their making."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointState:
    """How far a trial was."""

    curve: list[tuple[int, float]]
    """``(epoch, value)`` of all that was to be reported, this epoch included."""
    others: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """Further metrics, by epoch."""
    last: bool
    """Whether no epoch was to follow."""
    fit: int
    """Which ``Trainer.fit`` of the program it was, from 1."""
    step: int
    """The last step that its epoch logged."""
    events: dict[str, int]
    """Sizes of the version's event files, by name, in bytes."""
    rng: dict[str, Any] = field(default_factory=dict)
    """The states of the random number generators; in a trial of several processes those of rank 0."""
    rng_elsewhere: list[dict[str, Any]] = field(default_factory=list)
    """Those of the other ranks, in their order."""
    built: Built = field(default_factory=list)
    """What the optimizers were built with, where constants may change while it trains."""
    n_mutations: int = 0
    """How often they had."""
    epoch_is_over: bool = False
    """Whether all that belongs to the epoch came before the checkpoint; earlier versions wrote theirs in validation."""
    should_stop: bool = False
    """Whether the Trainer was to stop as soon as its least number of epochs allowed it."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Lightning's ``callback_metrics``, which its checkpoints lack."""
    validation_steps: list[int] = field(default_factory=list)
    """By validation loader the number of batches that were validated, which Lightning's checkpoints lack, too."""

    @property
    def epoch(self) -> int:
        """The epoch of the checkpoint."""
        return self.curve[-1][0]

    def rng_of(self, rank: int) -> dict[str, Any]:
        """Return the states of one process; of one that there was not, those of rank 0."""
        return self.rng_elsewhere[rank - 1] if 0 < rank <= len(self.rng_elsewhere) else self.rng

    def write_into(self, checkpoint: Path) -> None:
        """Add it to a checkpoint; one that is no archive goes without, and a trial does not continue from it."""
        if not zipfile.is_zipfile(checkpoint):
            return
        with zipfile.ZipFile(checkpoint, "a") as archive:
            root = archive.namelist()[0].partition("/")[0]
            n_before = sum(name.endswith(f"/{MEMBER}") for name in archive.namelist())
            folder = f"{root}/{n_before}" if n_before else root
            # what ``asdict`` would, which copies each of a random state's numbers: milliseconds an epoch
            archive.writestr(
                f"{folder}/{MEMBER}", json.dumps({each.name: getattr(self, each.name) for each in fields(self)})
            )

    def replace_weights(self, weights: Path, checkpoint: Path, n_mutations: int) -> "CheckpointState":
        """Put another trial's ``weights`` into a ``checkpoint`` of this state, and return the state that it has now."""
        donor = read_checkpoint_state(weights)
        adopted = replace(self, built=donor.built if donor else [], n_mutations=n_mutations)
        with atomic_write(checkpoint) as aside:
            shutil.copyfile(weights, aside)
            adopted.write_into(aside)
        return adopted


def read_checkpoint_state(checkpoint: Path, *, whole: bool = True) -> CheckpointState | None:
    """Return a checkpoint's last state, or None where there is none that is whole.

    ``whole``: all of the checkpoint has to be, so all of it is read: somebody is to go on from it.
    """
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            *_, name = (name for name in archive.namelist() if name.endswith(f"/{MEMBER}"))
            if whole and archive.testzip() is not None:
                return None
            data = read_json(archive.read(name))
        curve = [(int(epoch), float(value)) for epoch, value in data.pop("curve")]
        others = {int(epoch): tuple(values) for epoch, values in data.pop("others", {}).items()}
        mark = CheckpointState(**{**data, "curve": curve, "others": others}) if curve else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StopIteration, zipfile.BadZipFile):
        return None
    except (NotImplementedError, zlib.error, RuntimeError):  # of an archive that others wrote: encrypted, or broken
        return None
    return mark if mark is not None and _is_valid_state(mark) else None


def _is_valid_state(mark: CheckpointState) -> bool:
    """Tell whether its fields are what we write; a trial that goes on believes them."""
    return (
        isinstance(mark.events, dict)
        and all(type(each) is int for each in (mark.fit, mark.step, mark.n_mutations, *mark.events.values()))
        and min((*mark.events.values(), mark.epoch - 1, mark.step), default=0) >= 0
        and isinstance(mark.rng, dict)
        and isinstance(mark.metrics, dict)
        and all(map(is_number, mark.metrics.values()))
        and isinstance(mark.validation_steps, list)
        and all(type(each) is int for each in mark.validation_steps)
        and isinstance(mark.built, list)
        and all(isinstance(each, dict) for each in mark.built)
    )
