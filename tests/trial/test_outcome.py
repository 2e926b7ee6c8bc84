"""The Pareto front holds what nobody beats in one metric without losing in another."""

import math
import random
from dataclasses import replace

import pytest

from tune.experiment.trial_result import TrialResult, dominates, pareto_front, rank_trials


def outcome(number, *scores, state="complete"):
    return TrialResult(
        number=number,
        version=f"{number:03d}",
        values={},
        state=state,
        score=scores[0] if scores else None,
        best_epoch=1 if scores else None,
        curve={1: scores[0]} if scores else {},
        measures={1: scores} if scores else {},
        reason=None,
    )


FRONTS = [
    ("max max", [(1, 1), (2, 2)], [1]),
    ("max max", [(1, 2), (2, 1), (0, 0)], [1, 0]),
    ("max min", [(1, 1), (2, 2), (2, 1)], [2]),
    ("min min", [(1, 3), (1, 2), (1, 1)], [2]),
    ("max max", [(1, 1), (1, 1)], [0]),
    ("max min", [(3, 9), (2, 5), (1, 1), (1, 0), (2.5, 10)], [0, 1, 3]),
    ("max min", [(1, math.nan), (0, 1)], [1]),
    ("max min max", [(1, 1, 1), (1, 1, 2), (2, 1, 0), (0, 0, 0)], [2, 1, 3]),
]


@pytest.mark.parametrize(("modes", "scores", "front"), FRONTS)
def test_the_front_is_what_nobody_beats(modes, scores, front):
    outcomes = [outcome(number, *each) for number, each in enumerate(scores)]

    assert [each.number for each in pareto_front(outcomes, modes.split())] == front


def test_trials_that_failed_or_have_no_score_are_in_no_front():
    outcomes = [outcome(0, 9, 9, state="failed"), outcome(1), outcome(2, 1, 1, state="pruned")]

    assert [each.number for each in pareto_front(outcomes, ["max", "max"])] == [2]


def test_the_front_of_many_is_that_of_its_definition():
    rng = random.Random(0)
    outcomes = [outcome(number, rng.randint(0, 30), rng.randint(0, 30)) for number in range(300)]
    modes = ["max", "min"]

    front = {each.scores for each in pareto_front(outcomes, modes)}
    assert front == {
        each.scores for each in outcomes if not any(dominates(other.scores, each.scores, modes) for other in outcomes)
    }


def folds(number, *means, n_fits=3):
    """Return a trial whose curve is the running mean over fits."""
    curve = dict(enumerate(means, start=1))
    return replace(outcome(number, means[-1]), curve=curve, best_epoch=len(means), n_fits=n_fits)


def test_standard_error_when_a_score_is_a_mean_then_it_is_that_of_the_fits_scores():
    trial = folds(0, 0.75, 0.8125, 0.875)  # of 0.75, 0.875 and 1.0

    assert trial.standard_error == pytest.approx(0.125 / 3**0.5)
    assert trial.score_origin == "as the mean of 3 fits (standard error 0.072)"
    assert (folds(0, 0.75).standard_error, outcome(0, 0.75).standard_error) == (None, None)
    assert replace(folds(0, 0.75), state="pruned").score_origin == "as the mean of 1 of 3 fits"


def test_ranked_when_a_mean_is_of_fewer_fits_then_it_comes_behind_all_whole_ones():
    trials = [folds(0, 0.5, 0.5, 0.5), folds(1, 0.9), folds(2, 0.6, 0.6, 0.6), folds(3, 0.8, 0.8)]
    trials = [replace(each, state="pruned" if len(each.curve) < 3 else "complete") for each in trials]

    assert [each.number for each in rank_trials(trials, "max")] == [2, 0, 1, 3]
