"""The ledger: an Optuna study in a journal file, the only truth about trials. One process writes it."""

# ruff: noqa: SLF001 - Optuna has no public word for WAITING, nor for going on with a trial

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from tune.paths import ExperimentPaths
from tune.promotion.resolve import Promoted
from tune.search.journal import Reported, reports
from tune.search.memory import DIRECTIONS, FINISHED
from tune.search.searcher import Draw, Searcher
from tune.space.dimensions import Value
from tune.space.space import Space
from tune.trial.outcome import FORMAT, Outcome, check_format, outcome_of
from tune.trial.score import best_of

BASELINE = 0
"""The number of the trial that holds the hardcoded values."""

KNOWLEDGE = "knowledge"
"""The study's attribute that holds what was known from the start."""

REPEAT = "repeat_of"
"""The attribute of a trial that was not trained: the number of the one whose configuration it has."""


class Ledger:
    """Writes down the configurations that are drawn, and what became of them."""

    def __init__(
        self, study: optuna.Study, space: Space, promoted: Sequence[Promoted], history: Sequence[Reported] = ()
    ) -> None:
        self._study = study
        self._space = space
        self._open: dict[int, int] = {}  # the ids of trials, by number
        self._finished: dict[str, Outcome] = {}  # the first trial of each configuration
        self.history = history
        """Every report of earlier drivers from a trial that was trained, in the order in which they came."""
        self._searcher = Searcher(space, promoted, n_past=self.n_trials)
        if KNOWLEDGE in study.user_attrs:
            self._know(study.user_attrs[KNOWLEDGE]["trials"])
        past = study.get_trials(deepcopy=False)
        self._values = self._searcher.recall(past)  # of every trial; the journal makes lists of tuples
        for trial in past:
            self._note_finished(trial)

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
        return [trial.number for trial in unfinished]

    def learn(self, experiment: str, trials: Sequence[Outcome]) -> None:
        """Know the trials of another experiment: noted beside ours, not among them, so that no reader counts them."""
        known = [
            {
                "params": self._searcher.labels(each.values),
                "state": each.state.upper(),
                "curve": list(each.curve.items()),
                "score": each.score,
            }
            for each in trials
        ]
        self._study.set_user_attr(KNOWLEDGE, {"experiment": experiment, "trials": known})
        self._know(known)

    def _know(self, trials: Sequence[Mapping[str, Any]]) -> None:
        for each in trials:
            state = TrialState[each["state"]]
            values = [each["score"]] if state is TrialState.COMPLETE else None
            curve = {epoch: (value,) for epoch, value in each["curve"]}
            self._searcher.learn(self._searcher.values(each["params"]), state, curve, values)

    def ask_baseline(self) -> tuple[int, dict[str, Value]]:
        """Open trial 0: the hardcoded values; one that only the program knows is left as it is."""
        return self._opened(self._searcher.baseline())

    def ask(self) -> tuple[int, dict[str, Value]]:
        """Open a trial; return its number and its values. A constant that is left out keeps its hardcoded value."""
        return self._opened(self._searcher.draw())

    def repeat(self, number: int, *, begun: bool = False) -> Outcome | None:
        """Close a new trial with what an earlier one of its configuration was worth; None where there is none.

        A trial depends on its constants alone: all have one seed. With ``begun`` only what an earlier driver had begun
        to repeat is.
        """
        noted = self.noted(number)
        earlier = self._finished.get(repr(self._values[number]))
        if earlier is None or (REPEAT not in noted if begun else self._space.settings.repeats):
            return None
        self.note(number, **{REPEAT: earlier.number, "version": earlier.version})
        for epoch, value in earlier.curve.items():
            if epoch not in self.curve(number):
                self.report(number, epoch, value)
        return self.prune(number) if earlier.state == "pruned" else self.complete(number)

    @property
    def exhausted(self) -> bool:
        """Whether every point of a grid was asked for."""
        return self._searcher.exhausted

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
        self._searcher.reported(number, value)

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

    def _opened(self, draw: Draw) -> tuple[int, dict[str, Value]]:
        """Write a trial that starts now: it enters the ledger whole, in one record."""
        template = create_trial(
            state=TrialState.RUNNING,
            params=draw.params,
            distributions={name: self._searcher.distributions[name] for name in draw.params},
            user_attrs={"constants": draw.values, "seed": self._space.settings.seed},
        )
        trial_id = self._storage.create_new_trial(self._study._study_id, template)
        number = self._storage.get_trial(trial_id).number
        self._open[number] = trial_id
        self._values[number] = draw.values
        self._searcher.opened(number, draw)
        return number, dict(draw.values)

    def _frozen(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._open[number])

    def _told(self, number: int, state: TrialState, value: float | None = None) -> Outcome:
        self._study.tell(number, value, state=state)
        del self._open[number]
        trial = self._study.get_trials(deepcopy=False)[number]
        curve = {epoch: (each,) for epoch, each in trial.intermediate_values.items()}
        self._searcher.closed(number, state, curve, None if value is None else [value])
        self._note_finished(trial)
        return outcome_of(trial, self._space.mode)

    def _note_finished(self, trial: FrozenTrial) -> None:
        if trial.state in FINISHED and REPEAT not in trial.user_attrs:
            self._finished.setdefault(repr(self._values[trial.number]), outcome_of(trial, self._space.mode))

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
        sampler=optuna.samplers.RandomSampler(),  # draws nothing: the searcher does
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
    trained = {trial._trial_id: trial.number for trial in trials if REPEAT not in trial.user_attrs}
    history = reports(paths.journal, trained)
    return Ledger(study, space, promoted, history)
