"""The simulated verdicts: their distributions are what they are said to be, and what is false is found to be so."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import nctdtr, stdtrit

from benchmarks.verdict.alternatives import TESTS, compute_p_of_permuted_welch, measure_test
from benchmarks.verdict.keeping import N_PROPOSALS, run_session
from benchmarks.verdict.overtuning import (
    N_SEEDS,
    N_VALIDATED,
    draw_right,
    fit_digits,
    judge_over_parts,
    search_and_hold_out,
)
from benchmarks.verdict.simulated import N_SEARCHES, NOISES, count_false_sequences, count_found_effects, judge_fresh
from tune.results.confirm.error_rate import count_needed_seeds, error_rate_of_verdict
from tune.results.confirm.looks import FIRST_SHARE, OPEN_LEVEL


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_its_mean_and_one_standard_deviation(kind):
    rng = np.random.default_rng(0)
    drawn = np.array([NOISES[kind].draw(rng, 0.0)(50) for _ in range(2000)])
    scale = 0.069 if kind == "accuracies" else 1.0
    centre = 0.6 if kind == "accuracies" else 0.0
    assert drawn.mean() == pytest.approx(centre, abs=0.03 * scale)
    assert np.sqrt(drawn.var(1, ddof=1).mean()) == pytest.approx(scale, rel=0.25 if kind == "collapses" else 0.05)


def test_verdicts_of_a_null_program_are_seldom_false_and_find_an_effect():
    rng = np.random.default_rng(0)
    normal = NOISES["normal"]
    assert count_false_sequences(normal, 20, 5, rng) <= 3  # 0.5 are expected
    assert count_found_effects(normal, 40, 6, 1, rng) >= 33  # 38 are expected


@pytest.mark.parametrize(("number", "effect", "found"), [(1, 2, 0.91), (1, 1, 0.25), (5, 2, 0.96), (200, 3, 1.0)])
def test_power_of_two_looks_is_the_one_that_the_page_on_confirmations_tells(number, effect, found):
    rng = np.random.default_rng(0)
    error_rate = error_rate_of_verdict(number)
    n_found = sum(
        judge_fresh(rng.standard_normal, lambda n: effect + rng.standard_normal(n), error_rate).verdict.finding
        == "gain"
        for _ in range(600)
    )
    assert n_found / 600 == pytest.approx(found, abs=0.05)


@pytest.mark.parametrize(("number", "n_seeds", "effect", "found"), [(1, 5, 3, 0.61), (2, 5, 3, 0.28), (5, 5, 3, 0.07)])
def test_power_of_one_look_is_the_one_that_the_page_on_confirmations_tells(number, n_seeds, effect, found):
    critical = stdtrit(n_seeds - 1, 1 - error_rate_of_verdict(number) / 2)
    power = 1 - nctdtr(n_seeds - 1, effect * np.sqrt(n_seeds / 2), critical)
    assert round(float(power), 2) == found


def test_verdicts_on_exponential_differences_err_more_often_than_the_whole_error_rate():
    rng = np.random.default_rng(0)
    right = 1.0
    for number in range(1, N_SEARCHES + 1):
        error_rate = error_rate_of_verdict(number)
        n_seeds = count_needed_seeds(error_rate)
        drawn = rng.exponential(size=(20_000, 2 * n_seeds)) - 1
        first, second = (each.mean(1) / each.std(1, ddof=1) for each in (drawn[:, :n_seeds], drawn))
        reach = [
            stdtrit(n_seeds - 1, 1 - rate / 2) / np.sqrt(n_seeds) for rate in (FIRST_SHARE * error_rate, OPEN_LEVEL)
        ]
        of_both = stdtrit(2 * n_seeds - 1, 1 - (1 - FIRST_SHARE) * error_rate / 2) / np.sqrt(2 * n_seeds)
        is_open = (np.abs(first) <= reach[0]) & (np.abs(first) > reach[1])
        right *= 1 - np.mean((np.abs(first) > reach[0]) | is_open & (np.abs(second) > of_both))
    assert 1 - right == pytest.approx(0.18, abs=0.02)


def test_the_rule_keeps_about_four_of_a_hundred_proposals_that_change_nothing_and_the_verdict_seldom_lets_one_pass():
    rng = np.random.default_rng(0)
    sessions = [run_session(NOISES["normal"], N_PROPOSALS, rng) for _ in range(200)]
    expected = sum(1 / n for n in range(2, N_PROPOSALS + 2))  # 4.2: the n-th of equal draws is the best so far

    assert np.mean([each.n_kept for each in sessions]) == pytest.approx(expected, abs=0.4)
    assert np.mean([each.n_kept > 0 for each in sessions]) > 0.95
    assert sum(each.n_passed > 0 for each in sessions) <= 10  # one in twenty; 4 are expected
    assert all(each.n_trained >= 12 * each.n_kept for each in sessions)


def test_the_verdict_lets_a_proposal_pass_that_is_better():
    rng = np.random.default_rng(0)
    better = replace(NOISES["normal"], draw=lambda rng, mean: _draw_next(rng, iter_means))
    found = []
    for _ in range(20):
        iter_means = iter([0.0, 6.0])
        found.append(run_session(better, 1, rng))

    assert [each.n_kept for each in found] == [1] * 20
    assert sum(each.n_passed for each in found) == 20


def _draw_next(rng, means):
    mean = next(means)
    return lambda n: mean + rng.standard_normal(n)


def test_verdict_over_parts_needs_a_gain_beyond_what_differs_by_seed_and_by_part():
    rng = np.random.default_rng(0)
    of_parts = np.linspace(-1, 1, 10)[None, :]
    of_seeds = np.linspace(-1, 1, 6)[:, None]
    rest = 0.1 * rng.standard_normal((6, 10))
    found = [judge_over_parts(mean + of_parts + of_seeds + rest, 0.05) for mean in (-2.0, 0.5, 2.0)]
    assert found == ["loss", "noise", "gain"]
    assert judge_over_parts(0.6 + of_parts + 0 * of_seeds, 0.05) == "gain"
    assert judge_over_parts(0.3 + of_parts + 0 * of_seeds, 0.05) == "noise"
    assert judge_over_parts(np.zeros((6, 10)), 0.05) == "noise"


def test_seeds_alone_take_what_is_right_on_these_samples_for_a_gain():
    rng = np.random.default_rng(0)
    found = [search_and_hold_out(draw_right(0.9, 8, N_SEEDS, N_VALIDATED + 100, rng), 100, rng) for _ in range(60)]
    assert sum(each.validation == "gain" for each in found) > 30
    assert sum(each.seeds == "gain" for each in found) > 10
    assert sum(each.parts == "gain" for each in found) <= 4


@pytest.mark.parametrize("name", TESTS)
def test_each_alternative_has_small_p_values_where_there_is_an_effect_alone(name):
    rng = np.random.default_rng(0)
    null = [TESTS[name](*rng.standard_normal((2, 8)), rng) for _ in range(100)]
    theirs, noise = rng.standard_normal((2, 8))

    assert np.mean(null) == pytest.approx(0.5, abs=0.1)
    assert 0.01 <= np.mean(np.array(null) < 0.1) <= 0.25
    assert TESTS[name](theirs, theirs + 10 + 0.1 * noise, rng) < 0.01
    assert TESTS[name](theirs, theirs - 10 + 0.1 * noise, rng) < 0.01


def test_the_permutation_of_welchs_t_counts_each_division_once():
    rng = np.random.default_rng(0)
    found = compute_p_of_permuted_welch(np.arange(4.0), np.arange(4.0) + 100, rng)

    assert found == pytest.approx(2 / 70)  # of 8 choose 4 divisions this one and its mirror are the most extreme


def test_alternatives_are_measured_on_the_same_cases():
    found = [measure_test(TESTS["Student's t of the pairs"], "normal", 200, 3.0, 0) for _ in range(2)]

    assert found[0] == found[1] > 0.85


def test_digits_have_the_best_configuration_first():
    right = fit_digits(3, 2)
    assert right.shape[:2] == (3, 2)
    means = right.mean((1, 2))
    assert list(means) == sorted(means, reverse=True)
    assert means[0] > 0.8
