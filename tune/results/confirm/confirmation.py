"""A confirmation: a race of the best trials, then the winner beside the hardcoded values on seeds of their own.

The seeds that choose the winner never judge it, so that its gain is not too good by having been chosen.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from tune.experiment.open import StoredExperiment
from tune.experiment.records import WORKER_DIED
from tune.experiment.trial_result import BASELINE, TrialResult, describe_changes
from tune.experiment.verdicts import VerdictRecord, find_confirmation
from tune.results.confirm.front import MemberVerdict, judge_front
from tune.results.confirm.looks import judge_in_looks
from tune.results.confirm.plan import build_request
from tune.results.confirm.race import RaceStanding, run_race
from tune.results.held_out import HeldOutJudgement, HeldOutVerdict, judge_trials_held_out
from tune.results.retrain_results import RetrainedVersion, find_latest, read_retrained
from tune.results.verdict import SeedRun, Verdict

N_TO_SEE_NO_SEED = 2
"""Seeds of the verdict where no seed changed anything in the race: two show that it is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What is known of a confirmation."""

    record: VerdictRecord
    race: RaceStanding
    runs: Mapping[int, Mapping[int, SeedRun]]
    """Those that are there, failed ones too, by trial and seed."""
    scores: Mapping[int, Mapping[int, float | None]]
    """Of the race, by trial and seed; None of a run that failed."""
    needed: tuple[tuple[int, int], ...]
    """The runs that can begin now, as trial and seed, the most urgent first; none: all is known."""
    verdict: Verdict | None
    """Of the winner; None while its runs are not all there."""
    members: tuple[MemberVerdict, ...] = ()
    """Of several metrics the verdicts on each trial; none before the runs are all there."""
    held_out: HeldOutJudgement | None
    """Of the winner, on data that the search never saw; None without a verdict."""

    @property
    def winner(self) -> int | None:
        """The trial that won the race; None before its end, or where every run failed.

        Of several metrics the one with the largest gain in the first.
        """
        return self.race.winner

    @property
    def chosen(self) -> int | None:
        """The trial to hand over: the winner, or the baseline where that is not worse; None without a verdict."""
        if self.winner is None or self.verdict is None or self.verdict.finding == "incomplete":
            return None
        assert self.verdict.gain is not None
        return self.winner if self.verdict.gain > 0 else BASELINE

    @property
    def chosen_by(self) -> str:
        """What the trial that is handed over is: of the search alone where there is no verdict yet."""
        if self.chosen is None:
            return "best"
        is_confirmed = self.verdict is not None and self.verdict.finding == "gain"
        return "confirmed" if is_confirmed else "best on fresh seeds"


def read_confirmation(experiment: StoredExperiment) -> Confirmation | None:
    """Return the confirmation of the search as its files tell it now; None where there is none of these trials."""
    record = find_confirmation(experiment.paths, experiment.trials)
    return None if record is None else judge_confirmation(experiment, record, read_retrained(experiment.paths))


def confirmation_as_json(experiment: StoredExperiment) -> dict[str, Any] | None:
    """Return the confirmation for machines; None where there is none."""
    confirmation = read_confirmation(experiment)
    if confirmation is None:
        return None
    record, verdict = confirmation.record, confirmation.verdict
    return {
        "trials": list(record.trials),
        "race_seeds": list(record.race_seeds),
        "seeds": list(record.seeds),
        "more_seeds": list(record.more_seeds),
        "changed_while_training": [
            each.number for each in experiment.trials if each.n_changes and each.number in record.trials
        ],
        "verdict_number": record.number,
        "error_rate": record.error_rate,
        "winner": confirmation.winner,
        "chosen": confirmation.chosen,
        **({"finding": None, "gain": None, "interval": None} if verdict is None else _verdict_as_json(verdict)),
        "members": [
            {"trial": each.trial, "metric": each.metric, **_verdict_as_json(each.verdict)}
            for each in confirmation.members
        ],
        "held_out": [
            {"source": each.source, "metric": each.metric, **_verdict_as_json(each.verdict)}
            for each in _list_held_out(confirmation)
        ],
        "lines": describe_confirmation(experiment, confirmation),
    }


def _list_held_out(confirmation: Confirmation) -> tuple[HeldOutVerdict, ...]:
    if confirmation.held_out is None or confirmation.winner is None:
        return ()
    return confirmation.held_out.verdicts.get(confirmation.winner, ())


def _verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    interval = None if verdict.interval is None else list(astuple(verdict.interval))
    return {"finding": verdict.finding, "gain": verdict.gain, "interval": interval}


def judge_confirmation(
    experiment: StoredExperiment,
    record: VerdictRecord,
    retrained: Sequence[RetrainedVersion],
    lost: Collection[tuple[int, int]] = (),
) -> Confirmation:
    """Return what the runs tell so far; it depends on what came of them, and not on their order.

    ``lost``: the runs whose process died once too often, as trial and seed.
    """
    mode = experiment.space.mode
    runs: dict[int, dict[int, SeedRun]] = {trial: {} for trial in (BASELINE, *record.trials)}
    request = build_request(experiment)
    for trial, seed in itertools.product(runs, record.all_seeds):
        found = find_latest(retrained, replace(request, trial=trial, seed=seed))
        if found is not None and (found.is_complete or found.has_failed):
            runs[trial][seed] = found.seed_run
        elif (trial, seed) in lost:
            runs[trial][seed] = SeedRun(curve={}, failure=WORKER_DIED)
    scores = {
        trial: {seed: runs[trial][seed].best_score(mode) for seed in record.race_seeds if seed in runs[trial]}
        for trial in record.trials
    }
    race = run_race(record.trials, record.race_seeds, scores, mode)
    seeds = record.seeds[:N_TO_SEE_NO_SEED] if _is_without_seed(runs, record) else record.seeds
    is_front = bool(experiment.space.others) and not record.race_seeds
    judged = [BASELINE] if race.needed else [BASELINE, *([race.winner] if race.winner is not None else [])]
    judged = [BASELINE, *record.trials] if is_front else judged
    open_runs = [(trial, seed) for seed in seeds for trial in judged if seed not in runs[trial]]
    if not race.left:  # all failed: there is nobody to judge
        open_runs = []
    verdict = held_out = None
    members: tuple[MemberVerdict, ...] = ()
    if is_front and not open_runs:
        objectives = experiment.space.objectives
        members = judge_front(retrained, request, record.trials, seeds, objectives, record.error_rate)
        leader = _find_leader(members, experiment.space.metric)
        race = replace(race, left=(leader.trial,))
        verdict = leader.verdict
    elif race.winner is not None and not open_runs:
        of_both, more_seeds = (runs[BASELINE], runs[race.winner]), record.more_seeds if seeds == record.seeds else ()
        looked_at = judge_in_looks(*of_both, mode, seeds, more_seeds, record.error_rate)
        verdict, seeds = looked_at.verdict, looked_at.seeds
        open_runs = [(trial, seed) for seed in seeds for trial in judged if seed not in runs[trial]]
        judged_requests = [replace(request, trial=trial, seed=seed) for trial in judged for seed in seeds]
        held_out = judge_trials_held_out(
            retrained, judged_requests, experiment.space.metric, mode, error_rate=verdict.error_rate
        )
        verdict, held_out = (None, None) if open_runs else (verdict, held_out)
    return Confirmation(
        record=record,
        race=race,
        runs=runs,
        scores=scores,
        needed=(*race.needed, *open_runs),
        verdict=verdict,
        members=members,
        held_out=held_out,
    )


def _find_leader(members: Sequence[MemberVerdict], metric: str) -> MemberVerdict:
    """Return the verdict in a metric on the trial with the largest gain in it; of equals the first."""
    return max((each for each in members if each.metric == metric), key=lambda each: each.verdict.gain or -math.inf)


def _is_without_seed(runs: Mapping[int, Mapping[int, SeedRun]], record: VerdictRecord) -> bool:
    """Tell whether two seeds or more gave the very same curve, of each trial that has two."""
    curves = [
        [tuple(run.curve.items()) for seed, run in runs[trial].items() if seed in (record.race_seeds or record.seeds)]
        for trial in record.trials
    ]
    several = [each for each in curves if len(each) > 1]
    return bool(several) and all(len(set(each)) == 1 for each in several)


def describe_confirmation(experiment: StoredExperiment, confirmation: Confirmation) -> list[str]:
    """Return the finding, then what is handed over, a line each."""
    names = {each.number: each for each in experiment.trials}
    winner, verdict = confirmation.winner, confirmation.verdict
    if winner is None:
        what = "not confirmed: every run of the race failed"
        return [what if not confirmation.race.left else "the confirmation has not come to its end"]
    if verdict is None:
        return ["the confirmation has not come to its end"]
    if verdict.finding == "incomplete":
        return [f"not confirmed: {verdict.sentence}"]
    claim = _describe_claim(experiment, names[winner])
    word = "confirmed" if verdict.finding == "gain" else "not confirmed"
    seeds = (
        f", {len(verdict.seeds)} fresh seeds" if verdict.interval is not None and verdict.finding != "no seed" else ""
    )
    lines = [f"{word}: {verdict.sentence}{seeds}{claim}"]
    if confirmation.chosen == BASELINE:
        lines.append(f"{names[winner].version} is not better than the hardcoded values: they are kept")
    elif winner != _find_best(experiment):
        lines.append(f"the best trial on fresh seeds is {names[winner].version}, and not the search's")
    else:
        lines.append(f"the best trial on fresh seeds is the search's: {names[winner].version}")
    judged = {winner, *(each.trial for each in confirmation.members)}
    changed = describe_changes([each for number, each in names.items() if number in judged])
    lines += [] if changed is None else [changed]
    lines += [f"{names[each.trial].version}, {each.metric}: {each.verdict.sentence}" for each in confirmation.members]
    return [*lines, *describe_held_out(confirmation)]


def describe_held_out(confirmation: Confirmation) -> list[str]:
    """Return what data say that the search never saw, a line each."""
    return [each.sentence for each in _list_held_out(confirmation)]


def _find_best(experiment: StoredExperiment) -> int | None:
    """Return the number of the trial that the search alone calls the best."""
    return None if experiment.best is None else experiment.best.number


def _describe_claim(experiment: StoredExperiment, winner: TrialResult) -> str:
    """Return the gain that the search alone saw."""
    baseline = experiment.baseline
    if baseline is None or baseline.final_score is None or winner.score is None:
        return ""
    sign = 1 if experiment.space.mode == "max" else -1
    return f"; {sign * (winner.score - baseline.final_score):+.3g} in the search"
