"""What ``benchmarks.attack`` calls wrong; the attacks themselves take minutes, and are no test."""

import random

import pytest

from benchmarks.attack.__main__ import run_attack, tabulate
from benchmarks.attack.damage import DAMAGES
from benchmarks.attack.searches import Findings, Said, StoppedError, reports_twice, stop_asked

WRONG = {
    "a status": (Said(1, "", 1.0), "list: status 1\n"),
    "a wait": (Said(0, "", 61.0), "list: it took 61 s"),
    "a traceback": (Said(0, "Traceback (most recent call last)", 1.0), "list: a traceback\nTraceback"),
    "a control character": (Said(0, "a\x1b[31m", 1.0), "list: control characters ['\\x1b']"),
    "a mark that turns text": (Said(0, "a\u202eb", 1.0), "list: control characters ['\\u202e']"),
}


@pytest.mark.parametrize(("said", "problem"), WRONG.values(), ids=WRONG)
def test_what_a_command_says_wrong_is_found(said, problem):
    found = Findings("an attack")
    found.check_output(said, "list", (0, 2))

    (only,) = found.problems
    assert only.startswith(problem)


def test_what_a_command_says_right_is_no_problem():
    found = Findings("an attack")
    found.check_output(Said(2, "no such file\n\tTry another.\n", 59.0), "list", (0, 2))

    assert (found.problems, found.slowest_s) == ([], 59.0)


def test_an_epoch_that_stands_twice_in_a_ledger_is_found(tmp_path):
    report = '{{"op_code":7,"worker_id":"w","trial_id":{},"step":{},"intermediate_value":0.5}}\n'
    (tmp_path / "study.journal").write_text(report.format(0, 1) + report.format(1, 1) + report.format(0, 2))
    assert reports_twice(tmp_path) == []

    with (tmp_path / "study.journal").open("a") as file:
        file.write(report.format(1, 1))
    assert len(reports_twice(tmp_path)) == 1


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damage_changes_a_file_and_its_seed_repeats_it(how):
    whole = bytes(range(200))
    damaged = DAMAGES[how](whole, random.Random(3))
    assert damaged == DAMAGES[how](whole, random.Random(3)) != whole
    assert len(damaged) < 200 if how == "cut" else sum(a != b for a, b in zip(damaged, whole, strict=True)) == 1


@pytest.mark.parametrize(
    ("error", "wrong"), [(AssertionError("nothing was found"), 1), (TimeoutError(), 1), (StoppedError(), 0), (None, 0)]
)
def test_an_attack_that_ends_early_keeps_what_it_found_and_lets_the_next_one_begin(monkeypatch, error, wrong):
    made = []
    monkeypatch.setattr("benchmarks.attack.searches.made", made)

    def attack():
        found = Findings("kills")
        found.n, found.slowest_s = 3, 7.5
        if error is not None:
            raise error

    run_attack("driver", attack)
    assert sum(len(each.problems) for each in made) == wrong
    assert tabulate(made).splitlines()[-1].split() == ["all", "3", str(wrong), "7.5"]


def test_an_attack_that_is_to_stop_ends_with_its_next_command_where_ray_took_what_was_raised():
    found = Findings("an attack")

    def attack():
        stop_asked.set()
        found.check_output(Said(-1, "SystemError", 1.0), "resume", (0,))

    run_attack("damage", attack)
    assert found.problems == []
