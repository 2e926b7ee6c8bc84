"""The arithmetic of ``benchmarks.many_workers``."""

import pytest

from benchmarks.many_workers.busy import Span, Stay, busy_share, steady_span


def test_steady_span_when_a_worker_starts_late_then_it_begins_with_it_and_ends_with_the_first_to_be_through():
    stays = [Stay(1, 0, 5, 4), Stay(1, 5, 10, 4), Stay(2, 3, 8, 4), Stay(2, 8, 13, 4)]
    assert steady_span(stays) == Span(3, 10)


def test_busy_share_when_trials_wait_a_fifth_of_their_stay_then_it_is_four_fifths():
    stays = [Stay(1, 0, 5, 4), Stay(1, 5, 10, 4), Stay(2, 0, 10, 8)]
    assert busy_share(stays, Span(2, 9), n_workers=2) == pytest.approx(0.8)


def test_busy_share_when_a_worker_has_no_trial_then_it_counts_as_idle():
    assert busy_share([Stay(1, 0, 10, 10)], Span(0, 10), n_workers=2) == pytest.approx(0.5)
    assert busy_share([Stay(1, 0, 4, 4), Stay(1, 6, 10, 4)], Span(0, 10), n_workers=1) == pytest.approx(0.8)
