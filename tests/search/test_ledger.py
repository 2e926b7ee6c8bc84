"""The journal, read again by Optuna, says what became of every trial."""

import math

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve
from tune.search.ledger import create_ledger
from tune.space.file import read_space

PROGRAM = "LR = 1e-2\nBATCH_SIZE = 16\nSIZES = (1, 2)\nMAX_EPOCHS = 3\n"
SPACE = """
system: p.py
metric: Score/Val
mode: {mode}
constants:
  LR: {lr}
  BATCH_SIZE: {{choice: [16, 32]}}
  SIZES: {{choice: [[1, 2], [3]]}}
{rest}
"""


@pytest.fixture
def ledger(tmp_path):
    """Return a new ledger; and what reads its journal as another process would."""

    def create(mode="max", rest="", program=PROGRAM, name="exp", lr="{loguniform: [1e-4, 1e-1]}"):
        paths = ExperimentPaths(tmp_path / name)
        paths.folder.mkdir()
        (tmp_path / "p.py").write_text(program)
        (tmp_path / "s.yaml").write_text(SPACE.format(mode=mode, rest=rest, lr=lr))
        space = read_space(tmp_path / "s.yaml")
        return create_ledger(paths, space, resolve(space, find_program(space.program)))

    return create


@pytest.fixture
def reopened(tmp_path):
    storage = lambda: JournalStorage(JournalFileBackend(str(tmp_path / "exp" / "study.journal")))  # noqa: E731
    return lambda: optuna.load_study(study_name="exp", storage=storage())


def test_the_baseline_is_trial_0_with_the_hardcoded_values(ledger, reopened):
    number, values = ledger().ask_baseline()

    assert (number, values) == (0, {"LR": 0.01, "BATCH_SIZE": 16, "SIZES": (1, 2)})
    (trial,) = reopened().trials
    assert trial.params == {"LR": 0.01, "BATCH_SIZE": 16, "SIZES": "(1, 2)"}
    assert trial.user_attrs == {"constants": {"LR": 0.01, "BATCH_SIZE": 16, "SIZES": [1, 2]}, "seed": 0}


def test_a_baseline_outside_its_range_is_run_and_is_no_observation(ledger, reopened):
    book = ledger(program=PROGRAM.replace("1e-2", "0.5").replace("16", "64"))
    number, values = book.ask_baseline()
    book.report(number, 1, 0.9)
    book.complete(number)

    assert (number, values) == (0, {"LR": 0.5, "BATCH_SIZE": 64, "SIZES": (1, 2)})
    (trial,) = reopened().trials
    assert trial.params == {"SIZES": "(1, 2)"}
    assert trial.user_attrs["constants"] == {"LR": 0.5, "BATCH_SIZE": 64, "SIZES": [1, 2]}
    assert trial.value == 0.9


def test_every_end_is_in_the_journal(ledger, reopened):
    book = ledger()
    first, _ = book.ask_baseline()
    for epoch, value in enumerate((0.1, 0.7, 0.3), 1):
        book.report(first, epoch, value)
    second, values = book.ask()
    book.note(second, version="001,x")
    book.report(second, 1, 0.2)
    third, _ = book.ask()
    book.report(third, 1, math.nan)
    fourth, _ = book.ask()

    complete, pruned, failed = book.complete(first), book.prune(second), book.fail(third, "it is nan")

    assert (complete.state, complete.score, complete.best_epoch, complete.n_epochs) == ("complete", 0.7, 2, 3)
    assert (pruned.state, pruned.score, pruned.best_epoch, pruned.version) == ("pruned", 0.2, 1, "001,x")
    assert (failed.state, failed.score, failed.best_epoch, failed.reason) == ("failed", None, None, "it is nan")
    assert pruned.values["LR"] == values["LR"]
    trials = reopened().trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    assert trials[0].intermediate_values == {1: 0.1, 2: 0.7, 3: 0.3}
    assert (trials[0].value, trials[1].value) == (0.7, 0.2)
    assert trials[1].intermediate_values == {1: 0.2}
    assert math.isnan(trials[2].intermediate_values[1])
    assert trials[2].user_attrs["reason"] == "it is nan"
    assert fourth == 3


def test_what_is_open_at_the_end_is_left_waiting_with_its_curve(ledger, reopened):
    book = ledger()
    book.ask_baseline()
    book.report(0, 1, 0.5)
    book.ask()

    book.suspend()

    trials = reopened().trials
    assert [trial.state.name for trial in trials] == ["WAITING", "WAITING"]
    assert trials[0].intermediate_values == {1: 0.5}
    assert [outcome.state for outcome in book.outcomes] == ["waiting", "waiting"]


