"""What makes ready for the report comes when the first trials are through, and once."""

import sys

import pytest

from tune.cli.terminal import report_at_end as at_end
from tune.cli.terminal.report_at_end import READY_AFTER_S, ReportAtEnd
from tune.cli.terminal.screen import Screen
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """Return what says that a trial of so many ended, and in how many of them something was made ready."""
    prepared = []
    monkeypatch.setattr(at_end, "preload_libraries", lambda: prepared.append(1))

    def search(n_trials, numbers, *, wanted=True):
        report = ReportAtEnd(Screen(quiet=True), ExperimentPaths(tmp_path), wanted=wanted)
        report.preload_after(n_trials)
        counts = []
        for number in numbers:
            report.on_trial_end(outcome(number))
            if report._thread is not None:
                report._thread.join()
            counts.append(len(prepared))
        return counts

    return search


def outcome(number):
    return TrialResult(
        number=number,
        version=f"{number:03}",
        values={},
        state="complete",
        score=1.0,
        best_epoch=1,
        curve={1: 1.0},
        measures={1: (1.0,)},
        reason=None,
    )


@pytest.mark.parametrize(
    ("n_trials", "counts"),
    [(1, [1]), (6, [1, 1, 1]), (20, [0, 1, 1]), (30, [0, 0, 1, 1]), (1000, [0, 0, 0])],
)
def test_it_is_made_ready_after_a_tenth_of_the_trials(ended, n_trials, counts):
    assert ended(n_trials, range(len(counts))) == counts


def test_it_is_made_ready_after_a_minute_at_the_latest(ended, monkeypatch):
    now = iter([100.0, 100.0 + READY_AFTER_S - 1, 100.0 + READY_AFTER_S])
    monkeypatch.setattr(at_end.time, "monotonic", lambda: next(now))

    assert ended(1000, [0, 1]) == [0, 1]


def test_who_wants_no_report_waits_for_none(ended):
    assert ended(1, [0], wanted=False) == [0]


def test_a_library_that_cannot_be_imported_beside_the_search_is_left_to_the_report(monkeypatch):
    monkeypatch.setattr(at_end, "LIBRARIES", ("no_such_library_at_all", "plotly"))

    at_end.preload_libraries()

    assert "plotly" in sys.modules
