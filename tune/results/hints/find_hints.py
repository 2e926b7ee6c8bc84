"""What a search that has ended suggests to do next: small values, each with a ``sentence``."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tune.experiment.open import StoredExperiment
from tune.experiment.trial_result import Mode, TrialResult, is_improvement, rank_trials
from tune.invocation import this_command
from tune.paths import ExperimentPaths
from tune.results.confirm.seed_noise import BelowNoise, SeedNoise, find_gains_below_noise, measure_seed_noise
from tune.results.hints.effect_hints import TrainedAlike, find_trained_alike
from tune.results.hints.range_hints import RangeEdge, find_range_edges
from tune.results.hints.sample_hints import OtherSamples, find_other_samples
from tune.results.importance import Importance, is_scored, measure_importance
from tune.results.profile import mean_utilization
from tune.space.space import Space

LEAST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AllEqual:
    """Every trial has the same score."""

    metric: str
    score: float
    n_trials: int

    @property
    def sentence(self) -> str:
        """What was seen, and what to look at."""
        return (
            f"all {self.n_trials} trials have {self.metric} = {self.score:.5g}: "
            "look whether the metric depends on what is searched"
        )


def find_equal_scores(scored: Sequence[TrialResult], space: Space) -> AllEqual | None:
    """Return the hint where five trials or more, stopped early or not, have one score."""
    whole = [trial for trial in scored if trial.state == "complete"]
    scores = {trial.score for trial in scored}
    if len(whole) < LEAST or len(scores) != 1:
        return None
    return AllEqual(metric=space.metric, score=whole[0].score or 0.0, n_trials=len(scored))


IDLE_LEAST_TRIALS = 30
LEAST_CHANCE = 0.2
"""Shuffled scores made it as important at least so often. Of constants without effect about four in five pass."""
MOST_SHARE = 0.1
"""Of all importance together."""
CLEAR = 0.05
"""Some other constant must stand out so clearly, else nothing can be told of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoEffect:
    """A constant without importance."""

    constant: str
    share: float
    """Of all importance together."""
    n_trials: int
    """In which it varied: under a condition it may have done so in few."""

    @property
    def sentence(self) -> str:
        """What was seen, how it was judged, and what to do."""
        return (
            f"{self.constant} made no difference that {self.n_trials} trials could show "
            f"({self.share:.0%} of the importance by PED-ANOVA, no more than chance gives): take it out of the space"
        )


def find_idle_constants(
    scored: Sequence[TrialResult],
    space: Space,
    importance: Callable[[Sequence[TrialResult], Space], tuple[Importance, ...]],
) -> tuple[NoEffect, ...]:
    """Return the constants that no score follows, where another one's are followed clearly."""
    if len(scored) < IDLE_LEAST_TRIALS or len(space.dimensions) < 2:
        return ()
    judged = importance(scored, space)
    if not any(each.chance <= CLEAR for each in judged):
        return ()
    varied = {each.constant: sum(each.constant in trial.values for trial in scored) for each in judged}
    choosing = {parent for condition in space.conditions.values() for parent in condition}  # they choose what varies
    return tuple(
        NoEffect(constant=each.constant, share=each.share, n_trials=varied[each.constant])
        for each in judged
        if each.share <= MOST_SHARE and each.chance >= LEAST_CHANCE and each.constant not in choosing
        if varied[each.constant] >= IDLE_LEAST_TRIALS
    )


IMPROVING_LEAST_TRIALS = 12
LATE = 0.75
"""From this share of the trials on they are the last ones."""
LEAST_GAIN = 0.05
"""The last ones brought at least so much of all that was gained over the first trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillImproving:
    """The last quarter of the trials still gained."""

    share: float
    """What it brought of all that was gained over the first trial, the hardcoded values if those have a score."""
    n_late: int
    """Trials in the last quarter."""
    experiment: str
    n_more: int
    """How many more to run."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"the search was still improving: the last {self.n_late} trials brought {self.share:.0%} of the gain; "
            f"`{this_command()} resume {self.experiment} --trials +{self.n_more}` continues it"
        )


