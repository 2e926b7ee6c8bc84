"""The arithmetic of ``benchmarks.time_to_good``, and its programs as systems that train."""

import importlib
import math
import random
from dataclasses import replace

import pytest

from benchmarks.peers.limit import draw, points
from benchmarks.peers.ours import command
from benchmarks.results_file import ResultsFile
from benchmarks.time_to_good.__main__ import FULL, TARGET, tasks_of
from benchmarks.time_to_good.problems import PROBLEMS
from benchmarks.time_to_good.table import show, times
from benchmarks.time_to_good.target import first_reached, target_between
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.space.space_file import read_space


def test_target_when_less_is_better_then_it_lies_below_the_baseline():
    assert target_between(1.0, 0.2) == pytest.approx(0.24)
    assert target_between(0.8, 1.0) == pytest.approx(0.99)


@pytest.mark.parametrize(("mode", "target", "at"), [("max", 0.8, 4.0), ("min", 0.3, 2.0), ("max", 0.95, None)])
def test_first_reached_when_several_trials_run_then_it_is_the_first_epoch_of_any(mode, target, at):
    curves = {"a": [(1.0, 0.5), (5.0, 0.9)], "b": [(2.0, 0.3), (4.0, 0.8)]}
    assert first_reached(curves, mode, target) == at


def test_draws_when_the_seed_is_one_then_they_are_the_same_and_in_range():
    problem = PROBLEMS["digits"]
    drawn = points(problem)
    assert drawn == points(problem) != points(replace(problem, seed=1))
    assert len(drawn) == problem.n_trials
    assert all(1e-4 <= each["LR"] <= 1e-1 and 16 <= each["HIDDEN"] <= 256 for each in drawn)
    widths = [draw(random.Random(seed), "lograndint", [1, 2]) for seed in range(200)]
    assert set(widths) == {1, 2}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_when_our_command_reads_it_then_all_constants_are_found(tmp_path, name):
    command(replace(PROBLEMS[name], folder=str(tmp_path)), tmp_path / "space.yaml")
    space = read_space(tmp_path / "space.yaml")
    assert [each.key for each in resolve_constants(space, find_program(space.program))] == [*PROBLEMS[name].constants]


@pytest.mark.parametrize("name", PROBLEMS)
def test_program_when_a_constant_is_set_from_outside_then_a_model_has_it(name):
    program = importlib.import_module(PROBLEMS[name].program)
    before = program.HIDDEN
    (model,) = [value for value in vars(program).values() if getattr(value, "__module__", "") == program.__name__][:1]
    try:
        program.HIDDEN = 7
        assert model().net[0].out_features == 7
    finally:
        program.HIDDEN = before


def test_tasks_when_all_is_measured_then_every_seed_comes_behind_its_target(tmp_path):
    tasks = [*tasks_of(FULL, ResultsFile(tmp_path / "none.jsonl"), ["digits"])]
    assert [task.who for task in tasks if task.round == 0] == [TARGET]
    assert len(tasks) == 1 + 4 * FULL.seeds + FULL.slow_seeds


def test_table_when_a_search_did_not_arrive_then_it_counts_as_endless(tmp_path, capsys):
    results = ResultsFile(tmp_path / "r.jsonl")
    results.add(
        {"baseline": 0.5, "best": 0.9, "target": 0.88, "random_trials": 200}, who=TARGET, problem="digits", round=0
    )
    for who, reached in {"ours": [10.0, 20.0, 30.0], "Optuna": [20.0, None, None]}.items():
        for seed, time in enumerate(reached, start=1):
            results.add({"reached_s": time}, who=who, problem="digits", round=seed)
    assert times(results.lines, "Optuna") == {1: 20.0, 2: math.inf, 3: math.inf}
    from benchmarks.peers.contestants import OPTUNA, OURS

    show(results, (OURS, OPTUNA), ["digits"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Optuna inf (20.0 to inf) inf (2.00 to inf) 1 of 3" in said
    assert "first in the median: ours" in said
