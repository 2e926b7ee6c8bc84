"""The ledger: an Optuna study in a journal file, the only truth about trials. One process writes it."""

import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from tune.paths import ExperimentPaths
from tune.promotion.literals import Unknown
from tune.promotion.resolve import Promoted
from tune.search.grid import grid_points
from tune.search.perturb import SHARE, perturb
from tune.search.sampler import N_STARTUP_TRIALS, build_sampler, distribution_of, from_label, to_label
from tune.space.dimensions import Value, contains
from tune.space.space import Space
from tune.trial.outcome import Outcome, outcome_of
from tune.trial.score import Mode, best_of, better

FORMAT = 1
"""Of what we write into the study beside Optuna's own; a reader refuses a number that it does not know."""

DIRECTIONS: dict[Mode, Literal["minimize", "maximize"]] = {"min": "minimize", "max": "maximize"}


class Ledger:
    """Asks for configurations, and writes down what became of them."""

    def __init__(self, study: optuna.Study, space: Space, promoted: Sequence[Promoted]) -> None:
        self._study = study
        self._space = space
        self._dimensions = {item.key: item.dimension for item in promoted}
        self._distributions = {name: distribution_of(dimension) for name, dimension in self._dimensions.items()}
        self._hardcoded = {item.key: value for item in promoted if not isinstance(value := item.value, Unknown)}
        self._open: dict[int, Trial] = {}
        self._values: dict[int, dict[str, Value]] = {}  # of every trial; the journal makes lists of tuples
        self._best: tuple[float, dict[str, Value]] | None = None
        self._grid = self._grid_points() if space.settings.sampler == "grid" else None
        self._rng = random.Random(space.settings.seed)  # noqa: S311 - no secret

    def ask_baseline(self) -> tuple[int, dict[str, Value]]:
        """Open trial 0: the hardcoded values; one that only the program knows is left as it is.

        A value outside its range is no observation for the sampler.
        """
        inside = {
            name: to_label(self._dimensions[name], value)
            for name, value in self._hardcoded.items()
            if contains(self._dimensions[name], value)
        }
        self._study.enqueue_trial(inside)
        trial = self._study.ask({name: self._distributions[name] for name in inside})
        return self._opened(trial, self._hardcoded)

    def ask(self) -> tuple[int, dict[str, Value]]:
        """Open a trial; return its number and its values."""
        if self._grid is not None:
            self._study.enqueue_trial(self._grid.pop())
        elif self._perturbs():
            assert self._best is not None
            near = perturb(self._dimensions, self._best[1], self._rng)
            self._study.enqueue_trial({name: to_label(self._dimensions[name], value) for name, value in near.items()})
        trial = self._study.ask(self._distributions)
        values = {name: from_label(self._dimensions[name], trial.params[name]) for name in self._dimensions}
        return self._opened(trial, values)

    @property
    def exhausted(self) -> bool:
        """Whether every point of a grid was asked for."""
        return self._grid is not None and not self._grid

    def note(self, number: int, **attributes: Any) -> None:
        """Write attributes of an open trial."""
        for name, value in attributes.items():
            self._open[number].set_user_attr(name, value)

    def report(self, number: int, epoch: int, value: float) -> None:
        """Write one epoch of a trial's curve."""
        trial = self._open[number]
        trial.report(value, epoch)
        values = self._values[number]
        inside = all(contains(self._dimensions[name], held) for name, held in values.items())
        if inside and better(self._space.mode, value, None if self._best is None else self._best[0]):
            self._best = (value, values)

    def curve(self, number: int) -> dict[int, float]:
        """Return what an open trial reported, by epoch."""
        return self._curve_of(self._open[number])

    def complete(self, number: int) -> Outcome:
        """Close a trial that came to its end; its value is its best epoch."""
        trial = self._open.pop(number)
        curve = self._curve_of(trial)
        best_epoch = best_of(curve, self._space.mode)
        assert best_epoch is not None
        trial.set_user_attr("best_epoch", best_epoch)
        return self._told(self._study.tell(trial, curve[best_epoch]))

    def prune(self, number: int) -> Outcome:
        """Close a trial that the scheduler stopped; Optuna takes its curve."""
        trial = self._open.pop(number)
        trial.set_user_attr("best_epoch", best_of(self._curve_of(trial), self._space.mode))
        return self._told(self._study.tell(trial, state=TrialState.PRUNED))

    def fail(self, number: int, reason: str) -> Outcome:
        """Close a trial that failed."""
        trial = self._open.pop(number)
        trial.set_user_attr("reason", reason)
        return self._told(self._study.tell(trial, state=TrialState.FAIL))

    def suspend(self) -> None:
        """Leave what is open WAITING, with its curve: the search ends before it does."""
        for trial in self._open.values():
            self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)  # noqa: SLF001
        self._open.clear()

    @property
    def outcomes(self) -> list[Outcome]:
        """Every trial so far, in the order of their numbers."""
        return [outcome_of(trial, self._space.mode) for trial in self._study.get_trials(deepcopy=False)]

    def _opened(self, trial: Trial, values: Mapping[str, Value]) -> tuple[int, dict[str, Value]]:
        self._open[trial.number] = trial
        self._values[trial.number] = dict(values)
        trial.set_user_attr("constants", dict(values))
        trial.set_user_attr("seed", self._space.settings.seed)
        return trial.number, dict(values)

    def _grid_points(self) -> list[dict[str, Any]]:
        """Return every point but the baseline, the last one first."""
        held = list(self._hardcoded.items())
        inside = all(contains(self._dimensions[name], value) for name, value in held)
        baseline = {name: to_label(self._dimensions[name], value) for name, value in held} if inside else None
        points = grid_points(self._dimensions, self._space.settings.seed)
        return [point for point in points if point != baseline][::-1]

    def _perturbs(self) -> bool:
        """After the sampler's start, a share of the default search stays near the best."""
        if self._space.settings.sampler != "tpe" or self._best is None:
            return False
        n_trials = len(self._study.get_trials(deepcopy=False))
        return n_trials >= N_STARTUP_TRIALS and self._rng.random() < SHARE

    def _curve_of(self, trial: Trial) -> dict[int, float]:
        return self._storage.get_trial(trial._trial_id).intermediate_values  # noqa: SLF001

    def _told(self, trial: optuna.trial.FrozenTrial) -> Outcome:
        return outcome_of(trial, self._space.mode)

    @property
    def _storage(self) -> BaseStorage:
        return self._study._storage  # noqa: SLF001 - Optuna has no public word for WAITING


def create_ledger(paths: ExperimentPaths, space: Space, promoted: Sequence[Promoted]) -> Ledger:
    """Return a new ledger in an experiment's folder."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = space.settings
    dimensions = {item.key: item.dimension for item in promoted}
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(paths.journal))),
        study_name=paths.name,
        direction=DIRECTIONS[space.mode],
        sampler=build_sampler(settings.sampler, settings.sampler_args, dimensions, settings.seed),
    )
    study.set_user_attr("format", FORMAT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([space.metric])  # optuna-dashboard shows it
    return Ledger(study, space, promoted)
