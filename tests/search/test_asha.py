"""Who goes on: rungs at 1, 4, 16... epochs, one judgement each, a quota of those that pass."""

import math
import random

import pytest

from tests.projects import write_program
from tune.promotion.program import find_program
from tune.search.schedulers.asha import Asha, grace_period_of, latest_grace_period_of
from tune.search.schedulers.build_scheduler import build_scheduler
from tune.search.schedulers.scheduler import SchedulerDecision, TrialScheduler
from tune.search.schedulers.trial_length import count_reports
from tune.space.space_file import read_space


def stops(rule, trial, epoch, value):
    return rule.on_trial_result(trial, epoch, value) is SchedulerDecision.STOP


def judged(rule, values, epoch=1, first=0):
    """Return who goes on of trials that reach one epoch in turn."""
    return [not stops(rule, trial, epoch, value) for trial, value in enumerate(values, first)]


# On one rung n arrivals leave room for n / 4 + 1, a new best always passes.
TABLES = {
    "the first passes, worse ones end": ("max", [5, 4, 3, 2, 1], [1, 0, 0, 0, 0]),
    "less is better": ("min", [1, 2, 3, 0.5, 9], [1, 0, 0, 1, 0]),
    "each new best passes, whatever the quota": ("max", [1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1]),
    "equal to the best counts as the best": ("max", [5, 5, 5], [1, 1, 1]),
    # 9 passes at the second place; then 3 of 4 (8, 9, 10) have passed: 8.9 is in the best quarter of five, no room
    "no room": ("max", [8, 9, 10, 1, 9.9], [1, 1, 1, 0, 0]),
    # 1.5 against the 0.75 quantile of 10, 1, 1, 1, 1, which is 1
    "room, and among the best quarter": ("max", [10, 1, 1, 1, 1, 1.5], [1, 0, 0, 0, 0, 1]),
}


@pytest.mark.parametrize(("mode", "values", "goes_on"), TABLES.values(), ids=TABLES)
def test_a_rung_lets_the_best_quarter_pass(mode, values, goes_on):
    assert judged(Asha(mode), values) == [bool(flag) for flag in goes_on]


def test_a_trial_is_compared_by_its_best_epoch_so_far():
    rule = Asha("max")
    rule.on_trial_result(0, 4, 0.8)

    curve = enumerate([0.65, 0.85, 0.933, 0.757], 1)
    assert not any(stops(rule, 1, epoch, value) for epoch, value in curve)
    assert stops(rule, 2, 4, 0.9)  # behind the 0.933 of trial 1
    assert not stops(rule, 3, 4, 0.94)


def test_of_means_over_fits_the_last_one_counts():
    rule = Asha("max")
    rule.set_trial_length(5, is_mean=True)
    rule.on_trial_result(0, 4, 0.8)

    curve = enumerate([0.65, 0.85, 0.933, 0.757], 1)
    assert [stops(rule, 1, epoch, value) for epoch, value in curve] == [False, False, False, True]


def test_less_is_better_for_the_best_epoch_where_the_mode_is_min():
    rule = Asha("min")
    rule.on_trial_result(0, 4, 0.5)

    assert not any(stops(rule, 1, epoch, value) for epoch, value in enumerate([0.3, 0.4, 0.5, 0.6], 1))


def test_the_values_of_a_failed_trial_are_removed_from_all_rungs():
    rule = Asha("max")
    for epoch in (1, 4):
        rule.on_trial_result(0, epoch, 9.0)  # ahead at first

    rule.on_trial_end(0, failed=True)

    assert judged(rule, [1.0], epoch=1, first=1) == [True]
    assert judged(rule, [1.0], epoch=4, first=1) == [True]


def test_the_values_of_a_trial_that_was_stopped_or_completed_stay_in_the_rungs():
    rule = Asha("max")
    rule.on_trial_result(0, 1, 9.0)

    rule.on_trial_end(0)

    assert judged(rule, [1.0], first=1) == [False]


def test_a_failed_trial_takes_no_place_of_those_that_pass():
    rule = Asha("max")
    assert judged(rule, [9, 10, 1, 1, 1, 1]) == [True, True, False, False, False, False]

    rule.on_trial_end(0, failed=True)

    # 5 others, of which 1 passed; with the failed one, 2 would have passed, and 6 / 4 + 1 is the quota
    assert judged(rule, [1.5], first=6) == [True]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_are_removed_as_soon_as_one_is_not_finite(value):
    rule = Asha("max")
    rule.on_trial_result(0, 1, 9.0)

    assert stops(rule, 0, 2, value)
    assert judged(rule, [1.0], first=1) == [True]


def test_before_the_grace_period_nobody_is_judged():
    rule = Asha("max", grace_period=3)

    assert judged(rule, [9, 1], epoch=1) == [True, True]
    assert judged(rule, [9, 1], epoch=2) == [True, True]
    assert judged(rule, [9, 1], epoch=3) == [True, False]


