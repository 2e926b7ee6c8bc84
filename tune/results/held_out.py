"""Is the gain real on data that the search never saw? These are the program's test, or the hold-out.

The same retrained runs, with the same seeds, and one value of each: that of the best epoch's weights. So nothing was
chosen on these data but by whoever reads the verdict.

These data are a sample: another one of the same size would give another gain, also without any noise of seeds (both
belong into an interval: Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", 2021). Where runs
have values of parts of the data, it covers both: each run has a value of each part, so the gains are a table of seeds
by parts, and the variance of their mean is at most that of the seeds' means and that of the parts' means together.
"""

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from tune.experiment.records import RetrainRequest, TrialRecord
from tune.experiment.trial_result import Mode
from tune.results.retrain_results import RetrainedVersion, find_latest
from tune.results.verdict import ERROR_RATE, Finding, Interval, SeedRun, Verdict, judge_gain

Source = Literal["test", "holdout"]
WORDS: Mapping[Source, str] = {"test": "test data", "holdout": "the hold-out"}
SEEDS_ALONE = " (it covers the seeds' noise alone, and not that these data are a sample)"
ALIKE = 0.5
"""How far the mean of parts may lie from the value of the whole, relative to that: else they are no parts of a mean."""
VALIDATION = re.compile(r"(?<![a-z])(validation|valid|val|dev|eval)(?![a-z])", re.IGNORECASE)
"""A word of a metric's name that says validation: `val_loss`, `Accuracy/Val`."""
CAMEL_CASE = re.compile(r"(?<=[a-z])(Validation|Valid|Val|Dev|Eval)(?![a-z])|^(validation|valid|val|dev|eval)(?=[A-Z])")
"""The same in `valLoss` and `accVal`."""
CAMEL_CASE_START = re.compile(r"(?<![A-Za-z])(Validation|Valid|Val|Dev|Eval)(?=[A-Z])")
"""The same in `ValLoss`."""
SUFFIX = re.compile(r"(_epoch|_step)?(/dataloader_idx_\d+)?$")
"""What Lightning adds to the name that a program gives."""


def find_test_metric(metric: str, names: Iterable[str]) -> str | None:
    """Return the metric of a test that is the counterpart of a searched one: `test_loss` of `val_loss`; None: none is.

    ``names``: what the test logs. A test that logs under the searched name itself has its counterpart there.
    """
    known = {name.casefold(): name for name in reversed([*names])}
    for candidate in _name_candidates(metric):
        if candidate.casefold() in known:
            return known[candidate.casefold()]
    return None


def _name_candidates(metric: str) -> list[str]:
    """Return the names that a counterpart may have, the likeliest first."""
    stem = SUFFIX.sub("", metric)
    suffix = metric.removeprefix(stem)
    patterns = [each for each in (VALIDATION, CAMEL_CASE, CAMEL_CASE_START) if each.search(stem)]
    found = [each.sub(_replace_word, stem) for each in patterns]
    found = found or [f"test_{stem}", f"test/{stem}", f"{stem}/test", f"{stem}_test"]
    return [*(f"{name}{end}" for name in found for end in dict.fromkeys((suffix, "", "_epoch"))), metric, stem]


def _replace_word(match: re.Match[str]) -> str:
    word = match[0]
    return "TEST" if word.isupper() else "Test" if word[0].isupper() else "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutVerdict:
    """A configuration against the hardcoded values, on one kind of data that the search never saw."""

    source: Source
    metric: str
    """Its name there."""
    verdict: Verdict
    covers_samples: bool
    """Whether its interval also covers that the data are a sample."""

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        where = f"on {WORDS[self.source]} ({self.metric})"
        seeds_alone = "" if self.covers_samples or self.verdict.interval is None else SEEDS_ALONE
        match self.verdict:
            case Verdict(finding="no seed", seeds=seeds, gain=gain):
                return f"{where}: no verdict: all {len(seeds)} seeds have the same values, a difference of {gain:+.3g}"
            case Verdict(finding="incomplete", failures=()):
                return f"{where}: no verdict: not every run has a value there"
            case _:
                return f"{where}: {self.verdict.sentence}{seeds_alone}"


def judge_held_out(
    baseline: Mapping[int, TrialRecord | None],
    candidate: Mapping[int, TrialRecord | None],
    *,
    metric: str,
    mode: Mode,
    source: Source,
    n_compared: int = 1,
    error_rate: float = ERROR_RATE,
) -> HeldOutVerdict | None:
    """Compare runs by seed, with one value of each; None where no run has one.

    ``metric``: the searched one. Its mode is that of its counterpart, too. A record is None where a run never began.
    ``error_rate``: of its intervals together.
    """
    records = [each for each in (*baseline.values(), *candidate.values()) if each is not None]
    name = find_metric(records, metric, source)
    if name is None:
        return None
    theirs, ours = (
        {seed: _as_seed_run(record, name, source) for seed, record in runs.items()} for runs in (baseline, candidate)
    )
    verdict = judge_gain(theirs, ours, mode, n_compared=n_compared, error_rate=error_rate)
    matrix = _list_part_differences(verdict, baseline, candidate, name, source)
    if matrix and verdict.finding in ("gain", "loss", "noise"):
        verdict = _widen_interval(verdict, theirs, ours, matrix, error_rate / n_compared)
    return HeldOutVerdict(source=source, metric=name, verdict=verdict, covers_samples=bool(matrix))


