"""Which configuration comes next: the hardcoded values, points of a grid, the sampler's draws, the best perturbed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from tune.errors import SearchError
from tune.experiment.proposal_note import PROPOSED
from tune.experiment.trial_result import read_metric_values
from tune.promotion.checks.space_checks import N_DRAWS
from tune.promotion.resolve import PromotedConstant, hardcoded_values
from tune.search.samplers.optuna_samplers import N_STARTUP_TRIALS, build_sampler, grid_points
from tune.search.samplers.optuna_values import distribution_of, from_label, to_label, widen_dimension
from tune.search.samplers.perturb import SHARE, perturb_config
from tune.search.samplers.trial_window import BestConfigs, Curve, TrialWindow
from tune.space.conditions import draw_config, in_order, is_active, only_active, restore_value
from tune.space.dimensions import Value, could_draw
from tune.space.search_methods import SAMPLERS
from tune.space.settings import MAX_SEED
from tune.space.space import Space

N_ASKED_AGAIN = 20
"""So often the sampler is asked again when the space's requirements refuse its draw; then a neighbour is looked for.

One that learns nothing from a refusal, as a GP, would offer the same point for ever.
"""

N_NEAR = 100
"""So many perturbations are tried: one that moves nothing would only be the best trial once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedConfig:
    """A configuration that was drawn."""

    values: dict[str, Value]
    """Of the constants that vary in it, in the space's order; the others keep their hardcoded values."""
    params: dict[str, Any]
    """The same as Optuna knows them; without those outside their range, which only the baseline may have."""
    trial: Trial | None
    """In the searcher's memory; None: the sampler does not hear of it."""
    marks: dict[str, Any]
    """What the sampler noted with it, and wants to know again when the search goes on."""


