"""The verdict on data that the search never saw, and which metric of a test is compared."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit

from tune.experiment.records import Failure, RetrainRequest, TrialRecord
from tune.paths import VersionPaths
from tune.results.held_out import compute_crossed_interval, find_test_metric, judge_held_out, judge_trials_held_out
from tune.results.retrain_results import RetrainedVersion
from tune.results.verdict import Interval, compute_interval

COUNTERPARTS = [
    ("Accuracy/Val", ["Loss/Test", "Accuracy/Test"], "Accuracy/Test"),
    ("val_loss", ["test_acc", "test_loss"], "test_loss"),
    ("valid/acc", ["test/acc"], "test/acc"),
    ("validation_loss", ["test_loss"], "test_loss"),
    ("loss/validation", ["loss/test"], "loss/test"),
    ("dev-f1", ["test-f1"], "test-f1"),
    ("VAL/ACC", ["TEST/ACC"], "TEST/ACC"),
    ("val/acc", ["Test/Acc"], "Test/Acc"),
    ("valLoss", ["testLoss"], "testLoss"),
    ("accVal", ["accTest"], "accTest"),
    ("ValAcc", ["TestAcc"], "TestAcc"),
    (
        "val/acc/dataloader_idx_0",
        ["test/acc/dataloader_idx_0", "test/acc/dataloader_idx_1"],
        "test/acc/dataloader_idx_0",
    ),
    ("val/acc/dataloader_idx_1", ["test/acc"], "test/acc"),
    ("val_loss", ["test_loss/dataloader_idx_0", "test_loss/dataloader_idx_1"], None),
    ("val_loss_epoch", ["test_loss"], "test_loss"),
    ("val_loss", ["test_loss_step", "test_loss_epoch"], "test_loss_epoch"),
    ("acc", ["acc"], "acc"),
    ("acc", ["test_acc"], "test_acc"),
    ("acc", ["test/acc"], "test/acc"),
    ("score", ["tested"], None),
    ("val_loss", ["val_loss"], "val_loss"),
    ("val_loss", ["val_loss", "test_loss"], "test_loss"),
    ("interval", ["intertest"], None),
    ("evaluated", ["testuated"], None),
    ("val_loss", [], None),
]


@pytest.mark.parametrize(("metric", "names", "expected"), COUNTERPARTS)
def test_the_counterpart_of_a_searched_metric_is_found_by_its_name(metric, names, expected):
    assert find_test_metric(metric, names) == expected


def record(value=None, *, stage="complete", holdout=None, warnings=(), name="acc/test", parts=()):
    return TrialRecord(
        number=0,
        version="000,baseline",
        constants={},
        seed=1,
        stage=stage,
        pid=1,
        host="here",
        devices=None,
        started=1.0,
        curve=[(1, 0.5)],
        test={} if value is None else {name: value},
        holdout=holdout,
        held_out_parts={"test": {name: list(parts)}} if parts else {},
        warnings=list(warnings),
    )


def judge(baseline, candidate, metric="acc/val", mode="max", source="test", **more):
    return judge_held_out(
        dict(enumerate(baseline, start=1)),
        dict(enumerate(candidate, start=1)),
        metric=metric,
        mode=mode,
        source=source,
        **more,
    )


def test_the_statistics_are_those_of_the_validation_verdict():
    theirs, ours = [0.80, 0.81, 0.79, 0.82, 0.80], [0.90, 0.92, 0.89, 0.93, 0.91]
    found = judge(map(record, theirs), map(record, ours))
    gains = [mine - other for mine, other in zip(ours, theirs, strict=True)]

    assert (found.metric, found.verdict.finding) == ("acc/test", "gain")
    assert found.verdict.gain == pytest.approx(sum(gains) / 5)
    assert found.verdict.interval == compute_interval(gains)
    assert found.sentence == (
        "on test data (acc/test): the gain of 0.106 over the hardcoded values is real: 95% interval 0.0992 to 0.113"
        " (it covers the seeds' noise alone, and not that these data are a sample)"
    )


def test_a_metric_to_be_small_is_one_in_the_test_too():
    found = judge(map(record, [0.5, 0.6, 0.7]), map(record, [0.1, 0.21, 0.3]), mode="min")

    assert found.verdict.finding == "gain"
    assert found.verdict.gain == pytest.approx(0.397, abs=1e-3)


def test_the_hold_out_has_the_searched_metric():
    runs = [[record(holdout={"acc/val": value}) for value in values] for values in ([0.5, 0.6], [0.55, 0.52])]
    found = judge(*runs, source="holdout")

    assert (found.metric, found.verdict.finding) == ("acc/val", "noise")
    assert found.sentence.startswith("on the hold-out (acc/val): not distinguishable from seed noise: ")


@pytest.mark.parametrize(
    ("baseline", "candidate", "sentence"),
    [
        (
            [record(0.5), record(0.5)],
            [record(0.6), record(0.6)],
            "on test data (acc/test): no verdict: all 2 seeds have the same values, a difference of +0.1",
        ),
        (
            [record(0.5), record()],
            [record(0.6), record(0.7)],
            "on test data (acc/test): no verdict: not every run has a value there",
        ),
        (
            [record(0.5), record(float("nan"))],
            [record(0.6), record(0.7)],
            "on test data (acc/test): no verdict: not every run has a value there",
        ),
        (
            [record(0.5), None],
            [record(0.6), record(0.7)],
            "on test data (acc/test): no verdict: not every run has a value there",
        ),
        (
            [record(0.5), record(0.6)],
            [record(0.6), replace(record(), stage="failed", failure=Failure(kind="ValueError", message="bad"))],
            "on test data (acc/test): no verdict: it failed with seed 2: ValueError: bad",
        ),
    ],
    ids=["equal", "no value", "not a number", "no run", "a failure"],
)
def test_a_verdict_that_cannot_be_given_says_why(baseline, candidate, sentence):
    assert judge(baseline, candidate).sentence == sentence


def test_runs_without_a_test_have_no_verdict_on_it():
    assert judge([record(), record()], [record(), record()]) is None
    assert judge([record(0.5), record(0.6)], [record(0.5), record(0.6)], source="holdout") is None


def retrained(values, name="acc/test"):
    """Return the versions and the requests of these test values, by trial: one seed each."""
    versions = []
    for trial, several in values.items():
        for seed, value in enumerate(several, start=1):
            request = RetrainRequest(trial=trial, seed=seed, fresh=True, trainer={}, source="source", digest="d")
            run = record(value, name=name, warnings=["the test logged nothing"] if value is None else ())
            versions.append(RetrainedVersion(files=VersionPaths(None), request=request, record=run))
    return versions, [each.request for each in versions]


def test_several_trials_share_the_confidence():
    values = {0: [0.5, 0.6, 0.55], 3: [0.9, 0.95, 0.97], 7: [0.7, 0.75, 0.8]}
    found = judge_trials_held_out(*retrained(values), "acc/val", "max")

    assert found.metrics == (("test", "acc/test"),)
    assert found.unmatched == ()
    (third,), (seventh,) = found.verdicts[3], found.verdicts[7]
    assert third.verdict.n_compared == seventh.verdict.n_compared == 2
    expected = compute_interval([0.4, 0.35, 0.42], n_intervals=2)
    assert third.verdict.interval.low == pytest.approx(expected.low)
    assert third.verdict.interval.high == pytest.approx(expected.high)


def test_a_lower_error_rate_makes_the_interval_wider():
    versions, requests = retrained({0: [0.5, 0.61], 3: [0.7, 0.8]})

    widths = []
    for error_rate in (0.05, 0.01):
        judgement = judge_trials_held_out(versions, requests, "acc/val", "max", error_rate=error_rate)
        interval = judgement.verdicts[3][0].verdict.interval
        widths.append(interval.high - interval.low)

    assert widths[0] < widths[1]


def test_names_without_a_counterpart_and_warnings_are_told():
    versions, requests = retrained({0: [0.5, None], 3: [0.6, None]}, name="other")
    found = judge_trials_held_out(versions, requests, "acc/val", "max")

    assert found.verdicts == {3: ()}
    assert found.unmatched == ("other",)
    assert found.warnings == {"the test logged nothing": 2}


def sampled(rng, *, n_parts=10, n_seeds=5, effect=0.0, of_samples=0.1, of_seeds=0.02):
    """Return runs of two configurations: the gain differs from part to part, and from seed to seed."""
    by_part = effect + rng.normal(0, of_samples, n_parts)
    runs = []
    for gains in (np.zeros(n_parts), by_part):
        values = [0.5 + gains + rng.normal(0, of_seeds) + rng.normal(0, of_seeds, n_parts) for _ in range(n_seeds)]
        runs.append([record(float(each.mean()), parts=each.tolist()) for each in values])
    return runs


def test_that_the_data_are_a_sample_is_in_the_interval():
    """Without an effect: in the interval of the seeds alone any other sample of the same data would be "real"."""
    rng = np.random.default_rng(0)
    drawn = [sampled(rng) for _ in range(300)]
    findings = [judge(*runs).verdict.finding for runs in drawn]
    without = [[replace(each, held_out_parts={}) for each in several] for runs in drawn for several in runs]
    alone = [judge(*pair).verdict.finding for pair in zip(without[::2], without[1::2], strict=True)]

    assert sum(each != "noise" for each in findings) <= 0.06 * 300
    assert sum(each != "noise" for each in alone) >= 0.3 * 300


def test_an_effect_is_found_in_parts_too():
    found = judge(*sampled(np.random.default_rng(0), effect=0.4))

    assert found.verdict.finding == "gain"
    assert found.covers_samples
    assert found.sentence.startswith("on test data (acc/test): the gain of 0.")
    assert "seeds" not in found.sentence


@pytest.mark.parametrize(
    "parts",
    [[0.05, 0.05], [0.5, float("nan")], [0.5, 0.5, 0.5]],
    ids=["of a sum", "not a number", "of another number"],
)
def test_parts_that_are_none_of_the_value_are_left_out(parts):
    baseline = [record(0.5, parts=parts), record(0.51, parts=[0.5, 0.52])]
    found = judge(baseline, [record(0.6, parts=[0.6, 0.6]), record(0.7, parts=[0.6, 0.8])])

    assert not found.covers_samples


def test_the_interval_of_seeds_and_parts_is_that_of_both_variances():
    found = compute_crossed_interval(0.3, [0.2, 0.4], [0.1, 0.3, 0.5], 0.05)
    squares = [0.02 / 2, 0.04 / 3]
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / 1 + squares[1] ** 2 / 2)

    assert found.high - 0.3 == pytest.approx(0.3 - found.low)
    assert found.high == pytest.approx(0.3 + stdtrit(freedom, 0.975) * sum(squares) ** 0.5)


def test_values_that_vary_with_nothing_have_an_interval_without_width():
    assert compute_crossed_interval(0.3, [0.3, 0.3], [0.3, 0.3], 0.05) == Interval(0.3, 0.3)
