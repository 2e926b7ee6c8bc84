"""What the sampler sees: an in-memory study of the best and the newest trials, so that the cost of asking stays flat.

TPE's ask grows with its trials (8, 37, 266 ms at 100, 1,000, 10,000 of 5 constants), a GP's with their cube. The ledger
holds every trial; this holds some hundreds, and is built anew whenever it has doubled. The best configurations so far,
near which the default search looks further, stand beside it.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from tune.experiment.trial_result import Mode, dominates, is_improvement
from tune.internals.optuna_internals import FINISHED
from tune.space.dimensions import Dimension, Value, could_draw
from tune.space.space import Space

N_HELD = 400
N_BEST = 25
"""Of those held: the best of all trials. The others are the newest."""

DIRECTIONS: dict[Mode, Literal["minimize", "maximize"]] = {"min": "minimize", "max": "maximize"}

Curve = Mapping[int, Sequence[float]]
"""The metrics by epoch."""

GENERATION, OPTIMIZER = ":generation", ":optimizer:"
"""In the names of what CMA-ES notes with a trial: to which generation it belongs; and its own state, a pickle."""

MARKS = (GENERATION, "x_for_tell")
"""What the ledger holds of that. The state is no part of it: it is found again from the generations' trials."""


class TrialWindow:
    """A study that no file holds. Numbers are those of the ledger; the study's own change."""

    def __init__(self, sampler: BaseSampler, modes: Sequence[Mode], *, takes_pruned: bool) -> None:
        self._sampler = sampler
        self._modes = modes
        self._takes_pruned = takes_pruned and len(modes) == 1
        self._open: dict[int, int] = {}  # numbers in the study by those in the ledger
        self._generation = 0  # of CMA-ES, that of the newest trial that was learnt
        self._study = self._new_study()

    def ask_trial(self, fixed: Mapping[str, Any]) -> Trial:
        """Open a trial; what is ``fixed`` is not drawn."""
        if fixed:
            self._study.enqueue_trial(dict(fixed))
        return self._study.ask()

    def read_sampler_attrs(self, trial: Trial) -> dict[str, Any]:
        """Return what the sampler noted with an open trial, and has to find there when the search goes on."""
        noted = self._study._storage.get_trial_system_attrs(trial._trial_id)  # noqa: SLF001
        return {name: value for name, value in noted.items() if name.endswith(MARKS)}

    def write_sampler_attrs(self, trial: Trial, marks: Mapping[str, Any]) -> None:
        """Give an open trial what an earlier driver's sampler noted with it."""
        for name, value in marks.items():
            self._study._storage.set_trial_system_attr(trial._trial_id, name, value)  # noqa: SLF001

    def discard_trial(self, trial: Trial | int) -> None:
        """Forget a trial that nobody will run, given itself or by its number in the study."""
        self._study.tell(trial if isinstance(trial, int) else trial.number, state=TrialState.FAIL)
        self._trim_study()

    def forget_trial(self, number: int) -> None:
        """Forget a trial that has a number in the ledger, and that nobody will run."""
        self.discard_trial(self._open.pop(number))

    def register_trial(self, number: int, trial: Trial) -> None:
        """Hear which number a trial has in the ledger."""
        self._open[number] = trial.number

    def tell_trial(self, number: int, state: TrialState, curve: Curve, values: Sequence[float] | None) -> None:
        """Hear how a trial ended; ``values`` are those of a complete one."""
        place = self._open.pop(number)
        if state is TrialState.PRUNED and self._takes_pruned:
            trial_id = self._study.get_trials(deepcopy=False)[place]._trial_id  # noqa: SLF001
            for epoch, (value, *_) in curve.items():
                self._study._storage.set_trial_intermediate_value(trial_id, epoch, value)  # noqa: SLF001
        state, told = self._state_to_tell(state, curve, values)
        self._study.tell(place, told, state=state)
        self._trim_study()

    def add_finished_trial(
        self,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        state: TrialState,
        curve: Curve,
        values: Sequence[float] | None,
        marks: Mapping[str, Any] | None = None,
    ) -> None:
        """Take a trial that ended elsewhere, or earlier: then with the ``marks`` that it had."""
        if not curve and state is not TrialState.FAIL:
            return
        keeps_pruned = state is TrialState.PRUNED and self._takes_pruned
        state, told = self._state_to_tell(state, curve, values)
        noted = dict(marks or {})
        if state is TrialState.COMPLETE:
            noted |= self._read_cmaes_state(noted)
        trial = create_trial(
            state=state,
            values=[list(curve.values())[-1][0]] if keeps_pruned else told,
            params=dict(params),
            distributions=dict(distributions),
            intermediate_values={epoch: each[0] for epoch, each in curve.items()} if keeps_pruned else None,
            system_attrs=noted,
        )
        self._study.add_trial(trial)
        self._trim_study()

    def _read_cmaes_state(self, marks: Mapping[str, Any]) -> dict[str, Any]:
        """Return the state of CMA-ES at the first trial of a generation: all of the last one is known by now."""
        generation = next((value for name, value in marks.items() if name.endswith(GENERATION)), 0)
        if generation <= self._generation:
            return {}
        self._generation = generation
        trial = self._study.ask()
        _ = trial.relative_params  # Optuna's sampler follows the last generation here, and leaves its state there
        noted = self._study._storage.get_trial_system_attrs(trial._trial_id)  # noqa: SLF001
        self._study.tell(trial.number, state=TrialState.FAIL)
        return {name: value for name, value in noted.items() if OPTIMIZER in name}

    def __len__(self) -> int:
        """Return how many trials it holds now."""
        return len(self._study.get_trials(deepcopy=False))

    def _state_to_tell(
        self, state: TrialState, curve: Curve, values: Sequence[float] | None
    ) -> tuple[TrialState, list[float] | None]:
        """Return what the sampler is told: one that ignores pruned trials hears of them as complete, by their last.

        Optuna's samplers forget trials that failed, and then take the part of the space where all of them fail for
        unexplored: TPE drew seven of ten trials there. So these count as the worst, whichever way a sampler knows that.
        """
        if state is TrialState.COMPLETE:
            assert values is not None
            return state, list(values)
        if state is TrialState.FAIL:
            return (TrialState.PRUNED, None) if self._takes_pruned else self._worst_result()
        if state is TrialState.PRUNED and not self._takes_pruned:
            last = list(curve.values())[-1]
            return (TrialState.COMPLETE, list(last)) if all(map(math.isfinite, last)) else (TrialState.FAIL, None)
        return state, None

    def _worst_result(self) -> tuple[TrialState, list[float] | None]:
        """Return a trial that is in each metric as bad as the worst so far; a failed one where there is none."""
        trials = self._study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if not trials:
            return TrialState.FAIL, None
        told = zip(*(trial.values for trial in trials), strict=True)
        worst = [max(each) if mode == "min" else min(each) for each, mode in zip(told, self._modes, strict=True)]
        return TrialState.COMPLETE, worst

    def _new_study(self) -> optuna.Study:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.create_study(directions=[DIRECTIONS[mode] for mode in self._modes], sampler=self._sampler)

    def _trim_study(self) -> None:
        """Once it has doubled, keep the best and the newest; and what runs."""
        trials = self._study.get_trials(deepcopy=False)
        if len(trials) < 2 * N_HELD:
            return
        finished = [trial for trial in trials if trial.state in FINISHED]
        best = sorted(finished, key=self._trial_sort_key)[:N_BEST]
        newest = finished[-(N_HELD - N_BEST) :]
        kept = {trial.number: trial for trial in (*best, *newest)}
        before, self._study = self._study, self._new_study()
        for name, value in before._storage.get_study_system_attrs(before._study_id).items():  # noqa: SLF001
            self._study._storage.set_study_system_attr(self._study._study_id, name, value)  # noqa: SLF001 - QMC's place
        self._study.add_trials(kept[number] for number in sorted(kept))
        for number, place in self._open.items():
            self._study.add_trial(trials[place])
            self._open[number] = len(self) - 1

    def _trial_sort_key(self, trial: FrozenTrial) -> tuple[bool, int, float]:
        """Complete trials first, then those that came far, then by value: of several metrics the first."""
        sign = -1.0 if self._modes[0] == "max" else 1.0
        value = (trial.values or [0.0])[0]
        return trial.state is not TrialState.COMPLETE, -(trial.last_step or 0), sign * value


