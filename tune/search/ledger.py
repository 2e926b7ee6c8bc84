"""The ledger: an Optuna study in a journal file, the only truth about trials. One process writes it."""

import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState, create_trial

from tune.paths import ExperimentPaths
from tune.promotion.resolve import Promoted
from tune.search.memory import DIRECTIONS, FINISHED
from tune.search.searcher import Draw, Searcher
from tune.space.dimensions import Value
from tune.space.space import Space
from tune.trial.outcome import Outcome, outcome_of
from tune.trial.score import best_of

FORMAT = 1
"""Of what we write into the study beside Optuna's own; a reader refuses a number that it does not know."""


class Ledger:
    """Asks for configurations, and writes down what became of them."""

    def __init__(self, study: optuna.Study, space: Space, promoted: Sequence[Promoted]) -> None:
        self._study = study
        self._space = space
        self._searcher = Searcher(space, promoted)
        self._open: dict[int, Trial] = {}
        self._configurations: dict[int, str] = {}  # of the open trials
        self._finished: dict[str, Outcome] = {}  # the first of each configuration

    def ask_baseline(self) -> tuple[int, dict[str, Value]]:
        """Open trial 0: the hardcoded values; one that only the program knows is left as it is."""
        return self._opened(self._searcher.baseline())

    def ask(self) -> tuple[int, dict[str, Value]]:
        """Open a trial; return its number and its values. A constant that is left out keeps its hardcoded value."""
        return self._opened(self._searcher.draw())

    def learn(self, experiment: str, trials: Sequence[Outcome]) -> None:
        """Know the trials of another experiment: noted beside ours, not among them, so that no reader counts them."""
        known = [{"values": each.values, "state": each.state, "curve": list(each.curve.items())} for each in trials]
        self._study.set_user_attr("knowledge", {"experiment": experiment, "trials": known})
        for each in trials:
            curve = {epoch: (value,) for epoch, value in each.curve.items()}
            ended = None if each.state == "pruned" or each.score is None else (each.score,)
            self._searcher.learn(each.values, TrialState[each.state.upper()], curve, ended)

    def repeat(self, number: int) -> Outcome | None:
        """Close a new trial with what an earlier one of its configuration was worth; None where there is none.

        A trial depends on its constants alone: all have one seed.
        """
        earlier = self._finished.get(self._configurations[number])
        if earlier is None or self._space.settings.repeats:
            return None
        self.note(number, repeat_of=earlier.number, version=earlier.version)
        for epoch, value in earlier.curve.items():
            self.report(number, epoch, value)
        return self.prune(number) if earlier.state == "pruned" else self.complete(number)

    @property
    def exhausted(self) -> bool:
        """Whether every point of a grid was asked for."""
        return self._searcher.exhausted

    def note(self, number: int, **attributes: Any) -> None:
        """Write attributes of an open trial."""
        for name, value in attributes.items():
            self._open[number].set_user_attr(name, value)

    def report(self, number: int, epoch: int, value: float) -> None:
        """Write one epoch of a trial's curve."""
        self._open[number].report(value, epoch)
        self._searcher.reported(number, value)

    def curve(self, number: int) -> dict[int, float]:
        """Return what an open trial reported, by epoch."""
        return self._curve_of(self._open[number])

    def complete(self, number: int) -> Outcome:
        """Close a trial that came to its end; its value is its best epoch."""
        curve = self.curve(number)
        best_epoch = best_of(curve, self._space.mode)
        assert best_epoch is not None
        self.note(number, best_epoch=best_epoch)
        return self._close(number, TrialState.COMPLETE, curve[best_epoch])

    def prune(self, number: int) -> Outcome:
        """Close a trial that the scheduler stopped; Optuna takes its curve."""
        self.note(number, best_epoch=best_of(self.curve(number), self._space.mode))
        return self._close(number, TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> Outcome:
        """Close a trial that failed."""
        self.note(number, reason=reason)
        return self._close(number, TrialState.FAIL)

    def suspend(self) -> None:
        """Leave what is open WAITING, with its curve: the search ends before it does."""
        for trial in self._open.values():
            self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)  # noqa: SLF001
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
        trial_id = self._storage.create_new_trial(self._study._study_id, template)  # noqa: SLF001
        trial = Trial(self._study, trial_id)
        self._open[trial.number] = trial
        self._configurations[trial.number] = repr(draw.values)
        self._searcher.opened(trial.number, draw)
        return trial.number, dict(draw.values)

    def _close(self, number: int, state: TrialState, value: float | None = None) -> Outcome:
        curve = self.curve(number)
        told = self._study.tell(self._open.pop(number), value, state=state)
        values = None if value is None else [value]
        self._searcher.closed(number, state, {epoch: (each,) for epoch, each in curve.items()}, values)
        outcome = outcome_of(told, self._space.mode)
        configuration = self._configurations.pop(number)
        if state in FINISHED:
            self._finished.setdefault(configuration, outcome)
        return outcome

    def _curve_of(self, trial: Trial) -> dict[int, float]:
        return self._storage.get_trial(trial._trial_id).intermediate_values  # noqa: SLF001

    @property
    def _storage(self) -> BaseStorage:
        return self._study._storage  # noqa: SLF001 - Optuna has no public word for WAITING


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([space.metric])  # optuna-dashboard shows it
    return Ledger(study, space, promoted)
