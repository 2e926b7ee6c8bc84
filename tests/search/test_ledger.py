"""The journal, read again by Optuna, says what became of every trial."""

import math

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.study.study import create_search_study, open_search_study
from tune.space.space_file import read_space
from tune.trial.messages import EpochReport

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
        return create_search_study(paths, space, resolve_constants(space, find_program(space.program)))

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
    book.write_epochs(number, [EpochReport(1, 0.9)])
    book.complete_trial(number)

    assert (number, values) == (0, {"LR": 0.5, "BATCH_SIZE": 64, "SIZES": (1, 2)})
    (trial,) = reopened().trials
    assert trial.params == {"SIZES": "(1, 2)"}
    assert trial.user_attrs["constants"] == {"LR": 0.5, "BATCH_SIZE": 64, "SIZES": [1, 2]}
    assert trial.value == 0.9


def test_every_end_is_in_the_journal(ledger, reopened):
    book = ledger()
    first, _ = book.ask_baseline()
    for epoch, value in enumerate((0.1, 0.7, 0.3), 1):
        book.write_epochs(first, [EpochReport(epoch, value)])
    second, values = book.ask_trial()
    book.set_attributes(second, version="001,x")
    book.write_epochs(second, [EpochReport(1, 0.2)])
    third, _ = book.ask_trial()
    book.write_epochs(third, [EpochReport(1, math.nan)])
    fourth, _ = book.ask_trial()

    complete, pruned, failed = book.complete_trial(first), book.prune_trial(second), book.fail_trial(third, "it is nan")

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


def test_epochs_without_a_value_were_trained_too(ledger):
    book = ledger()
    book.ask_baseline()
    for epoch, value in ((2, 0.1), (4, 0.3)):  # check_val_every_n_epoch=2
        book.write_epochs(0, [EpochReport(epoch, value)])

    trial = book.complete_trial(0)

    assert (trial.best_epoch, trial.n_epochs, trial.formatted_length) == (4, 4, "  4 epochs")


def test_what_is_open_at_the_end_is_left_waiting_with_its_curve(ledger, reopened):
    book = ledger()
    book.ask_baseline()
    book.write_epochs(0, [EpochReport(1, 0.5)])
    book.ask_trial()

    book.suspend_trials()

    trials = reopened().trials
    assert [trial.state.name for trial in trials] == ["WAITING", "WAITING"]
    assert trials[0].intermediate_values == {1: 0.5}
    assert [outcome.state for outcome in book.trial_results] == ["waiting", "waiting"]


def test_less_is_better_where_the_space_says_so(ledger, reopened):
    book = ledger(mode="min")
    book.ask_baseline()
    for epoch, value in enumerate((0.5, 0.1, 0.3), 1):
        book.write_epochs(0, [EpochReport(epoch, value)])

    assert book.complete_trial(0).score == 0.1
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

    drawn = [book.ask_trial()[1] for _ in range(20)]

    assert all(1e-4 <= values["LR"] <= 1e-1 for values in drawn)
    assert {values["BATCH_SIZE"] for values in drawn} == {16, 32}
    assert {values["SIZES"] for values in drawn} == {(1, 2), (3,)}


def test_the_same_seed_searches_the_same(ledger):
    books = [ledger(name="a"), ledger(name="b"), ledger(name="c", rest="seed: 1")]
    for book in books:
        book.ask_baseline()

    first, second, other = [[book.ask_trial() for _ in range(5)] for book in books]
    assert first == second
    assert first != other


def test_after_its_start_the_default_search_keeps_values_of_the_best_now_and_then(ledger):
    book = ledger()
    kept = []

    for number in range(90):
        _, values = book.ask_trial() if number else book.ask_baseline()
        book.write_epochs(number, [EpochReport(1, 0.0 if number else 1.0)])
        book.complete_trial(number)
        kept.append(values["LR"] == 0.01)

    assert kept[0]
    assert not any(kept[1:10])
    assert 2 <= sum(kept[10:]) <= 25  # a quarter of eighty is perturbed, half of these keep their LR


def test_a_best_with_a_tuple_is_perturbed_too(ledger):
    book = ledger(rest="sampler_args: {n_startup_trials: 1}")
    book.ask_baseline()
    book.write_epochs(0, [EpochReport(1, 1.0)])

    assert book.searcher._best.find_best() == (1.0, {"LR": 0.01, "BATCH_SIZE": 16, "SIZES": (1, 2)})


def test_a_grid_is_asked_for_once_and_the_baseline_is_one_of_its_points(ledger):
    book = ledger(rest="sampler: grid", lr="{choice: [0.01, 0.1]}")
    asked = [book.ask_baseline()[1]]
    while not book.searcher.is_exhausted:
        number, values = book.ask_trial()
        asked.append(values)
        book.write_epochs(number, [EpochReport(1, 0.5)])
        book.complete_trial(number)

    assert len(asked) == len({repr(values) for values in asked}) == 2 * 2 * 2


def test_a_search_that_is_no_grid_is_never_exhausted(ledger):
    book = ledger()
    book.ask_baseline()

    assert not book.searcher.is_exhausted


def test_a_configuration_that_has_finished_is_taken_from_the_ledger(ledger, reopened):
    book = ledger(lr="{choice: [0.01]}", rest="sampler_args: {n_startup_trials: 1}")
    worth = {}

    for number in range(12):
        _, values = book.ask_trial() if number else book.ask_baseline()
        outcome = book.close_as_repeat(number)
        if outcome is None:
            assert repr(values) not in worth
            book.set_attributes(number, version=f"{number:03d},v")
            for epoch in (1, 2):
                book.write_epochs(number, [EpochReport(epoch, number + epoch / 10)])
            outcome = book.prune_trial(number) if number % 2 else book.complete_trial(number)
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
    book.write_epochs(0, [EpochReport(1, 0.5)])
    numbers = []
    for _ in range(8):
        number, _ = book.ask_trial()
        assert book.close_as_repeat(number) is None
        numbers.append(number)
    for number in numbers:
        book.fail_trial(number, "it raised")
    assert book.close_as_repeat(book.ask_trial()[0]) is None