def find_improvement(scored: Sequence[TrialResult], space: Space, name: str) -> StillImproving | None:
    """Return the hint where the last quarter, in the order of the draws, brought a twentieth of the gain or more."""
    if len(scored) < IMPROVING_LEAST_TRIALS or space.settings.sampler == "grid":  # which ends when all was seen
        return None
    scores = [trial.score for trial in sorted(scored, key=lambda trial: trial.number) if trial.score is not None]
    n_early = int(len(scores) * LATE)
    early, final = _best_score(scores[:n_early], space.mode), _best_score(scores, space.mode)
    gain, late = abs(final - scores[0]), abs(final - early)
    if gain == 0 or late / gain < LEAST_GAIN:
        return None
    return StillImproving(
        share=late / gain, n_late=len(scores) - n_early, experiment=name, n_more=max(10, len(scores) // 2)
    )


def _best_score(scores: Sequence[float], mode: Mode) -> float:
    best = scores[0]
    for score in scores:
        best = score if is_improvement(mode, score, best) else best
    return best


N_BEST = 3
LEAST_EPOCHS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LongerTraining:
    """The best epoch of the best trials is their last."""

    n_trials: int
    """How many of the best were looked at."""
    n_epochs: int
    """That the best one had."""
    experiment: str

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"the {self.n_trials} best trials are best in their last epoch: "
            f"`{this_command()} retrain {self.experiment} --trainer.max_epochs {2 * self.n_epochs}` shows what longer "
            "training gives"
        )


def find_longer_training(scored: Sequence[TrialResult], space: Space, name: str) -> LongerTraining | None:
    """Return the hint where the three best trials came to their end, and each was best there."""
    best = rank_trials(scored, space.mode)[:N_BEST]
    whole = [
        each for each in best if each.state == "complete" and each.n_fits is None and each.n_epochs >= LEAST_EPOCHS
    ]
    if len(whole) < N_BEST or any(each.best_epoch != max(each.curve) for each in whole):
        return None
    return LongerTraining(n_trials=N_BEST, n_epochs=max(best[0].curve), experiment=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedBest:
    """The best trial was stopped early."""

    n_epochs: int
    """That it had."""
    n_whole: int
    """That the longest trial had."""
    experiment: str

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"the best trial was stopped after {self.n_epochs} of {self.n_whole} epochs: "
            f"`{this_command()} retrain {self.experiment}` trains it whole"
        )


def find_stopped_best(scored: Sequence[TrialResult], space: Space, name: str) -> StoppedBest | None:
    """Return the hint where the scheduler stopped the best trial, and others had more epochs."""
    best = next(iter(rank_trials(scored, space.mode)), None)
    n_whole = max((trial.n_epochs for trial in scored), default=0)
    if best is None or best.state != "pruned" or best.n_fits is not None or best.n_epochs >= n_whole:
        return None
    return StoppedBest(n_epochs=best.n_epochs, n_whole=n_whole, experiment=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedBetter:
    """A trial that failed was better than the best before."""

    version: str
    metric: str
    score: float
    epoch: int

    @property
    def sentence(self) -> str:
        """What was seen, and what to look at."""
        return (
            f"{self.version} had {self.metric} = {self.score:.5g} in epoch {self.epoch} before it failed, "
            "and no trial was better: look why it failed"
        )


def find_better_failure(trials: Sequence[TrialResult], space: Space) -> FailedBetter | None:
    """Return the hint where a trial that failed had an epoch that is better than the best trial's."""
    ranked = rank_trials(trials, space.mode)
    than = ranked[0].score if ranked else None
    found = None
    for trial in trials:
        score, epoch = trial.score, trial.best_epoch
        if trial.state != "failed" or trial.n_fits is not None or score is None or epoch is None:
            continue
        if is_improvement(space.mode, score, than):
            than = score
            found = FailedBetter(version=trial.version, metric=space.metric, score=score, epoch=epoch)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFault:
    """A device that failed trials."""

    device: str
    """``host:device``, as CUDA_VISIBLE_DEVICES has it."""
    n_trials: int

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        host, _, gpu = self.device.rpartition(":")
        trials = f"{self.n_trials} trial{'s' if self.n_trials != 1 else ''}"
        return f"GPU {gpu} of {host} failed {trials}, which ran again: check it, or leave it out with `--gpu`"


def find_device_faults(trials: Sequence[TrialResult]) -> tuple[DeviceFault, ...]:
    """Return the devices that failed trials, the most often first."""
    counts = Counter(device for trial in trials for device in trial.device_faults)
    return tuple(DeviceFault(device=device, n_trials=n) for device, n in counts.most_common())


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgrownShare:
    """A share of a GPU on which trials ran out of memory."""

    share: float
    n_trials: int
    n_failed: int
    """Of those the ones that failed on the larger share, too."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        trials = f"{self.n_trials} trial{'s' if self.n_trials != 1 else ''}"
        again = f"{self.n_failed} of them failed there, too" if self.n_failed else "none failed there"
        return (
            f"{trials} ran out of memory on {self.share:g} of a GPU and ran again on a larger share; {again}: "
            "a larger `gpus_per_trial` saves the time"
        )


def find_outgrown_share(trials: Sequence[TrialResult]) -> OutgrownShare | None:
    """Return the smallest share that trials outgrew; None where none did."""
    grown = [trial for trial in trials if trial.outgrown_shares]
    if not grown:
        return None
    n_failed = sum(trial.state == "failed" for trial in grown)
    return OutgrownShare(
        share=min(min(trial.outgrown_shares) for trial in grown), n_trials=len(grown), n_failed=n_failed
    )


MOSTLY_IDLE = 0.3
"""GPUs that are busy for less of the time are idle for more than twice as long."""
LEAST_MEASURED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleGpu:
    """The GPUs were idle for most of the time."""

    busy: float
    """The part of the time in which they were busy, 0 to 1, while trials ran."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"the GPUs were busy {self.busy:.0%} of the time while trials ran: more trials on each "
            "(`--gpus-per-trial auto`), or more `num_workers` of the DataLoaders, would use them"
        )


