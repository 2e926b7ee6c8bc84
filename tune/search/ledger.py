"""The ledger: an Optuna study in a journal file, the only truth about trials. One process writes it."""

# ruff: noqa: SLF001 - Optuna has no public word for WAITING, nor for going on with a trial

import random
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from tune.paths import ExperimentPaths
from tune.promotion.literals import Unknown
from tune.promotion.resolve import Promoted
from tune.search.grid import grid_points
from tune.search.journal import Reported, reports
from tune.search.perturb import SHARE, perturb
from tune.search.sampler import N_STARTUP_TRIALS, build_sampler, distribution_of, from_label, to_label
from tune.space.dimensions import Value, contains
from tune.space.settings import MAX_SEED
from tune.space.space import Space
from tune.trial.outcome import FORMAT, Outcome, check_format, outcome_of
from tune.trial.score import Mode, best_of, better

DIRECTIONS: dict[Mode, Literal["minimize", "maximize"]] = {"min": "minimize", "max": "maximize"}


BASELINE = 0
"""The number of the trial that holds the hardcoded values."""


class Ledger:
    """Asks for configurations, and writes down what became of them."""

    def __init__(
        self, study: optuna.Study, space: Space, promoted: Sequence[Promoted], history: Sequence[Reported] = ()
    ) -> None:
        self._study = study
        self._space = space
        self._dimensions = {item.key: item.dimension for item in promoted}
        self._distributions = {name: distribution_of(dimension) for name, dimension in self._dimensions.items()}
        self._hardcoded = {item.key: value for item in promoted if not isinstance(value := item.value, Unknown)}
        self._open: dict[int, int] = {}  # the ids of trials, by number
        self._values: dict[int, dict[str, Value]] = {}  # of every trial; the journal makes lists of tuples
        self._best: tuple[float, dict[str, Value]] | None = None
        self._grid = self._grid_points() if space.settings.sampler == "grid" else None
        self._rng = random.Random(f"{space.settings.seed} {self.n_trials}")  # noqa: S311 - no secret
        self.history = history
        """Every report of earlier drivers, in the order in which they came."""
        self._recall()

    @property
    def n_trials(self) -> int:
        """Trials that were ever opened."""
        return len(self._study.get_trials(deepcopy=False))

    def reopen(self) -> list[int]:
        """Open again every trial that did not end; return their numbers."""
        unfinished = [trial for trial in self._study.get_trials(deepcopy=False) if not trial.state.is_finished()]
        for trial in unfinished:
            if trial.state == TrialState.WAITING:
                self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
            self._open[trial.number] = trial._trial_id
            if "constants" not in trial.user_attrs:
                self._open_fully(trial)
        return [trial.number for trial in unfinished]

    def _open_fully(self, frozen: FrozenTrial) -> None:
        """Finish what a driver that was killed had begun: draw the values that a trial has not got yet."""
        trial = Trial(self._study, frozen._trial_id)
        wanted = self._baseline_labels() if frozen.number == BASELINE else self._distributions
        for name in wanted:
            trial._suggest(name, self._distributions[name])
        values = self._hardcoded if frozen.number == BASELINE else self._values_of(trial.params)
        self._opened(frozen.number, frozen._trial_id, values)

    def _recall(self) -> None:
        """Know what an earlier driver knew: each trial's values, the best so far, what is left of a grid."""
        trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            if "constants" in trial.user_attrs:
                baseline = trial.number == BASELINE
                self._values[trial.number] = dict(self._hardcoded) if baseline else self._values_of(trial.params)
        for number, _, value in self.history:
            self._weigh(number, value)
        if self._grid is not None:
            asked = [{**trial.system_attrs.get("fixed_params", {}), **trial.params} for trial in trials]
            self._grid = [point for point in self._grid if point not in asked]

    def ask_baseline(self) -> tuple[int, dict[str, Value]]:
        """Open trial 0: the hardcoded values; one that only the program knows is left as it is.

        A value outside its range is no observation for the sampler.
        """
        inside = self._baseline_labels()
        self._study.enqueue_trial(inside)
        trial = self._study.ask({name: self._distributions[name] for name in inside})
        return self._opened(trial.number, trial._trial_id, self._hardcoded)

    def ask(self) -> tuple[int, dict[str, Value]]:
        """Open a trial; return its number and its values."""
        if self._grid is not None:
            self._study.enqueue_trial(self._grid.pop())
        elif self._perturbs():
            assert self._best is not None
            near = perturb(self._dimensions, self._best[1], self._rng)
            self._study.enqueue_trial({name: to_label(self._dimensions[name], value) for name, value in near.items()})
        trial = self._study.ask(self._distributions)
        return self._opened(trial.number, trial._trial_id, self._values_of(trial.params))

    @property
    def exhausted(self) -> bool:
        """Whether every point of a grid was asked for."""
        return self._grid is not None and not self._grid

    def note(self, number: int, **attributes: Any) -> None:
        """Write attributes of an open trial."""
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(self._open[number], name, value)

    def noted(self, number: int) -> Mapping[str, Any]:
        """Return the attributes of an open trial."""
        return self._frozen(number).user_attrs

    def version_of(self, number: int) -> str | None:
        """Return the version's name of any trial; None where it has none yet."""
        trials = self._study.get_trials(deepcopy=False)
        return trials[number].user_attrs.get("version") if number < len(trials) else None

    @property
    def folder(self) -> Path:
        """The working directory of the search's first driver, and of its trials."""
        return Path(self._study.user_attrs["folder"])

    def values(self, number: int) -> dict[str, Value]:
        """Return the promoted constants of a trial."""
        return dict(self._values[number])

    def report(self, number: int, epoch: int, value: float) -> None:
        """Write one epoch of a trial's curve; it is on disk when this returns."""
        self._storage.set_trial_intermediate_value(self._open[number], epoch, value)
        self._weigh(number, value)

    def _weigh(self, number: int, value: float) -> None:
        values = self._values[number]
        inside = all(contains(self._dimensions[name], held) for name, held in values.items())
        if inside and better(self._space.mode, value, None if self._best is None else self._best[0]):
            self._best = (value, values)

    def curve(self, number: int) -> dict[int, float]:
        """Return what an open trial reported, by epoch."""
        return self._frozen(number).intermediate_values

    def complete(self, number: int) -> Outcome:
        """Close a trial that came to its end; its value is its best epoch."""
        curve = self.curve(number)
        best_epoch = best_of(curve, self._space.mode)
        assert best_epoch is not None
        self.note(number, best_epoch=best_epoch)
        return self._told(number, TrialState.COMPLETE, curve[best_epoch])

    def prune(self, number: int) -> Outcome:
        """Close a trial that the scheduler stopped; Optuna takes its curve."""
        self.note(number, best_epoch=best_of(self.curve(number), self._space.mode))
        return self._told(number, TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> Outcome:
        """Close a trial that failed."""
        self.note(number, reason=reason)
        return self._told(number, TrialState.FAIL)

    def suspend(self) -> None:
        """Leave what is open WAITING, with its curve: the search ends before it does."""
        for trial_id in self._open.values():
            self._storage.set_trial_state_values(trial_id, TrialState.WAITING)
        self._open.clear()

    @property
    def outcomes(self) -> list[Outcome]:
        """Every trial so far, in the order of their numbers."""
        return [outcome_of(trial, self._space.mode) for trial in self._study.get_trials(deepcopy=False)]

    def _opened(self, number: int, trial_id: int, values: Mapping[str, Value]) -> tuple[int, dict[str, Value]]:
        self._open[number] = trial_id
        self._values[number] = dict(values)
        self.note(number, seed=self._space.settings.seed, constants=dict(values))
        return number, dict(values)

    def _baseline_labels(self) -> dict[str, Any]:
        """Return the hardcoded values that lie in their range, as Optuna knows them."""
        return {
            name: to_label(self._dimensions[name], value)
            for name, value in self._hardcoded.items()
            if contains(self._dimensions[name], value)
        }

    def _values_of(self, params: Mapping[str, Any]) -> dict[str, Value]:
        return {name: from_label(self._dimensions[name], params[name]) for name in self._dimensions}

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
        return self.n_trials >= N_STARTUP_TRIALS and self._rng.random() < SHARE

    def _frozen(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._open[number])

    def _told(self, number: int, state: TrialState, value: float | None = None) -> Outcome:
        self._study.tell(number, value, state=state)
        del self._open[number]
        trials = self._study.get_trials(deepcopy=False)
        return outcome_of(trials[number], self._space.mode)

    @property
    def _storage(self) -> BaseStorage:
        return self._study._storage


def create_ledger(paths: ExperimentPaths, space: Space, promoted: Sequence[Promoted]) -> Ledger:
    """Return a new ledger in an experiment's folder."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(paths.journal))),
        study_name=paths.name,
        direction=DIRECTIONS[space.mode],
        sampler=_sampler(space, promoted, n_trials=0),
    )
    study.set_user_attr("format", FORMAT)
    study.set_user_attr("folder", str(Path.cwd()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([space.metric])  # optuna-dashboard shows it
    return Ledger(study, space, promoted)


def open_ledger(paths: ExperimentPaths, space: Space, promoted: Sequence[Promoted]) -> Ledger:
    """Return the ledger of an experiment, to go on with it; the caller holds the experiment's lock.

    Raises ExperimentError where it was written in a format that we do not know.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(paths.journal))))
    check_format(study.user_attrs.get("format"), paths)
    trials = study.get_trials(deepcopy=False)
    study.sampler = _sampler(space, promoted, n_trials=len(trials))
    history = reports(paths.journal, {trial._trial_id: trial.number for trial in trials})
    return Ledger(study, space, promoted, history)


def _sampler(space: Space, promoted: Sequence[Promoted], n_trials: int) -> BaseSampler:
    """Return the sampler; one that goes on draws other numbers than those it drew at the start."""
    settings = space.settings
    seed, arguments = settings.seed, dict(settings.sampler_args)
    if n_trials and settings.sampler not in ("qmc", "grid"):  # these two keep their place in the study
        arguments.pop("seed", None)
        seed = random.Random(f"{seed} {n_trials}").randrange(MAX_SEED)  # noqa: S311 - no secret
    return build_sampler(settings.sampler, arguments, {item.key: item.dimension for item in promoted}, seed)