class Searcher:
    """Draws configurations, and hears what became of them. The ledger writes both down."""

    def __init__(self, space: Space, promoted: Sequence[PromotedConstant], *, n_past: int = 0) -> None:
        settings = space.settings
        self._space = space
        self._dimensions = {item.key: item.dimension for item in promoted}
        self._order = in_order(self._dimensions, space.conditions)
        self.distributions: dict[str, BaseDistribution] = {
            name: distribution_of(dimension) for name, dimension in self._dimensions.items()
        }
        self._hardcoded = hardcoded_values(promoted)
        self._baseline = only_active(self._hardcoded, space.conditions)
        self._memory = TrialWindow(
            self._create_sampler(n_past),
            [each.mode for each in space.objectives],
            takes_pruned=SAMPLERS[settings.sampler].learns_from_pruned,
        )
        self._rng = random.Random(f"{settings.seed} {n_past}")  # noqa: S311 - no secret
        self._values: dict[int, dict[str, Value]] = {}  # of the trials that run
        self._unseen: set[int] = set()  # of those, the ones that the sampler does not hear of
        self._known: set[str] = set()  # configurations of another experiment
        self._n_trials = 0
        self._best = BestConfigs(space, self._dimensions)
        self._grid = self._list_grid_points() if settings.sampler == "grid" else None

    @property
    def is_exhausted(self) -> bool:
        """Whether every point of a grid was drawn."""
        return self._grid is not None and not self._grid

    @property
    def best_values(self) -> dict[str, Value] | None:
        """The best configuration inside its ranges, also of trials that run; None where none has a score."""
        best = self._best.find_best()
        return None if best is None else dict(best[1])

    def suggest_baseline(self) -> SuggestedConfig:
        """Return the hardcoded values that are known; one outside its range is no observation for the sampler."""
        return self._fix_config(self._baseline, self.to_labels(self._baseline), self.distributions)

    def fix_config(self, values: Mapping[str, Value]) -> SuggestedConfig:
        """Return a configuration that somebody proposes; the ledger knows the values inside of their ranges."""
        inside = self.to_labels(values)
        told, distributions = self._widen_ranges(values)
        if told is None:
            return SuggestedConfig(values=dict(values), params=inside, trial=None, marks={})
        return replace(self._fix_config(values, told, distributions), params=inside)

    def complete_config(self, values: Mapping[str, Value]) -> SuggestedConfig | None:
        """Return a configuration with these values, all inside of their ranges; None where no allowed one is drawn."""
        labels = self.to_labels(values)
        for _ in range(N_ASKED_AGAIN):
            drawn = self._sample_config(labels)
            if self.is_allowed(drawn.values):
                return drawn
            self._discard(drawn)
        return None

    def explain_unlearnt(self, values: Mapping[str, Value]) -> str | None:
        """Return why the sampler learns nothing, or not all, of a configuration; None where it does."""
        name = self._space.settings.sampler
        if name in ("random", "qmc", "grid"):
            return f"{name} learns from no trial"
        if name == "cmaes":
            return "cmaes learns from the trials that it draws"
        outside = [key for key, value in values.items() if not could_draw(self._dimensions[key], value)]
        if not outside:
            return None
        if not self._knows_other_ranges:
            return f"{name} learns from trials inside of the ranges alone"
        deaf = [key for key in outside if widen_dimension(self._dimensions[key], values[key]) is None]
        return f"{name} learns nothing about {' and '.join(deaf)} from it" if deaf else None

    @property
    def _knows_other_ranges(self) -> bool:
        """Whether the sampler takes each constant for itself: others forget a constant whose ranges differ."""
        settings = self._space.settings
        return settings.sampler == "tpe" and not settings.sampler_args.get("multivariate")

    def _widen_ranges(self, values: Mapping[str, Value]) -> tuple[dict[str, Any] | None, dict[str, BaseDistribution]]:
        """Return what the sampler is told of a configuration, with ranges that hold it; None: nothing.

        Samplers that model all constants together leave out one whose range is not the same in all trials.
        """
        told, distributions = self.to_labels(values), dict(self.distributions)
        if len(told) < len(values) and not self._knows_other_ranges:
            return None, distributions
        for name in values.keys() - told.keys():
            if (wider := widen_dimension(self._dimensions[name], values[name])) is not None:
                told[name], distributions[name] = values[name], distribution_of(wider)
        return told, distributions

    def _fix_config(
        self, values: Mapping[str, Value], labels: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
    ) -> SuggestedConfig:
        trial = self._memory.ask_trial(labels)
        for name in labels:
            trial._suggest(name, distributions[name])  # noqa: SLF001 - as `Study.ask` does
        marks = self._memory.read_sampler_attrs(trial)
        return SuggestedConfig(values=dict(values), params=trial.params, trial=trial, marks=marks)

    def suggest_config(self) -> SuggestedConfig:
        """Return the next configuration."""
        if self._grid is not None:
            return self._sample_config(self._grid.pop())
        best = self._best.find_best()
        if best is not None and self._may_perturb():
            several = len(self._space.objectives) > 1 and self._best.front
            near = self._rng.choice(self._best.front)[1] if several else best[1]
            return self._sample_config(self.to_labels(self._find_neighbour(near)))
        drawn = self._suggest_new()
        for _ in range(N_ASKED_AGAIN):
            if self.is_allowed(drawn.values):
                return drawn
            self._discard(drawn)
            drawn = self._suggest_new()
        if self.is_allowed(drawn.values):
            return drawn
        self._discard(drawn)
        return self._sample_config(self.to_labels(self._find_neighbour(drawn.values)))

    def _discard(self, drawn: SuggestedConfig) -> None:
        if drawn.trial is not None:
            self._memory.discard_trial(drawn.trial)

    def register_trial(self, number: int, draw: SuggestedConfig) -> None:
        """Hear which number a configuration has in the ledger."""
        self._n_trials += 1
        self._values[number] = draw.values
        if draw.trial is None:
            self._unseen.add(number)
        else:
            self._memory.register_trial(number, draw.trial)

    def forget_trial(self, number: int) -> None:
        """Hear that a trial will never begin: nothing is learnt from it."""
        del self._values[number]
        if number in self._unseen:
            self._unseen.discard(number)
        else:
            self._memory.forget_trial(number)

    def record_value(self, number: int, value: float) -> None:
        """Hear of an epoch."""
        self._best.record_value(number, value, self._values[number])

    def tell_trial(self, number: int, state: TrialState, curve: Curve, values: Sequence[float] | None) -> None:
        """Hear how a trial ended; ``values`` are the metrics of a complete one."""
        config = self._values.pop(number)
        self._best.end_trial(number, has_failed=state is TrialState.FAIL)
        if values is not None:
            self._best.update_front(values, config)
        if number in self._unseen:
            self._unseen.discard(number)
        else:
            self._memory.tell_trial(number, state, curve, values)

    def add_prior_trial(
        self, params: Mapping[str, Any], state: TrialState, curve: Curve, ended: Sequence[float] | None
    ) -> None:
        """Take a trial of another experiment."""
        values = self.from_labels(params)
        self._known.add(repr(values))
        self.add_finished_trial(values, state, curve, ended)

    def add_finished_trial(
        self,
        values: Mapping[str, Value],
        state: TrialState,
        curve: Curve,
        ended: Sequence[float] | None,
        marks: Mapping[str, Any] | None = None,
        *,
        proposed: bool = False,
    ) -> None:
        """Take a trial that ended elsewhere, or earlier; ``ended`` are the metrics of a complete one.

        One that was ``proposed`` may have values outside of their ranges.
        """
        self._n_trials += 1
        labels, wider = self._widen_ranges(values) if proposed else (self.to_labels(values), self.distributions)
        if labels is not None:
            distributions = {name: wider[name] for name in labels}
            self._memory.add_finished_trial(labels, distributions, state, curve, ended, marks)
        if state is not TrialState.FAIL:
            for epoch in curve.values():
                self._best.add_value(epoch[0], values)
        if ended is not None:
            self._best.update_front(ended, values)

    def restore_trials(self, trials: Sequence[FrozenTrial]) -> dict[int, dict[str, Value]]:
        """Know the trials of earlier drivers, those that did not end as running; return the values of each."""
        values = {trial.number: self._restore_values(trial) for trial in trials}
        for trial in trials:
            curve = read_metric_values(trial)
            held, proposed = values[trial.number], PROPOSED in trial.user_attrs
            if trial.state.is_finished():
                self.add_finished_trial(held, trial.state, curve, trial.values, trial.system_attrs, proposed=proposed)
                continue
            again = self._suggest_again(trial, held)
            if again.trial is not None:
                self._memory.write_sampler_attrs(again.trial, trial.system_attrs)
            self.register_trial(trial.number, replace(again, values=held))
            for value in trial.intermediate_values.values():
                self.record_value(trial.number, value)
        self._advance_sampler(trials)
        return values

    def _restore_values(self, trial: FrozenTrial) -> dict[str, Value]:
        """Return the values of a trial; of one that was proposed Optuna knows those inside of their ranges alone."""
        if trial.number == 0:
            return self._baseline
        held = trial.user_attrs.get("constants")
        if PROPOSED not in trial.user_attrs or not isinstance(held, dict):
            return self.from_labels(trial.params)
        return {name: restore_value(each, held[name]) for name, each in self._dimensions.items() if name in held}

    def _suggest_again(self, trial: FrozenTrial, values: Mapping[str, Value]) -> SuggestedConfig:
        if trial.number == 0:
            return self.suggest_baseline()
        return self.fix_config(values) if PROPOSED in trial.user_attrs else self._sample_config(trial.params)

    def _advance_sampler(self, trials: Sequence[FrozenTrial]) -> None:
        """Go to the place where an earlier driver was: in a grid, or in a sequence of QMC's."""
        if self._grid is not None:
            asked = {repr(sorted(trial.params.items())) for trial in trials}
            self._grid = [point for point in self._grid if repr(sorted(point.items())) not in asked]
        if self._space.settings.sampler == "qmc":
            for _ in [trial for trial in trials[1:] if PROPOSED not in trial.user_attrs]:
                self._discard(self.suggest_config())

    def to_labels(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Return as Optuna knows them the values that are inside their ranges."""
        return {
            name: to_label(self._dimensions[name], value)
            for name, value in values.items()
            if could_draw(self._dimensions[name], value)
        }

    def from_labels(self, params: Mapping[str, Any]) -> dict[str, Value]:
        """Return, in the space's order, the values that Optuna's parameters stand for."""
        return {name: from_label(self._dimensions[name], params[name]) for name in self._dimensions if name in params}

    def _create_sampler(self, n_past: int) -> BaseSampler:
        """Return the sampler; one that goes on draws other numbers than those it drew at the start."""
        settings = self._space.settings
        seed, arguments = settings.seed, dict(settings.sampler_args)
        if n_past and settings.sampler not in ("qmc", "grid"):  # these two go on from their place
            arguments.pop("seed", None)
            seed = random.Random(f"{seed} {n_past}").randrange(MAX_SEED)  # noqa: S311 - no secret
        return build_sampler(settings.sampler, arguments, seed)

    def _suggest_new(self) -> SuggestedConfig:
        """Draw; a sequence of QMC's begins with what another experiment of that sampler had."""
        drawn = self._sample_config({})
        if self._space.settings.sampler == "qmc":
            for _ in self._known:
                if repr(drawn.values) not in self._known:
                    break
                self._discard(drawn)
                drawn = self._sample_config({})
        return drawn

    def _sample_config(self, fixed: Mapping[str, Any]) -> SuggestedConfig:
        """Draw what is not fixed, each constant after those that it depends on."""
        trial = self._memory.ask_trial(fixed)
        values: dict[str, Value] = {}
        for name in self._order:
            if is_active(name, self._space.conditions, values):
                values[name] = from_label(self._dimensions[name], self._suggest_value(trial, name))
        in_space_order = {name: values[name] for name in self._dimensions if name in values}
        return SuggestedConfig(
            values=in_space_order, params=trial.params, trial=trial, marks=self._memory.read_sampler_attrs(trial)
        )

    def _suggest_value(self, trial: Trial, name: str) -> Any:
        return trial._suggest(name, self.distributions[name])  # noqa: SLF001 - as `Study.ask` does

    def _list_grid_points(self) -> list[dict[str, Any]]:
        """Return every point but the baseline, the last one first."""
        baseline = self.to_labels(self._baseline)
        points = grid_points(self._dimensions, self._space.conditions, self._space.settings.seed)
        return [point for point in points if point != baseline and self.is_allowed(self.from_labels(point))][::-1]

    def _may_perturb(self) -> bool:
        """After the sampler's start, a share of the default search stays near the best."""
        if self._space.settings.sampler != "tpe":
            return False
        return self._n_trials >= N_STARTUP_TRIALS and self._rng.random() < SHARE

    def _find_neighbour(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return an allowed configuration that differs from ``values``: near them if that can be had."""
        dimensions = {name: self._dimensions[name] for name in values}
        for _ in range(N_NEAR):
            near = self._complete_config(perturb_config(dimensions, values, self._rng))
            if near != values and self.is_allowed(near):
                return near
        for _ in range(100 * N_DRAWS):
            far = draw_config(self._dimensions, self._space.conditions, self._rng)
            if self.is_allowed(far):
                return far
        raise SearchError(
            self._space.place_of_entry("require"),
            "no further configuration meets all of `require`",
            "Loosen a constraint, or widen a range.",
        )

    def _complete_config(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values that count, with random ones for constants that vary only now."""
        return only_active({**draw_config(self._dimensions, {}, self._rng), **values}, self._space.conditions)

    def is_allowed(self, values: Mapping[str, Value]) -> bool:
        """Tell whether a configuration fulfils what the space requires."""
        known = {**self._hardcoded, **values}
        return all(requirement.is_met(known) for requirement in self._space.requirements)