Best = tuple[float, dict[str, Value]]
"""The leading metric, and the configuration that it was measured of."""


class BestConfigs:
    """Those of one search, among the configurations that are inside their ranges."""

    def __init__(self, space: Space, dimensions: Mapping[str, Dimension]) -> None:
        self._space = space
        self._dimensions = dimensions
        self._best: Best | None = None  # by the leading metric, of the trials that ended without a failure
        self._leads: dict[int, Best] = {}  # the best epoch of each that runs: it may fail yet
        self.front: list[tuple[Sequence[float], dict[str, Value]]] = []
        """Of several metrics, the Pareto front."""

    def find_best(self) -> Best | None:
        """Return the best of all trials, those that run too."""
        best = self._best
        for number in sorted(self._leads):
            best = self._choose_better(best, *self._leads[number])
        return best

    def record_value(self, number: int, value: float, values: Mapping[str, Value]) -> None:
        """Hear of an epoch of a trial that runs, with its configuration."""
        best = self._choose_better(self._leads.get(number), value, values)
        if best is not None:
            self._leads[number] = best

    def end_trial(self, number: int, *, has_failed: bool) -> None:
        """Hear that a trial ended: one that has failed is not the best."""
        lead = self._leads.pop(number, None)
        if lead is not None and not has_failed:
            self._best = self._choose_better(self._best, *lead)

    def add_value(self, value: float, values: Mapping[str, Value]) -> None:
        """Hear of an epoch of a trial that ended without a failure, with its configuration."""
        self._best = self._choose_better(self._best, value, values)

    def update_front(self, scores: Sequence[float], values: Mapping[str, Value]) -> None:
        """Of several metrics, keep what no other configuration beats."""
        modes = [each.mode for each in self._space.objectives]
        inside = all(could_draw(self._dimensions[name], held) for name, held in values.items())
        if len(modes) == 1 or not inside or any(dominates(held, scores, modes) for held, _ in self.front):
            return
        self.front = [each for each in self.front if not dominates(scores, each[0], modes)]
        self.front.append((tuple(scores), dict(values)))

    def _choose_better(self, best: Best | None, value: float, values: Mapping[str, Value]) -> Best | None:
        """Return the best so far, or a configuration inside its ranges that beats it."""
        inside = all(could_draw(self._dimensions[name], held) for name, held in values.items())
        beats = inside and is_improvement(self._space.mode, value, None if best is None else best[0])
        return (value, dict(values)) if beats else best