def _list_part_differences(
    verdict: Verdict,
    baseline: Mapping[int, TrialRecord | None],
    candidate: Mapping[int, TrialRecord | None],
    name: str,
    source: Source,
) -> list[list[float]]:
    """Return the differences by part, in each the seeds; nothing where not all runs have the same parts."""
    rows = []
    for seed in verdict.seeds:
        theirs, ours = (_list_parts(runs[seed], name, source) for runs in (baseline, candidate))
        if not theirs or len(theirs) != len(ours):
            return []
        rows.append([mine - other for mine, other in zip(ours, theirs, strict=True)])
    is_whole = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
    return [list(part) for part in zip(*rows, strict=True)] if is_whole else []


def _list_parts(record: TrialRecord | None, name: str, source: Source) -> list[float]:
    """Return a run's values of the parts; none where they are no parts of its value, as those of a sum."""
    if record is None:
        return []
    parts, whole = record.held_out_parts.get(source, {}).get(name, []), _values_of(record, source).get(name)
    if not parts or whole is None or not all(map(math.isfinite, parts)):
        return []
    return parts if abs(statistics.fmean(parts) - whole) <= ALIKE * abs(whole) else []


def _widen_interval(
    verdict: Verdict,
    theirs: Mapping[int, SeedRun],
    ours: Mapping[int, SeedRun],
    matrix: Sequence[Sequence[float]],
    error_rate: float,
) -> Verdict:
    """Return the verdict with an interval that covers seeds and samples; ``matrix``: differences by part and seed.

    Their sign does not count: only how much they vary.
    """
    assert verdict.gain is not None
    by_seed = [ours[seed].curve[1] - theirs[seed].curve[1] for seed in verdict.seeds]
    found = compute_crossed_interval(verdict.gain, by_seed, [statistics.fmean(row) for row in matrix], error_rate)
    finding: Finding = "gain" if found.low > 0 else "loss" if found.high < 0 else "noise"
    return replace(verdict, interval=found, finding=finding)


def compute_crossed_interval(
    mean: float, by_seed: Sequence[float], by_part: Sequence[float], error_rate: float
) -> Interval:
    """Return the interval of a mean whose values vary over seeds and over parts of the data, two or more of each.

    The degrees of freedom of the two variances together are Welch and Satterthwaite's.
    """
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    squares = [statistics.variance(each) / len(each) for each in (by_seed, by_part)]
    if not sum(squares):
        return Interval(mean, mean)
    freedoms = [len(each) - 1 for each in (by_seed, by_part)]
    freedom = sum(squares) ** 2 / sum(square**2 / n for square, n in zip(squares, freedoms, strict=True))
    half = float(stdtrit(freedom, 1 - error_rate / 2)) * math.sqrt(sum(squares))
    return Interval(mean - half, mean + half)


def find_metric(records: Sequence[TrialRecord], metric: str, source: Source) -> str | None:
    """Return the name of what is compared; None where no record has it."""
    names = list_names(records, source)
    if source == "holdout":
        return metric if metric in names else None
    return find_test_metric(metric, names)


def list_names(records: Sequence[TrialRecord], source: Source) -> list[str]:
    """Return all that was logged on these data."""
    return list(dict.fromkeys(name for each in records for name in _values_of(each, source)))


def _values_of(record: TrialRecord, source: Source) -> Mapping[str, float]:
    return (record.test if source == "test" else record.holdout) or {}


def _as_seed_run(record: TrialRecord | None, name: str, source: Source) -> SeedRun:
    """Return a run whose one epoch is its value there; it has none where it did not come to its end."""
    if record is None or record.failure is not None:
        return SeedRun(curve={}, failure=None if record is None or record.failure is None else record.failure.reason)
    value = _values_of(record, source).get(name)
    has_value = record.stage == "complete" and value is not None and math.isfinite(value)
    return SeedRun(curve={1: value} if has_value and value is not None else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutJudgement:
    """What retrained runs say on data that the search never saw."""

    verdicts: Mapping[int, tuple[HeldOutVerdict, ...]]
    """Of each trial, by its number: those on test data first."""
    unmatched: tuple[str, ...] = ()
    """What tests logged, where none of it is the counterpart of the searched metric."""
    warnings: Mapping[str, int] = field(default_factory=dict)
    """What runs say of their tests, each with the number of runs."""

    @property
    def metrics(self) -> tuple[tuple[Source, str], ...]:
        """What was compared."""
        return tuple(
            dict.fromkeys((each.source, each.metric) for several in self.verdicts.values() for each in several)
        )


def judge_trials_held_out(
    retrained: Sequence[RetrainedVersion],
    requests: Sequence[RetrainRequest],
    metric: str,
    mode: Mode,
    error_rate: float = ERROR_RATE,
) -> HeldOutJudgement:
    """Return the verdicts on each trial that was trained with fresh seeds, the baseline's own aside."""
    runs: dict[int, dict[int, TrialRecord | None]] = {}
    for request in requests:
        if request.fresh:
            found = find_latest(retrained, request)
            runs.setdefault(request.trial, {})[request.seed] = None if found is None else found.record
    baseline = runs.pop(0, {})
    judge_trial = partial(judge_held_out, metric=metric, mode=mode, n_compared=len(runs), error_rate=error_rate)
    verdicts = {}
    for number, each in runs.items():
        judged = (judge_trial(baseline, each, source=source) for source in WORDS)
        verdicts[number] = tuple(verdict for verdict in judged if verdict is not None)
    records = [record for each in (baseline, *runs.values()) for record in each.values() if record is not None]
    names = list_names(records, "test")
    return HeldOutJudgement(
        verdicts=verdicts,
        unmatched=tuple(names) if find_test_metric(metric, names) is None else (),
        warnings=Counter(warning for each in records for warning in each.warnings),
    )
