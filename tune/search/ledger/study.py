"""The file behind the ledger: an Optuna study in a journal, made once, and opened again by whoever goes on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna

from tune.paths import ExperimentPaths
from tune.search.ledger.book import Book
from tune.search.ledger.journal import Backend
from tune.search.sampling.memory import DIRECTIONS
from tune.space.space import Space, note_space
from tune.trial.outcome import FORMAT, SETTINGS, check_format

KNOWLEDGE = "knowledge"
"""The study's attribute that holds what was known from the start."""

REPEAT = "repeat_of"
"""The attribute of a trial that was not trained: the number of the one whose configuration it has."""

TRAINED_OTHERWISE = "trained_otherwise"
"""The attribute of a trial that was trained with other arguments of the Trainer than are given now."""


def create_study(paths: ExperimentPaths, space: Space) -> optuna.Study:
    """Return a new study in an experiment's folder."""
    with _quiet():
        study = optuna.create_study(
            storage=Book(Backend(paths.journal)),
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
    with _quiet():
        study = optuna.load_study(study_name=None, storage=Book(Backend(paths.journal)))
    check_format(study.user_attrs.get("format"), paths)
    return study


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Optuna says of new studies, and of its parts that are experimental."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
