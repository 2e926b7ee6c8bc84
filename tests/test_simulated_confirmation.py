"""Recorded curves with seed noise, and what is handed over of a search that keeps time for a race."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulate.confirm import SEARCH_ALONE, Cell, compute_regrets, read_rule, run_cell
from benchmarks.simulate.confirmation import RaceRule, hand_over, rank_until
from benchmarks.simulate.noise import SEED_NOISE, Noisy
from benchmarks.simulate.tables import open_table, scale_of
from benchmarks.simulate.trace import TrialTrace

N_EPOCHS = 4
RATES = [1e-4, 1e-3, 1e-2, 1e-1]


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A grid of learning rates, of which the best is 1e-2 and the last one diverges; an epoch takes 1 s."""
    loss = np.array([[0.9], [0.5], [0.4], [0.3]]) + np.linspace(0.3, 0, N_EPOCHS)
    loss[3, 1:] = np.nan
    file = tmp_path / "tiny.npz"
    np.savez(file, loss=loss, acc=1 - loss, epoch_time=np.ones(4), axes=json.dumps({"lr": RATES}))
    return f"{file}:loss"


def noisy_table(named: str, size: float) -> Noisy:
    return Noisy(open_table(named), scale_of(named), size, seed=7)


def trial_of(table: Noisy, rate: float, begins: float) -> TrialTrace:
    values, epoch_s = table.curve({"lr": rate})
    return TrialTrace({"lr": rate}, [begins + epoch_s * number for number in range(1, N_EPOCHS + 1)], values.tolist())


def test_noise_is_that_of_the_seed_and_leaves_the_true_value(table):
    noisy, config, scale = noisy_table(table, 2), {"lr": 1e-2}, scale_of(table)
    assert noisy.curve(config)[0] == pytest.approx(noisy.train(config, 7)[0])
    scores = [noisy.train(config, seed)[0][-1] for seed in range(2000)]
    assert np.mean(scores) == pytest.approx(0.4, abs=0.01)
    assert np.std(scores) == pytest.approx(2 * SEED_NOISE * (scale.median - scale.best), rel=0.1)
    assert noisy.true_value(config) == pytest.approx(0.4)
    assert noisy.true_value({"lr": 1e-1}) == math.inf
    assert noisy_table(table, 0).train(config, 3)[0] == pytest.approx(open_table(table).curve(config)[0])


def test_trials_are_ranked_by_what_was_reported_until_then(table):
    noisy = noisy_table(table, 0)
    trace = [trial_of(noisy, rate, 0.0) for rate in (1e-4, 1e-1, 1e-2)] + [trial_of(noisy, 1e-3, 4.0)]
    assert rank_until(trace, 0.5) == []
    assert rank_until(trace, 1.0) == [1, 2, 0]  # the one that will diverge is ahead
    assert rank_until(trace, 8.0) == [2, 3, 0]


def test_race_uncovers_the_lucky_trial(table):
    noisy = noisy_table(table, 0.5)
    trace = [trial_of(noisy, rate, 0.0) for rate in (1e-2, 1e-3)]
    trace[1].values[-1] = 0.1  # luck: its mean is 0.5
    alone = hand_over(trace, noisy, SEARCH_ALONE, 2, 100.0)
    raced = hand_over(trace, noisy, RaceRule(top=2, seeds=3, share=0.2), 2, 100.0)
    assert (alone.config["lr"], alone.n_trials, alone.searched_s) == (1e-3, 0, 100.0)
    assert (raced.config["lr"], raced.n_trials, raced.searched_s) == (1e-2, 2, 88.0)
    assert raced.n_seeds in (2, 3)


@pytest.mark.parametrize(("size", "share"), [(0.0, 0.4), (0.5, 0.05)], ids=["no noise", "no time"])
def test_search_keeps_its_budget_where_there_is_no_noise_or_no_time_for_a_race(size, share, table):
    noisy = noisy_table(table, size)
    trace = [trial_of(noisy, rate, 0.0) for rate in (1e-4, 1e-3, 1e-2)]
    found = hand_over(trace, noisy, RaceRule(top=3, seeds=3, share=share), 1, 100.0)
    assert (found.n_trials, found.searched_s) == (0, 100.0)


def test_outcome_of_a_search_has_each_rule_and_regrets_of_true_values(table):
    cell = Cell(table=table, n_workers=2, seed=0, noise=1, trainings=20)
    outcome = run_cell(cell, [SEARCH_ALONE, read_rule("3x2@0.5")])
    assert [each.n_trials for each in outcome.handed_over] == [0, 3]
    assert compute_regrets([outcome])[0].tolist() == pytest.approx([(value - 0.4) / 0.1 for value in outcome.values])


def test_rules_are_written_as_they_are_read():
    assert [str(read_rule(text)) for text in ("5x3@0.2", "3x2@0.1!")] == ["5x3@0.2", "3x2@0.1!"]
    with pytest.raises(ValueError, match="invalid literal"):
        read_rule("five")