def test_repeats_are_run_where_the_space_asks_for_them(ledger):
    book = ledger(lr="{choice: [0.01]}", rest="repeats: true")
    book.ask_baseline()
    book.write_epochs(0, [EpochReport(1, 0.5)])
    book.complete_trial(0)

    assert [book.close_as_repeat(book.ask_trial()[0]) for _ in range(8)] == [None] * 8


TWO = """
system: p.py
metric: [Score/Val, Cost]
mode: [max, min]
constants:
  LR: {loguniform: [1e-4, 1e-1]}
  BATCH_SIZE: {choice: [16, 32]}
"""


@pytest.fixture
def two(tmp_path):
    """Return what makes, or opens again, the ledger of a search of two metrics."""
    (tmp_path / "p.py").write_text(PROGRAM)
    (tmp_path / "s.yaml").write_text(TWO)
    space = read_space(tmp_path / "s.yaml")
    promoted = resolve_constants(space, find_program(space.program))
    paths = ExperimentPaths(tmp_path / "exp")
    paths.folder.mkdir()
    return lambda make: make(paths, space, promoted)


def test_of_several_metrics_each_end_is_in_the_journal(two, reopened):
    book = two(create_search_study)
    book.ask_baseline()
    for number in range(1, 4):
        assert book.ask_trial()[0] == number
    for number in range(4):
        book.write_epochs(number, [EpochReport(1, 0.5, others=(3.0,))])
        book.write_epochs(number, [EpochReport(2, 0.4, others=(2.0 if number < 3 else math.nan,))])
    book.write_epochs(3, [EpochReport(3, 0.9, others=(math.nan,))])

    complete, pruned = book.complete_trial(0), book.prune_trial(1)
    book.suspend_trials()

    assert (complete.score, complete.scores, complete.best_epoch) == (0.5, (0.5, 3.0), 1)
    assert (pruned.state, pruned.scores, pruned.measures) == ("pruned", (0.5, 3.0), {1: (0.5, 3.0), 2: (0.4, 2.0)})
    study = reopened()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "WAITING", "WAITING"]
    assert study.trials[0].values == [0.5, 3.0]
    assert study.trials[0].intermediate_values == {1: 0.5, 2: 0.4}

    again = two(open_search_study)
    assert again.reopen_trials() == [2, 3]
    assert (again.find_missing_metric(2), again.find_missing_metric(3)) == (None, "Cost is nan in epoch 3")
    assert again.complete_trial(2).scores == (0.5, 3.0)
    assert again.fail_trial(3, "Cost is nan in epoch 3").state == "failed"
    assert again.ask_trial()[0] == 4
    assert again.trial_results[0].scores == (0.5, 3.0)


def test_of_several_metrics_a_configuration_of_the_front_is_perturbed(two):
    book = two(create_search_study)
    kept = set()
    for number in range(140):
        _, values = book.ask_trial() if number else book.ask_baseline()
        book.write_epochs(number, [EpochReport(1, values["LR"], others=(values["LR"],))])  # every trial is in the front
        book.complete_trial(number)
        kept.add(values["LR"])

    assert len(book.searcher._best.front) > 50
    assert len(kept) < 140  # a perturbation keeps half of the constants


@pytest.mark.parametrize("arguments", ["{}", "{with_margin: true}"])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_cma_es_goes_on_from_where_it_was(tmp_path, arguments):
    (tmp_path / "p.py").write_text("X = 1.0\nY = 1.0\nZ = 3\n")
    constants = "{X: {uniform: [-5, 5]}, Y: {uniform: [-5, 5]}, Z: {randint: [0, 9]}}"
    text = f"system: p.py\nmetric: m\nmode: min\nconstants: {constants}\nsampler: cmaes\nsampler_args: {arguments}\n"
    (tmp_path / "s.yaml").write_text(text)
    space = read_space(tmp_path / "s.yaml")
    promoted = resolve_constants(space, find_program(space.program))
    paths = ExperimentPaths(tmp_path / "exp")
    paths.folder.mkdir()
    book = create_search_study(paths, space, promoted)
    for number in range(60):
        _, values = book.ask_trial() if number else book.ask_baseline()
        book.write_epochs(number, [EpochReport(1, (values["X"] - 2) ** 2 + (values["Y"] + 1) ** 2 + values["Z"])])
        _ = book.fail_trial(number, "it raised") if number % 9 == 8 else book.complete_trial(number)

    def state(ledger):
        memory = ledger.searcher._memory
        return memory._sampler._restore_optimizer(memory._sampler._get_trials(memory._study))

    before, after = state(book), state(open_search_study(paths, space, promoted))
    assert before.generation >= 5
    assert after.generation == before.generation
    assert after.mean.tolist() == pytest.approx(before.mean.tolist())
    assert "optimizer" not in paths.journal.read_text()


def test_what_was_known_from_the_start_is_known_after_a_restart(two):
    first = two(create_search_study)
    number, _ = first.ask_baseline()
    first.write_epochs(number, [EpochReport(1, 0.5, others=(3.0,))])
    known = first.complete_trial(number)

    first.add_prior_trials("other", [known] * 3)
    again = two(open_search_study)

    assert len(again.searcher._memory) == len(first.searcher._memory) == 1 + 3
    assert again.n_trials == 1
