"""Is the gain real on data that the search never saw? These are the program's test, or the hold-out.

The same retrained runs, with the same seeds, and one value of each: that of the best epoch's weights. So nothing was
chosen on these data but by whoever reads the verdict.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from tune.experiment.records import RetrainRequest, TrialRecord
from tune.experiment.trial_result import Mode
from tune.results.retrain_results import RetrainedVersion, find_latest
from tune.results.verdict import SeedRun, Verdict, judge_gain

Source = Literal["test", "holdout"]
WORDS: Mapping[Source, str] = {"test": "test data", "holdout": "the hold-out"}
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

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        where = f"on {WORDS[self.source]} ({self.metric})"
        match self.verdict:
            case Verdict(finding="no seed", seeds=seeds, gain=gain):
                return f"{where}: no verdict: all {len(seeds)} seeds have the same values, a difference of {gain:+.3g}"
            case Verdict(finding="incomplete", failures=()):
                return f"{where}: no verdict: not every run has a value there"
            case _:
                return f"{where}: {self.verdict.sentence}"


def judge_held_out(
    baseline: Mapping[int, TrialRecord | None],
    candidate: Mapping[int, TrialRecord | None],
    *,
    metric: str,
    mode: Mode,
    source: Source,
    n_compared: int = 1,
    judge: Callable[..., Verdict] = judge_gain,
) -> HeldOutVerdict | None:
    """Compare runs by seed, with one value of each; None where no run has one.

    ``metric``: the searched one. Its mode is that of its counterpart, too. A record is None where a run never began.
    ``judge``: is called as ``judge_gain``.
    """
    records = [each for each in (*baseline.values(), *candidate.values()) if each is not None]
    name = find_metric(records, metric, source)
    if name is None:
        return None
    theirs, ours = (
        {seed: _as_seed_run(record, name, source) for seed, record in runs.items()} for runs in (baseline, candidate)
    )
    return HeldOutVerdict(source=source, metric=name, verdict=judge(theirs, ours, mode, n_compared=n_compared))


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
    judge: Callable[..., Verdict] = judge_gain,
) -> HeldOutJudgement:
    """Return the verdicts on each trial that was trained with fresh seeds, the baseline's own aside."""
    runs: dict[int, dict[int, TrialRecord | None]] = {}
    for request in requests:
        if request.fresh:
            found = find_latest(retrained, request)
            runs.setdefault(request.trial, {})[request.seed] = None if found is None else found.record
    baseline = runs.pop(0, {})
    judge_trial = partial(judge_held_out, metric=metric, mode=mode, n_compared=len(runs), judge=judge)
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
