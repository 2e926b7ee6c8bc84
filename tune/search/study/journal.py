"""The journal as a file: made once, opened again, repaired where a power cut tore it.

The journal as a file: what a power cut tore is repaired, and the order of all that happened is read back.

One record a line, each a JSON object. Optuna rebuilds trials from them, but forgets in which order they reported, which
is what a scheduler's decisions are made of.
"""

import itertools
import json
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal._storage import JournalOperation as Op
from optuna.trial import TrialState

from tune.experiment.contradictions import check_record_lengths, count_whole_records
from tune.experiment.trial_result import FORMAT, SEALED, SETTINGS, check_format
from tune.internals.optuna_internals import BatchedJournalStorage, JournalBackend
from tune.paths import ExperimentPaths
from tune.search.samplers.trial_window import DIRECTIONS
from tune.space.space import Space, note_space
from tune.trial.disk_space import translate_folder_errors

START = "start"
"""The one of what a trial takes beside its epochs, in epochs."""


@dataclass(frozen=True, slots=True)
class TrialOpened:
    """A trial was opened."""

    trial: int


@dataclass(frozen=True, slots=True)
class TrialReported:
    """An epoch was reported."""

    trial: int
    epoch: int
    value: float


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial ended."""

    trial: int
    failed: bool
    """Whether its program raised, its process died, or its metric was not finite."""


@dataclass(frozen=True, slots=True)
class TrialSealed:
    """No further trial was to come, then."""


@dataclass(frozen=True, slots=True)
class StartupMeasured:
    """It was known what a trial takes beside its epochs."""

    n_epochs: float


Event = TrialOpened | TrialReported | TrialEnded | TrialSealed | StartupMeasured

LOCKS = (".lock", ".lock*.rename")
"""Behind the journal's name: what Optuna's lock leaves when its process is killed, and then waits 30 s for."""


def repair_journal(journal: Path) -> int:
    """Take a torn end out of a journal; return how many bytes were lost. The caller holds the experiment's lock.

    Raises ExperimentError where a record is broken that no power cut tore; and NoRoomError where not
    even a newline has room.
    """
    for pattern in LOCKS:
        for left in journal.parent.glob(journal.name + pattern):
            left.unlink(missing_ok=True)
    check_record_lengths(journal)
    raw = journal.read_bytes()
    n_whole = count_whole_records(raw, journal)
    kept = b"".join(line + b"\n" for line in raw.split(b"\n")[:n_whole])
    if len(kept) > len(raw):  # the last record lacks its newline alone
        with translate_folder_errors(journal.parent, ours=True), journal.open("ab") as file:
            file.write(b"\n")
    elif len(kept) < len(raw):
        os.truncate(journal, len(kept))  # in place: on a full disk there is no room for a second one
    return max(0, len(raw) - len(kept))


def read_events(journal: Path, numbers: Mapping[int, int]) -> Iterator[Event]:
    """Yield what happened, in its order; ``numbers`` of trials by Optuna's ids, only these are told of."""
    ids = itertools.count()
    for record in read_journal_records(journal):
        op = record["op_code"]
        trial = numbers.get(next(ids) if op == Op.CREATE_TRIAL else record.get("trial_id", -1))
        if op == Op.SET_STUDY_USER_ATTR and SEALED in record["user_attr"]:
            yield TrialSealed()
        elif op == Op.SET_STUDY_USER_ATTR and START in record["user_attr"]:
            noted = record["user_attr"][START]
            if isinstance(noted, float) and 0 <= noted < math.inf:
                yield StartupMeasured(noted)
        elif trial is None:
            continue
        elif op == Op.CREATE_TRIAL:
            yield TrialOpened(trial)
        elif op == Op.SET_TRIAL_INTERMEDIATE_VALUE:
            yield TrialReported(trial, record["step"], record["intermediate_value"])
        elif op == Op.SET_TRIAL_STATE_VALUES and (state := TrialState(record["state"])).is_finished():
            yield TrialEnded(trial, state is TrialState.FAIL)


def read_journal_records(journal: Path) -> Iterator[dict[str, Any]]:
    """Yield every record of a whole journal."""
    with journal.open("rb") as file:
        for line in file:
            yield json.loads(line)


KNOWLEDGE = "knowledge"
"""The study's attribute that holds what was known from the start."""

REPEAT = "repeat_of"
"""The attribute of a trial that was not trained: the number of the one whose configuration it has."""

TRAINED_OTHERWISE = "trained_otherwise"
"""The attribute of a trial that was trained with other arguments of the Trainer than are given now."""


def create_study(paths: ExperimentPaths, space: Space) -> optuna.Study:
    """Return a new study in an experiment's folder."""
    with _silence_optuna():
        study = optuna.create_study(
            storage=BatchedJournalStorage(open_backend(paths.journal)),
            study_name=paths.name,
            directions=[DIRECTIONS[each.mode] for each in space.objectives],
            sampler=optuna.samplers.RandomSampler(),  # draws nothing: the searcher does
        )
        study.set_user_attr("format", FORMAT)
        study.set_user_attr("folder", str(Path.cwd()))
        study.set_user_attr(SETTINGS, note_space(space))
        study.set_metric_names([each.metric for each in space.objectives])  # optuna-dashboard shows it
    return study


def open_study(paths: ExperimentPaths) -> optuna.Study:
    """Return the study of an experiment; raise ExperimentError where its format is one that we do not know."""
    with _silence_optuna():
        study = optuna.load_study(study_name=None, storage=BatchedJournalStorage(open_backend(paths.journal)))
    check_format(study.user_attrs.get("format"), paths)
    return study


def open_backend(journal: Path) -> JournalBackend:
    """Return what reads and writes a journal's file; it raises NoRoomError where the disk is full."""
    return JournalBackend(journal, lambda: translate_folder_errors(journal.parent, ours=True))


@contextmanager
def _silence_optuna() -> Iterator[None]:
    """Silence what Optuna says of new studies, and of its parts that are experimental."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
