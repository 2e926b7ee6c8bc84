"""What five seeds say of a gain, and what they do not."""

import random
import statistics

import pytest

from tune.results.confirm.error_rate import error_rate_of_verdict
from tune.results.verdict import SeedRun, judge_gain


def runs(scores, first=1):
    return {seed: SeedRun(curve={1: score - 1, 2: score}) for seed, score in enumerate(scores, first)}


LOW, HIGH = [0.80, 0.82, 0.81, 0.79, 0.83], [0.90, 0.91, 0.92, 0.90, 0.92]
REAL = "95% interval 0.0876 to 0.112"
CASES = {
    "a gain": (LOW, HIGH, "max", "gain", f"the gain of 0.1 over the hardcoded values is real: {REAL}"),
    "a gain where less is better": (
        HIGH,
        LOW,
        "min",
        "gain",
        f"the gain of 0.1 over the hardcoded values is real: {REAL}",
    ),
    "a loss": (
        HIGH,
        LOW,
        "max",
        "loss",
        "the loss of 0.1 against the hardcoded values is real: 95% interval 0.0876 to 0.112",
    ),
    "noise": (
        LOW,
        [0.81, 0.80, 0.83, 0.79, 0.82],
        "max",
        "noise",
        "not distinguishable from seed noise: a difference of +0, 95% interval -0.0196 to 0.0196",
    ),
    "few seeds, each better": (
        [0.68, 0.84, 0.78],
        [0.95, 0.945, 0.955],
        "max",
        "noise",
        (
            "3 seeds are too few to tell: better with each of them, by 0.183 on average, "
            "95% interval -0.0224 to 0.389; with as much scatter about 7 seeds would tell"
        ),
    ),
    "one seed": (
        [0.8],
        [0.9],
        "max",
        "one seed",
        "a difference of +0.1 with one seed says nothing of the noise: take --seeds 6",
    ),
    "one difference of two seeds": (
        [0.8, 0.7],
        [0.9, 0.8],
        "max",
        "one seed",
        "a difference of +0.1 with each of 2 seeds says nothing of the noise: take --seeds 6",
    ),
    "no difference of two seeds": (
        [0.8, 0.7],
        [0.8, 0.7],
        "max",
        "noise",
        "not distinguishable from seed noise: a difference of +0, 95% interval 0 to 0",
    ),
    "one difference of five seeds": (
        [0.5, 0.25, 0.5, 0.25, 0.5],
        [0.75, 0.5, 0.75, 0.5, 0.75],
        "max",
        "gain",
        "the gain of 0.25 over the hardcoded values is real: 95% interval 0.25 to 0.25",
    ),
    "the same again and again": (
        [0.8] * 3,
        [0.9] * 3,
        "max",
        "no seed",
        (
            "no verdict: the seed is not in force; 3 seeds gave the very same curve, of both configurations. "
            "The program may draw its random numbers from generators of its own."
        ),
    ),
}


@pytest.mark.parametrize(("theirs", "ours", "mode", "finding", "words"), CASES.values(), ids=CASES)
def test_a_verdict_in_words(theirs, ours, mode, finding, words):
    found = judge_gain(runs(theirs), runs(ours), mode)

    assert (found.finding, found.sentence) == (finding, words)


def test_a_configuration_that_never_varies_is_compared_all_the_same():
    assert judge_gain(runs([0.1] * 5), runs(HIGH), "max").finding == "gain"


def test_a_score_is_the_best_epoch():
    curve = {1: 0.5, 2: 0.9, 3: 0.7}

    assert SeedRun(curve=curve).best_score("max") == 0.9
    assert SeedRun(curve=curve).best_score("min") == 0.5


def test_a_run_that_failed_leaves_no_verdict_and_is_named():
    ours = runs(HIGH) | {3: SeedRun(curve={}, failure="NaN: Score/Val is nan in epoch 1")}
    found = judge_gain(runs(LOW), ours, "max")

    assert found.finding == "incomplete"
    assert found.sentence == "no verdict: it failed with seed 3: NaN: Score/Val is nan in epoch 1"
    assert found.seeds == (1, 2, 4, 5)


def test_a_run_that_is_missing_leaves_no_verdict():
    assert judge_gain(runs(LOW), runs(HIGH[:4]), "max").sentence == "no verdict: not every run finished"


def test_several_configurations_have_wider_intervals_that_hold_together():
    one, three = judge_gain(runs(LOW), runs(HIGH), "max"), judge_gain(runs(LOW), runs(HIGH), "max", n_compared=3)

    assert three.interval.low < one.interval.low
    assert three.sentence.endswith(" (together with 2 more)")


def simulated(rng, effect, n_seeds=5):
    return runs([rng.gauss(0, 1) for _ in range(n_seeds)]), runs([rng.gauss(effect, 1) for _ in range(n_seeds)])


@pytest.mark.parametrize(("effect", "finding"), [(0, "noise"), (3, "gain"), (-3, "loss")])
def test_of_two_thousand_retrainings_more_than_nine_in_ten_are_judged_rightly(effect, finding):
    rng = random.Random(0)
    found = [judge_gain(*simulated(rng, effect), "max").finding for _ in range(2000)]

    assert found.count(finding) / 2000 > 0.92


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_of_metrics_that_count_few_differences_are_called_real(n_seeds):
    rng, wrong = random.Random(0), 0
    for _ in range(2000):
        theirs, ours = ([sum(rng.random() < 0.97 for _ in range(30)) / 30 for _ in range(n_seeds)] for _ in range(2))
        wrong += judge_gain(runs(theirs), runs(ours), "max").finding in ("gain", "loss")

    assert wrong / 2000 < 0.06


def test_three_configurations_without_an_effect_are_seldom_called_real_together():
    rng, wrong = random.Random(0), 0
    for _ in range(1000):
        baseline = simulated(rng, 0)[0]
        each = [judge_gain(baseline, simulated(rng, 0)[1], "max", n_compared=3) for _ in range(3)]
        wrong += any(one.finding != "noise" for one in each)

    assert wrong / 1000 < 0.06


def test_as_many_seeds_as_are_said_to_be_enough_are_enough_if_they_scatter_as_much():
    error_rate = error_rate_of_verdict(1)
    theirs, gains = [0.0] * 3, [0.05, 0.2, 0.29]
    found = judge_gain(runs(theirs), runs(gains), "max", error_rate=error_rate)
    scale = found.interval.high - found.gain

    assert found.n_enough is not None
    mean, deviation = statistics.fmean(gains), statistics.stdev(gains)
    for n, finding in ((found.n_enough, "gain"), (found.n_enough - 1, "noise")):
        raw = [place - (n - 1) / 2 for place in range(n)]
        again = [mean + deviation * each / statistics.stdev(raw) for each in raw]
        judged = judge_gain(runs([0.0] * n), runs(again), "max", error_rate=error_rate_of_verdict(2))
        assert judged.finding == finding
    assert scale > mean


def test_seeds_that_disagree_are_noise_however_many_would_tell():
    assert judge_gain(runs([0.0] * 3), runs([0.3, 0.4, -0.01]), "max").n_enough is None
