"""The verdicts of an experiment: which trials were compared, with which seeds, and how sure each has to be.

All experiments of one program and metric in one storage are a project. Its verdicts are counted through, because they
share one error rate (``tune/results/confirm/error_rate.py``). Whoever plans one holds ``lock_verdicts``, from the first
look at the others until it is written: two searches may end at once.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths, atomic_write, read_json, read_regular
from tune.space.dimensions import is_int, is_number


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord:
    """One verdict, as it was planned; what came of it is read from the runs."""

    program: str
    """The path of the program's file."""
    metric: str
    number: int
    """Of the project's verdicts, counted from 1."""
    error_rate: float
    """The probability that it says "real" where nothing is."""
    trials: tuple[int, ...]
    """Those that are compared; where there is a race those that race, the best of the search first."""
    seeds: tuple[int, ...]
    """The fresh seeds that the verdict is on."""
    more_seeds: tuple[int, ...] = ()
    """The fresh seeds that follow where these leave it open; none: the first look at them is the only one."""
    race_seeds: tuple[int, ...] = ()
    """The fresh seeds of a race before it; none: the trials were named, and each is judged."""
    n_ended: int | None = None
    """Where there is a race, how many trials of the search had ended: it is void once there are more."""
    change: str = ""
    """What the runs do differently than the search, of the source and the Trainer's arguments; empty: nothing."""
    chosen: int | None = None
    """The trial that the race and the verdict hand over, the baseline too; None where that is not known yet."""

    @property
    def has_race(self) -> bool:
        """Whether a race chooses the trial that is judged."""
        return self.n_ended is not None

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Every seed that it may train with."""
        return (*self.race_seeds, *self.seeds, *self.more_seeds)

    def is_same_question(self, other: "VerdictRecord") -> bool:
        """Tell whether the other one asks for the same: it is no further verdict then."""
        told = ("trials", "n_ended", "change", "race_seeds" if self.has_race else "seeds")
        return all(getattr(self, name) == getattr(other, name) for name in told)


def count_ended(trials: Sequence[TrialResult]) -> int:
    """Return how many trials came to an end of whatever kind."""
    return sum(each.state not in ("waiting", "running") for each in trials)


def read_verdicts(paths: ExperimentPaths) -> tuple[VerdictRecord, ...]:
    """Return an experiment's verdicts in their order; none where there is no such file, or it is not ours."""
    try:
        found = read_json(read_regular(paths.verdicts))["verdicts"]
        return tuple(_parse_record(each) for each in found)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return ()


def _parse_record(data: dict[str, Any]) -> VerdictRecord:
    tuples = {name: tuple(data.get(name, ())) for name in ("trials", "seeds", "more_seeds", "race_seeds")}
    record = VerdictRecord(**{**data, **tuples})
    numbers = (record.number, *record.trials, *record.all_seeds)
    optional = [each for each in (record.n_ended, record.chosen) if each is not None]
    is_ours = all(is_int(each) and 0 <= each < 2**32 for each in (*numbers, *optional)) and is_number(record.error_rate)
    if not is_ours or not isinstance(record.change, str) or not 0 < record.error_rate < 1:
        raise ValueError("no verdict of ours")
    return record


def write_verdict(paths: ExperimentPaths, record: VerdictRecord) -> None:
    """Add a verdict, or replace the one that asks for the same."""
    verdicts = [each for each in read_verdicts(paths) if not each.is_same_question(record)]
    verdicts = sorted([*verdicts, record], key=lambda each: each.number)
    with atomic_write(paths.verdicts) as aside:
        data = {"verdicts": [asdict(each) for each in verdicts]}
        aside.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def find_verdict(paths: ExperimentPaths, wanted: VerdictRecord) -> VerdictRecord | None:
    """Return the verdict that asks for the same as this one, as it was planned."""
    return next((each for each in read_verdicts(paths) if each.is_same_question(wanted)), None)


def read_storage_verdicts(storage: Path) -> dict[Path, tuple[VerdictRecord, ...]]:
    """Return the verdicts of all experiments of a storage, by their folder."""
    folders = [entry for entry in storage.iterdir() if entry.is_dir()] if storage.is_dir() else []
    return {folder: read_verdicts(ExperimentPaths(folder)) for folder in folders}


def read_project_verdicts(storage: Path, program: str, metric: str) -> dict[Path, tuple[VerdictRecord, ...]]:
    """Return the verdicts on one program and metric, by the folder of their experiment."""
    return {
        folder: tuple(each for each in records if (each.program, each.metric) == (program, metric))
        for folder, records in read_storage_verdicts(storage).items()
    }


def find_confirmation(paths: ExperimentPaths, trials: Sequence[TrialResult]) -> VerdictRecord | None:
    """Return the last verdict that a race precedes, unless trials ended since; None where there is none."""
    found = [each for each in read_verdicts(paths) if each.has_race and each.n_ended == count_ended(trials)]
    numbers = {each.number for each in trials}
    return next((each for each in reversed(found) if numbers.issuperset(each.trials)), None)


def note_choice(paths: ExperimentPaths, record: VerdictRecord, chosen: int | None) -> VerdictRecord:
    """Write down which trial is handed over; return the verdict with it."""
    noted = replace(record, chosen=chosen)
    if noted != record:
        write_verdict(paths, noted)
    return noted