@pytest.mark.parametrize(
    ("n_epochs", "grace_period"), [(None, 1), (1, 1), (11, 1), (12, 2), (17, 2), (18, 3), (50, 3), (1000, 3)]
)
def test_the_grace_period_grows_with_the_training_from_1_to_3_epochs(n_epochs, grace_period):
    assert grace_period_of(n_epochs) == grace_period


@pytest.mark.parametrize(("n_epochs", "latest"), [(None, 1), (1, 1), (4, 1), (5, 2), (10, 4), (20, 8), (100, 40)])
def test_no_start_is_so_long_that_most_of_a_training_goes_by_before_the_first_judgement(n_epochs, latest):
    assert latest_grace_period_of(n_epochs) == latest


@pytest.mark.parametrize(("start", "first"), [(0.0, 1), (0.7, 1), (1.4, 3), (2.0, 4), (99.0, 4)])
def test_who_takes_long_to_start_is_judged_later(start, first):
    rule = Asha("max", latest=4)
    rule.set_startup_epochs(start)
    for trial in (1, 2):
        rule.on_trial_add(trial)

    assert rule.decision_epochs(1)[:2] == [first, 4 * first]
    stopped = [epoch for epoch in range(1, 5) if (stops(rule, 1, epoch, 1.0), stops(rule, 2, epoch, 0.0))[1]]
    assert stopped[0] == first


def test_a_grace_period_that_somebody_asked_for_stays():
    rule = Asha("max", grace_period=2)
    rule.set_startup_epochs(50.0)
    rule.on_trial_add(1)

    assert rule.decision_epochs(1)[0] == 2


def test_who_runs_when_the_start_is_known_is_judged_where_he_was_told():
    rule = Asha("max", latest=4)
    for trial in (1, 2, 3):
        rule.on_trial_add(trial)
    assert not stops(rule, 1, 1, 1.0)
    rule.set_startup_epochs(1.5)
    rule.on_trial_add(4)

    assert stops(rule, 2, 1, 0.0)
    assert rule.decision_epochs(3)[:2] == [1, 4]
    assert rule.decision_epochs(4)[:2] == [3, 12]
    assert not stops(rule, 4, 1, 0.0)


def test_the_baseline_which_nobody_opens_keeps_its_rungs():
    rule = Asha("max", latest=4)
    rule.set_startup_epochs(2.0)

    assert rule.decision_epochs(0)[:2] == [1, 4]


def test_a_start_that_is_measured_again_counts_alone():
    rule = Asha("max", latest=4)
    rule.set_startup_epochs(1e308)
    rule.set_startup_epochs(0.9)
    rule.on_trial_add(1)

    assert rule.decision_epochs(1)[:2] == [2, 8]


def test_a_rung_knows_who_reached_it_before_the_start_was_known():
    rule = Asha("max", latest=4)
    rule.on_trial_add(1)
    rule.on_trial_result(1, 4, 1.0)
    rule.set_startup_epochs(2.0)
    rule.on_trial_add(2)

    assert stops(rule, 2, 4, 0.5)


def open_rule_with_history(curves, factor=4):
    """Return a rule that knows the start since these trials ended, by which others are judged after epoch 3."""
    rule = Asha("max", latest=4, reduction_factor=factor)
    for trial, curve in enumerate(curves):
        rule.on_trial_add(trial)
        for epoch, value in enumerate(curve, 1):
            rule.on_trial_result(trial, epoch, value)
        rule.on_trial_end(trial)
    rule.set_startup_epochs(1.5)
    return rule


def goes_on(rule, trial, curve):
    rule.on_trial_add(trial)
    return [not stops(rule, trial, epoch, value) for epoch, value in enumerate(curve, 1)]


def test_who_is_judged_later_is_compared_with_what_those_before_had_reached_by_then():
    rule = open_rule_with_history([[0.6, 0.7, 0.8, 0.9], [0.5], [0.4], [0.3]])

    assert goes_on(rule, 4, [0.55] * 3) == [True, True, False]  # after one epoch it would have passed
    assert goes_on(rule, 5, [0.1, 0.2, 0.81]) == [True, True, True]  # a new best of what they had after 3


def test_who_was_stopped_before_counts_with_its_best():
    rule = open_rule_with_history([[0.6, 0.7, 0.8], [0.5], [0.4], [0.3], [0.2]])

    assert goes_on(rule, 5, [0.1, 0.1, 0.55]) == [True, True, True]  # the second of six


def test_those_that_passed_before_take_their_places():
    rule = open_rule_with_history([[0.2] * 3, [0.3] * 3, [0.4] * 3, [0.1]])  # three of four passed, as new bests

    assert goes_on(rule, 4, [0.35] * 3) == [True, True, False]
    assert goes_on(rule, 5, [0.5] * 3) == [True, True, True]


def test_a_failed_trial_of_before_counts_for_nobody_later():
    rule = open_rule_with_history([[0.9] * 3, [0.1]])
    rule.on_trial_end(0, failed=True)

    assert goes_on(rule, 2, [0.2] * 3) == [True, True, True]


def test_who_still_runs_when_the_start_is_known_counts_with_what_it_has():
    rule = open_rule_with_history([[0.1]])
    rule._first_of[9] = 1  # opened before
    assert not stops(rule, 9, 1, 0.4)

    assert goes_on(rule, 2, [0.3] * 3) == [True, True, False]
    assert not stops(rule, 9, 4, 0.45)  # on its own second rung


