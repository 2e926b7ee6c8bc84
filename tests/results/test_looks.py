"""The two looks of a verdict: which seeds it is on, how sure each look is, and what is still to be run between them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit

from tests.experiments import Trial, write_experiment
from tests.results.test_confirmation import train
from tune.experiment.records import Failure
from tune.experiment.verdicts import read_verdicts, write_verdict
from tune.results.confirm.confirmation import describe_confirmation, judge_confirmation, read_confirmation
from tune.results.confirm.error_rate import error_rate_of_verdict
from tune.results.confirm.looks import judge_in_looks
from tune.results.confirm.plan import plan_confirmation
from tune.results.retrain_results import read_retrained
from tune.results.verdict import SeedRun
from tune.space.settings import Confirm

ERROR_RATE = error_rate_of_verdict(1)
SCATTER = 0.0882
OPEN = [0.1 + SCATTER, 0.1 - SCATTER] * 4
"""Differences whose t is 3.0, which an interval of 95% calls a gain, and one of 99.2% does not."""
SURE, NOISE = [0.1, 0.11] * 4, [0.1, -0.1, 0.05, -0.05] * 2
SPACE_OF_TIME = "time_budget: 900s\n"


def look(gains, n_more=8):
    theirs = {seed: SeedRun(curve={1: 0.01 * seed}) for seed in range(len(gains))}
    ours = {seed: SeedRun(curve={1: 0.01 * seed + gain}) for seed, gain in enumerate(gains)}
    return judge_in_looks(theirs, ours, "max", range(8), range(8, 8 + n_more), ERROR_RATE)


@pytest.mark.parametrize(
    ("gains", "finding", "n_seeds", "share"),
    [
        (SURE, "gain", 8, 0.8),
        ([-gain for gain in SURE], "loss", 8, 0.8),
        (NOISE, "noise", 8, 0.8),
        ([*OPEN, *OPEN], "gain", 16, 0.2),
        ([-gain for gain in [*OPEN, *OPEN]], "loss", 16, 0.2),
        ([*OPEN, *(-gain for gain in OPEN)], "noise", 16, 0.2),
    ],
)
def test_a_verdict_that_its_first_seeds_leave_open_is_on_as_many_again(gains, finding, n_seeds, share):
    found = look(gains)

    assert (found.verdict.finding, found.seeds) == (finding, tuple(range(n_seeds)))
    assert found.verdict.error_rate == pytest.approx(share * ERROR_RATE)


def test_a_verdict_with_one_look_has_the_whole_error_rate():
    found = look(OPEN, n_more=0)

    assert (found.verdict.finding, len(found.seeds), found.verdict.error_rate) == ("noise", 8, ERROR_RATE)


def test_a_verdict_says_of_how_many_seeds_a_further_one_takes_whichever_look_was_the_last():
    few = [0.1 + SCATTER, 0.1 - SCATTER] * 2
    theirs = {seed: SeedRun(curve={1: 0.01 * seed}) for seed in range(4)}
    ours = {seed: SeedRun(curve={1: 0.01 * seed + gain}) for seed, gain in enumerate(few)}
    told = [
        judge_in_looks(theirs, ours, "max", range(4), more, ERROR_RATE).verdict.n_enough for more in ((), range(4, 4))
    ]
    critical = {n: stdtrit(n - 1, 1 - error_rate_of_verdict(2) / 2) / np.sqrt(n) for n in range(5, 21)}
    deviation = np.std(few, ddof=1)
    assert told == [next(n for n, reach in critical.items() if reach * deviation < 0.1)] * 2


def test_looks_err_no_more_often_than_the_verdict_may():
    rng = np.random.default_rng(0)
    n_false = n_open = 0
    for _ in range(3000):
        found = look(list(rng.standard_normal(16)))
        n_open += len(found.seeds) == 16
        n_false += found.verdict.finding != "noise"
    assert n_false <= 45  # 30 are expected at most: 1.01%
    assert 90 <= n_open <= 160  # 4.2% are expected


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path, [Trial(curve=[0.8]), Trial(curve=[0.9], values={"LR": 0.02})])


def train_look(experiment, record, seeds, gains):
    for seed, gain in zip(seeds, gains, strict=True):
        train(experiment, 0, seed, 0.5 + 0.01 * seed)
        train(experiment, 1, seed, 0.5 + 0.01 * seed + gain)


def test_a_confirmation_that_is_open_needs_the_runs_of_its_second_look(experiment):
    record = plan_confirmation(experiment, Confirm())
    write_verdict(experiment.paths, record)
    assert (record.seeds, record.more_seeds) == (tuple(range(1, 9)), tuple(range(9, 17)))
    train_look(experiment, record, record.seeds, OPEN)

    found = read_confirmation(experiment)

    assert set(found.needed) == {(trial, seed) for trial in (0, 1) for seed in record.more_seeds}
    assert (found.verdict, found.held_out, found.chosen) == (None, None, None)
    assert describe_confirmation(experiment, found) == ["the confirmation has not come to its end"]
    assert plan_confirmation(experiment, Confirm()) == record  # it goes on

    train_look(experiment, record, record.more_seeds, OPEN)
    (line, _) = describe_confirmation(experiment, read_confirmation(experiment))
    assert line.startswith("confirmed: the gain of 0.1 over the hardcoded values is real: 99.8% interval ")
    assert ", 16 fresh seeds; +0.1 in the search" in line


def test_a_confirmation_that_its_first_look_decides_needs_no_other(experiment):
    record = plan_confirmation(experiment, Confirm())
    train_look(experiment, record, record.seeds, SURE)

    found = judge_confirmation(experiment, record, read_retrained(experiment.paths))

    assert (found.needed, found.verdict.finding, len(found.verdict.seeds)) == ((), "gain", 8)


def test_a_confirmation_when_a_run_of_its_second_look_failed_then_there_is_no_verdict(experiment):
    record = plan_confirmation(experiment, Confirm())
    write_verdict(experiment.paths, record)
    train_look(experiment, record, record.seeds, OPEN)
    train_look(experiment, record, record.more_seeds[:-1], OPEN[:-1])
    train(experiment, 0, record.more_seeds[-1], 0.5)
    train(experiment, 1, record.more_seeds[-1], 0.0, Failure(kind="NaN", message="it is nan"))

    found = read_confirmation(experiment)

    assert (found.needed, found.verdict.finding, found.chosen) == ((), "incomplete", None)
    assert describe_confirmation(experiment, found) == [
        "not confirmed: no verdict: it failed with seed 16: NaN: it is nan"
    ]


def test_a_verdict_that_an_earlier_version_wrote_has_one_look(experiment):
    record = replace(plan_confirmation(experiment, Confirm()), more_seeds=())
    write_verdict(experiment.paths, record)
    text = experiment.paths.verdicts.read_text()
    experiment.paths.verdicts.write_text(text.replace('      "more_seeds": [],\n', ""))
    assert read_verdicts(experiment.paths) == (record,)
    train_look(experiment, record, record.seeds, OPEN)

    assert read_confirmation(experiment).verdict.finding == "noise"
