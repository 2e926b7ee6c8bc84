"""A race over fresh seeds, and how sure the verdicts of a project have to be."""

import random
import statistics

import pytest

from tune.results.confirm.error_rate import ERROR_RATE, NORMAL_SHARE, count_needed_seeds, error_rate_of_verdict
from tune.results.confirm.race import find_hopeless, run_race
from tune.results.verdict import SeedRun, judge_gain

SEEDS = (1, 2, 3)


def test_race_when_a_seed_is_not_trained_then_every_trial_that_is_left_needs_it():
    standing = run_race([5, 3], SEEDS, {5: {1: 0.9}}, "max")

    assert standing.needed == ((3, 1),)
    assert standing.winner is None


def test_race_when_one_seed_is_trained_then_nothing_is_dropped():
    standing = run_race([5, 3], SEEDS, {5: {1: 0.9}, 3: {1: 0.1}}, "max")

    assert standing.dropped == {}
    assert standing.needed == ((5, 2), (3, 2))


def test_race_when_a_trial_is_hopeless_after_two_seeds_then_it_is_trained_no_more():
    scores = {5: {1: 0.90, 2: 0.91}, 3: {1: 0.50, 2: 0.52}, 4: {1: 0.905, 2: 0.90}}

    standing = run_race([5, 3, 4], SEEDS, scores, "max")

    assert standing.dropped == {3: 2}
    assert standing.needed == ((5, 3), (4, 3))


@pytest.mark.parametrize(("mode", "winner"), [("max", 4), ("min", 5)])
def test_race_when_all_seeds_are_trained_then_the_best_mean_wins(mode, winner):
    scores = {5: {1: 0.90, 2: 0.91, 3: 0.90}, 4: {1: 0.91, 2: 0.90, 3: 0.93}}

    standing = run_race([5, 4], SEEDS, scores, mode)

    assert (standing.winner, standing.needed, standing.n_seeds) == (winner, (), 3)


def test_race_when_means_are_equal_then_the_better_one_of_the_search_wins():
    scores = {5: {1: 0.9, 2: 0.8, 3: 0.7}, 4: {1: 0.7, 2: 0.8, 3: 0.9}}

    assert run_race([5, 4], SEEDS, scores, "max").winner == 5
    assert run_race([4, 5], SEEDS, scores, "max").winner == 4


def test_race_when_no_seed_changes_anything_then_two_of_them_decide():
    scores = {5: {1: 0.90, 2: 0.90}, 4: {1: 0.91, 2: 0.91}}

    assert run_race([5, 4], SEEDS, scores, "max").winner == 4


def test_race_when_a_run_failed_then_its_trial_cannot_win():
    scores = {5: {1: None}, 4: {1: 0.1}}

    standing = run_race([5, 4], SEEDS, scores, "max")

    assert (standing.winner, standing.dropped) == (4, {5: 1})


def test_race_when_all_runs_failed_then_nobody_wins():
    standing = run_race([5, 4], SEEDS, {5: {1: None}, 4: {1: None}}, "max")

    assert (standing.winner, standing.left, standing.needed) == (None, (), ())


def test_race_of_one_trial_needs_no_run():
    assert run_race([5], SEEDS, {}, "max").winner == 5


def test_race_when_runs_of_dropped_trials_are_there_all_the_same_then_they_change_nothing():
    scores = {5: {1: 0.90, 2: 0.91, 3: 0.9}, 3: {1: 0.50, 2: 0.52, 3: 99.0}}

    assert run_race([5, 3], SEEDS, scores, "max").winner == 5


def test_race_when_an_equal_trial_is_compared_then_it_is_dropped_as_rarely_as_the_level_says():
    draw = random.Random(0)
    pairs = [{trial: [draw.gauss(0, 1) for _ in SEEDS] for trial in (1, 2)} for _ in range(2000)]
    n_dropped = sum(len(find_hopeless(pair)) for pair in pairs)

    assert 0.08 < n_dropped / 2000 < 0.12  # 5% for each of the two


def test_error_rates_of_a_project_stay_below_the_whole_however_many_verdicts_follow():
    rates = [error_rate_of_verdict(number) for number in range(1, 100_000)]

    assert sum(rates) < NORMAL_SHARE * ERROR_RATE
    assert sum(rates) > 0.999 * NORMAL_SHARE * ERROR_RATE
    assert rates == sorted(rates, reverse=True)


def test_a_later_verdict_takes_more_seeds():
    assert [count_needed_seeds(error_rate_of_verdict(number)) for number in (1, 2, 20)] == [8, 10, 16]


@pytest.mark.parametrize("number", [1, 5])
def test_an_effect_of_three_deviations_is_found_nine_times_in_ten(number):
    draw, error_rate = random.Random(number), error_rate_of_verdict(number)
    seeds = range(count_needed_seeds(error_rate))

    def found():
        baseline = {seed: SeedRun(curve={1: draw.gauss(0, 1)}) for seed in seeds}
        candidate = {seed: SeedRun(curve={1: draw.gauss(3, 1)}) for seed in seeds}
        return judge_gain(baseline, candidate, "max", error_rate=error_rate).finding

    assert statistics.fmean(found() == "gain" for _ in range(1000)) > 0.88


def test_an_interval_of_a_lower_error_rate_is_wider_and_says_so():
    baseline = {seed: SeedRun(curve={1: score}) for seed, score in enumerate([0.80, 0.82, 0.81, 0.79, 0.83])}
    candidate = {seed: SeedRun(curve={1: score}) for seed, score in enumerate([0.90, 0.91, 0.92, 0.90, 0.92])}

    sentences = [judge_gain(baseline, candidate, "max", error_rate=rate).sentence for rate in (0.0304, 0.0012)]

    assert [each.partition(": ")[2] for each in sentences] == [
        "97% interval 0.0853 to 0.115",
        "99.9% interval 0.0633 to 0.137",
    ]
