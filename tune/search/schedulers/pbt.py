"""Population Based Training: the weak take over the weights of the strong, and go on with other constants.

Jaderberg et al., "Population Based Training of Neural Networks", 2017. Every ``perturbation_interval`` epochs the whole
population is compared at one and the same epoch; so one seed gives one search, whatever the machines' speed. Members
take turns where fewer trials run at a time than there are members. Each is compared by its value at the milestone, not
by its best one up to there: the weights of the milestone are taken over.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tune.experiment.trial_result import Mode
from tune.paths import VersionPaths
from tune.search.samplers.perturb import RESAMPLE_PROBABILITY, explore_config
from tune.search.schedulers.scheduler import SchedulerDecision, SchedulerMove, TrialScheduler
from tune.search.study.study import SearchStudy
from tune.space.dimensions import Dimension, Value

PERTURBATION_INTERVAL = 4  # epochs
QUANTILE_FRACTION = 0.25


class PopulationBasedTraining(TrialScheduler):
    """Decides who takes over from whom."""

    def __init__(
        self,
        mode: Mode,
        *,
        seed: int,
        perturbation_interval: int = PERTURBATION_INTERVAL,
        quantile_fraction: float = QUANTILE_FRACTION,
    ) -> None:
        self._sign = 1.0 if mode == "max" else -1.0
        self._seed = seed
        self._interval = perturbation_interval
        self._quantile = quantile_fraction
        self._members: list[int] = []
        self._rewards: dict[int, float] = {}  # of the members that wait at the milestone
        self._milestone = perturbation_interval
        self._sealed = False
        self._moves: list[SchedulerMove] = []

    def on_trial_add(self, trial: int) -> None:
        """Take in a member."""
        self._members.append(trial)

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Take any epoch for a milestone: where the next one is depends on what members did meanwhile."""
        return None

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch."""
        if not math.isfinite(value):
            self.on_trial_end(trial)
            return SchedulerDecision.STOP
        if epoch < self._milestone or trial not in self._members:
            return SchedulerDecision.GO_ON
        self._rewards[trial] = self._sign * value
        self._compare_members()
        mine = next((move for move in self._moves if move.trial == trial and move.donor is None), None)
        if mine is None:
            return SchedulerDecision.PAUSE
        self._moves.remove(mine)
        return SchedulerDecision.GO_ON

    def on_trial_end(self, trial: int, *, failed: bool = False) -> None:
        """Go on without it."""
        if trial in self._members:
            self._members.remove(trial)
            self._rewards.pop(trial, None)
            self._compare_members()

    def mark_no_more_trials(self) -> None:
        """Take the population for whole."""
        self._sealed = True
        self._compare_members()

    def take_moves(self) -> Sequence[SchedulerMove]:
        """Return what became of paused trials since the last call."""
        moves, self._moves = self._moves, []
        return moves

    def _compare_members(self) -> None:
        """Once all wait at the milestone, let each of the worst take over from one of the best."""
        if not (self._sealed and self._members and set(self._members) <= set(self._rewards)):
            return
        ordered = sorted(self._members, key=lambda trial: -self._rewards[trial])  # a tie goes to the lower number
        n_moved = min(math.ceil(len(ordered) * self._quantile), len(ordered) // 2)
        best, worst = ordered[:n_moved], set(ordered[len(ordered) - n_moved :])
        rng = random.Random(f"{self._seed} {self._milestone}")  # noqa: S311 - not for secrets
        self._moves += [
            SchedulerMove(trial=trial, goes_on=True, donor=rng.choice(best) if trial in worst else None)
            for trial in self._members
        ]
        self._rewards = {}
        self._milestone += self._interval


VersionOf = Callable[[int], VersionPaths]

N_TRIES = 100
"""Draws until one fulfils the space's requirements; then the donor's constants stay as they are."""


class PbtExploit:
    """Writes each takeover down before anybody acts on it, so that it happens once, whenever the driver dies."""

    def __init__(
        self,
        ledger: SearchStudy,
        dimensions: Mapping[str, Dimension],
        seed: int,
        resample_probability: float = RESAMPLE_PROBABILITY,
    ) -> None:
        self._ledger = ledger
        self._dimensions = dimensions
        self._seed = seed
        self._resample_probability = resample_probability
        self._kept: dict[Path, int] = {}  # the donors' checkpoints, and their epochs

    def exploit_donor(self, heir: int, donor: int, version_of: VersionOf) -> None:
        """Keep the donor's checkpoint of the heir's last epoch, and give the heir the donor's constants, mutated."""
        epoch = max(self._ledger.read_curve(heir))
        if any(mutation["epoch"] == epoch for mutation in self._ledger.read_mutations(heir)):
            return  # an earlier driver did
        weights = version_of(donor)
        self._delete_older_checkpoints(epoch)
        if not weights.donor_checkpoint(epoch).exists():
            weights.donor_checkpoint(epoch).hardlink_to(weights.last_checkpoint)
        self._kept[weights.donor_checkpoint(epoch)] = epoch
        self._ledger.add_mutation(heir, epoch, donor, self._mutate_values(heir, epoch, self._ledger.get_values(donor)))

    def resume_checkpoint(self, heir: int, version_of: VersionOf) -> Path | None:
        """Return the checkpoint that an heir goes on from; None where it has its own."""
        mutations = self._ledger.read_mutations(heir)
        return version_of(mutations[-1]["donor"]).donor_checkpoint(mutations[-1]["epoch"]) if mutations else None

    def delete_donor_checkpoints(self) -> None:
        """Delete the donors' checkpoints: nobody takes over any more."""
        self._delete_older_checkpoints(math.inf)

    def _delete_older_checkpoints(self, before: float) -> None:
        """Delete those of earlier epochs: the whole population is past them."""
        for path in [path for path, epoch in self._kept.items() if epoch < before]:
            path.unlink(missing_ok=True)
            del self._kept[path]

    def _mutate_values(self, heir: int, epoch: int, values: Mapping[str, Value]) -> dict[str, Value]:
        rng = random.Random(f"{self._seed} {heir} {epoch}")  # noqa: S311 - not for secrets
        for _ in range(N_TRIES):
            mutated = explore_config(self._dimensions, values, rng, self._resample_probability)
            if self._ledger.searcher.is_allowed(mutated):
                return mutated
        return dict(values)