def test_less_is_better_where_the_space_says_so(ledger, reopened):
    book = ledger(mode="min")
    book.ask_baseline()
    for epoch, value in enumerate((0.5, 0.1, 0.3), 1):
        book.report(0, epoch, value)

    assert book.complete(0).score == 0.1
    assert reopened().best_value == 0.1


def test_the_study_says_what_it_measures(ledger, reopened):
    ledger()
    study = reopened()

    assert study.metric_names == ["Score/Val"]
    assert study.direction.name == "MAXIMIZE"
    assert study.user_attrs["format"] == 1


def test_trials_draw_inside_the_ranges_and_in_the_programs_types(ledger):
    book = ledger()
    book.ask_baseline()

    drawn = [book.ask()[1] for _ in range(20)]

    assert all(1e-4 <= values["LR"] <= 1e-1 for values in drawn)
    assert {values["BATCH_SIZE"] for values in drawn} == {16, 32}
    assert {values["SIZES"] for values in drawn} == {(1, 2), (3,)}


def test_the_same_seed_searches_the_same(ledger):
    books = [ledger(name="a"), ledger(name="b"), ledger(name="c", rest="seed: 1")]
    for book in books:
        book.ask_baseline()

    first, second, other = [[book.ask() for _ in range(5)] for book in books]
    assert first == second
    assert first != other


def test_after_its_start_the_default_search_keeps_values_of_the_best_now_and_then(ledger):
    book = ledger()
    kept = []

    for number in range(90):
        _, values = book.ask() if number else book.ask_baseline()
        book.report(number, 1, 0.0 if number else 1.0)
        book.complete(number)
        kept.append(values["LR"] == 0.01)

    assert kept[0]
    assert not any(kept[1:30])
    assert 2 <= sum(kept[30:]) <= 20  # a quarter of sixty is perturbed, half of these keep their LR


def test_a_best_with_a_tuple_is_perturbed_too(ledger):
    book = ledger(rest="sampler_args: {n_startup_trials: 1}")
    book.ask_baseline()
    book.report(0, 1, 1.0)

    assert book._searcher._best == (1.0, {"LR": 0.01, "BATCH_SIZE": 16, "SIZES": (1, 2)})


def test_a_grid_is_asked_for_once_and_the_baseline_is_one_of_its_points(ledger):
    book = ledger(rest="sampler: grid", lr="{choice: [0.01, 0.1]}")
    asked = [book.ask_baseline()[1]]
    while not book.exhausted:
        number, values = book.ask()
        asked.append(values)
        book.report(number, 1, 0.5)
        book.complete(number)

    assert len(asked) == len({repr(values) for values in asked}) == 2 * 2 * 2


def test_a_search_that_is_no_grid_is_never_exhausted(ledger):
    book = ledger()
    book.ask_baseline()

    assert not book.exhausted


def test_a_configuration_that_has_finished_is_taken_from_the_ledger(ledger, reopened):
    book = ledger(lr="{choice: [0.01]}", rest="sampler_args: {n_startup_trials: 1}")
    worth = {}

    for number in range(12):
        _, values = book.ask() if number else book.ask_baseline()
        outcome = book.repeat(number)
        if outcome is None:
            assert repr(values) not in worth
            book.note(number, version=f"{number:03d},v")
            for epoch in (1, 2):
                book.report(number, epoch, number + epoch / 10)
            outcome = book.prune(number) if number % 2 else book.complete(number)
            worth[repr(values)] = outcome
        else:
            first = worth[repr(values)]
            assert outcome.repeat_of == first.number
            assert (outcome.score, outcome.curve, outcome.state, outcome.version) == (
                first.score,
                first.curve,
                first.state,
                first.version,
            )

    assert len(worth) <= 4
    assert [trial.user_attrs.get("repeat_of") for trial in reopened().trials].count(None) == len(worth)
    assert len(reopened().trials) == 12


def test_a_configuration_that_failed_or_still_runs_is_run_again(ledger):
    book = ledger(lr="{choice: [0.01]}")
    book.ask_baseline()
    book.report(0, 1, 0.5)
    numbers = []
    for _ in range(8):
        number, _ = book.ask()
        assert book.repeat(number) is None
        numbers.append(number)
    for number in numbers:
        book.fail(number, "it raised")
    assert book.repeat(book.ask()[0]) is None


def test_repeats_are_run_where_the_space_asks_for_them(ledger):
    book = ledger(lr="{choice: [0.01]}", rest="repeats: true")
    book.ask_baseline()
    book.report(0, 1, 0.5)
    book.complete(0)

    assert [book.repeat(book.ask()[0]) for _ in range(8)] == [None] * 8