def find_idle_gpus(trials: Sequence[TrialResult]) -> IdleGpu | None:
    """Return the hint where three trials or more tell that GPUs were idle for most of the time."""
    measured = [trial for trial in trials if trial.gpu is not None and trial.gpu.utilization is not None]
    busy = mean_utilization(measured)
    return None if len(measured) < LEAST_MEASURED or busy is None or busy >= MOSTLY_IDLE else IdleGpu(busy=busy)


Hint = (
    OtherSamples
    | TrainedAlike
    | DeviceFault
    | OutgrownShare
    | IdleGpu
    | AllEqual
    | RangeEdge
    | StillImproving
    | LongerTraining
    | NoEffect
    | BelowNoise
    | StoppedBest
    | FailedBetter
)

HINT_KINDS: Mapping[type[Hint], str] = {
    OtherSamples: "OtherSamples",
    TrainedAlike: "TrainedAlike",
    DeviceFault: "DeviceFault",
    OutgrownShare: "OutgrownShare",
    IdleGpu: "IdleGpu",
    AllEqual: "Flat",
    RangeEdge: "Edge",
    StillImproving: "Improving",
    LongerTraining: "LongerTraining",
    NoEffect: "Idle",
    BelowNoise: "BelowNoise",
    StoppedBest: "StoppedBest",
    FailedBetter: "FailedBetter",
}
"""What `results --json` calls a hint, whatever its class is called."""


def find_hints(
    trials: Sequence[TrialResult], space: Space, paths: ExperimentPaths, noise: SeedNoise | None = None
) -> tuple[Hint, ...]:
    """Return what the trials of an experiment suggest; nothing where all is well.

    ``noise`` is that of the hardcoded values' score, where it is known.
    """
    scored, name = [trial for trial in trials if is_scored(trial)], paths.cli_argument
    lasting = (
        (alike := find_trained_alike(trials, paths)),
        find_other_samples(trials, paths),
        *find_device_faults(trials),
        find_outgrown_share(trials),
        find_idle_gpus(trials),
    )
    faults = tuple(each for each in lasting if each is not None)
    if alike is not None and alike.is_all:
        return faults  # what else the scores tell follows from that
    if (flat := find_equal_scores(scored, space)) is not None:
        return (*faults, flat)
    idle = find_idle_constants(scored, space, measure_importance)
    lost, below = find_better_failure(trials, space), find_gains_below_noise(trials, space.mode, noise)
    if _is_best_possible([trial.score for trial in scored if trial.score is not None], space.mode):
        return (*faults, *(each for each in (lost, below) if each is not None), *idle)
    edges = find_range_edges(scored, space, without={each.constant for each in idle})
    improving = find_improvement(scored, space, name)
    longer = find_longer_training(scored, space, name)
    stopped = find_stopped_best(scored, space, name)
    single = (lost, stopped, improving, longer, below)
    return (*faults, *edges, *(each for each in single if each is not None), *idle)


def _is_best_possible(scores: Sequence[float], mode: Mode) -> bool:
    """Return whether the best is 1 or 100 of what is a share in all trials, or 0 of what is never below it."""
    if not scores or min(scores) < 0:
        return False
    best = _best_score(scores, mode)
    return best == 0 if mode == "min" else best in {1, 100}


def find_hints_of(experiment: StoredExperiment) -> tuple[Hint, ...]:
    """Return what the trials of a stored experiment suggest."""
    return find_hints(experiment.trials, experiment.space, experiment.paths, measure_seed_noise(experiment))