def build_rule(folder, constant, settings):
    """Return the scheduler of a space file with such settings, for a program with such a constant."""
    program = write_program(folder, "program", f"LR = 1e-3\n{constant}\n")
    file = folder / "space.yaml"
    file.write_text(
        f"system: program.py\nmetric: Loss\nmode: min\nconstants:\n  LR: {{loguniform: [1e-4, 1e-2]}}\n{settings}\n"
    )
    space, found = read_space(file), find_program(program)
    return build_scheduler(space, found, count_reports(space, found, None))


@pytest.mark.parametrize(
    ("constant", "settings", "first"),
    [
        ("MAX_EPOCHS = 27", "", 3),
        ("MAX_EPOCHS = 9", "", 1),
        ("MAX_EPOCHS = 27", "trainer: {max_epochs: 12}", 2),
        ("MAX_EPOCHS = 27", "scheduler_args: {grace_period: 1}", 1),
        ("N = 3", "", 1),
    ],
)
def test_a_search_judges_first_after_a_sixth_of_the_training_unless_told(tmp_path, constant, settings, first):
    rule = build_rule(tmp_path, constant, settings)

    stopped = [epoch for epoch in (1, 2, 3) if (stops(rule, 1, epoch, 0.0), stops(rule, 2, epoch, 1.0))[1]]
    assert stopped == [first]


@pytest.mark.parametrize(("settings", "first"), [("", 10), ("scheduler_args: {grace_period: 1}", 1)])
def test_a_search_whose_trials_take_long_to_start_judges_them_later_unless_told(tmp_path, settings, first):
    rule = build_rule(tmp_path, "MAX_EPOCHS = 27", settings)
    rule.set_startup_epochs(100.0)
    rule.on_trial_add(1)

    assert rule.decision_epochs(1)[0] == first


@pytest.mark.parametrize(("factor", "rungs"), [(4, [1, 4, 16]), (2, [1, 2, 4, 8, 16]), (1.5, [1, 2, 3, 5, 8, 11, 17])])
def test_rungs_stand_at_powers_of_the_reduction_factor(factor, rungs):
    def falls_behind_at(last):
        rule = Asha("max", reduction_factor=factor)
        for epoch in range(1, last + 1):
            stops(rule, 0, epoch, 1.0 if epoch < last else 2.0)
            ends = stops(rule, 1, epoch, 1.0)
        return ends

    assert [epoch for epoch in range(1, 18) if falls_behind_at(epoch)] == rungs


def test_a_trial_is_judged_once_on_a_rung():
    rule = Asha("max")
    assert judged(rule, [5, 9], epoch=1) == [True, True]

    assert [stops(rule, 0, epoch, 0.0) for epoch in (2, 3)] == [False, False]
    assert stops(rule, 1, 4, 9.0) is False
    assert stops(rule, 0, 4, 0.0) is True


def test_a_trial_that_skips_epochs_is_judged_at_the_first_it_reports_there():
    rule = Asha("max")
    assert judged(rule, [9, 8], epoch=5) == [True, False]  # both on the rung of epoch 4

    assert stops(rule, 0, 15, 0.0) is False
    assert stops(rule, 0, 17, 0.0) is False  # alone on the rung of epoch 16
    assert stops(rule, 2, 40, -1.0) is True


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "rule",
    [Asha("max", grace_period=9), Asha("min", grace_period=9), TrialScheduler()],
    ids=["asha max", "asha min", "none"],
)
def test_what_is_not_finite_ends_at_once_and_counts_for_nobody(rule, value):
    assert stops(rule, 0, 1, value) is True
    assert stops(rule, 0, 9, value) is True
    assert stops(rule, 1, 9, 0.0) is False


def test_without_a_scheduler_every_trial_runs_to_its_end():
    assert judged(TrialScheduler(), [9, 1, 0], epoch=4) == [True, True, True]


def test_the_grace_period_and_the_reduction_factor_are_taken():
    rule = Asha("max", grace_period=2, reduction_factor=3)

    assert judged(rule, [9, 1], epoch=1) == [True, True]
    assert judged(rule, [9, 1], epoch=2) == [True, False]
    assert judged(rule, [9, 1], epoch=6) == [True, False]


def test_of_many_in_random_order_about_a_quarter_pass():
    rng = random.Random(0)
    passed = sum(judged(Asha("max"), [rng.random() for _ in range(400)]))

    assert 80 <= passed <= 400 / 4 + 1 + 6  # 6: new bests, of which 400 random arrivals have about ln 400


def test_the_rungs_above_a_trial_are_told_unless_they_are_too_many():
    rule = Asha("max")
    assert rule.decision_epochs(0)[:4] == [1, 4, 16, 64]
    rule.on_trial_result(0, 5, 1.0)
    assert rule.decision_epochs(0)[:2] == [16, 64]
    assert rule.decision_epochs(1)[:2] == [1, 4]
    assert Asha("max", reduction_factor=1.1).decision_epochs(0) is None
