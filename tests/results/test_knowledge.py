"""What another experiment's trials say here, and which of them say nothing."""

from dataclasses import replace

import pytest

from tune.errors import ExperimentError
from tune.experiment.open import open_experiment
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.results.warm_start import read_prior_trials
from tune.search.study.study import create_search_study
from tune.space.space_file import read_space, write_space
from tune.trial.messages import EpochReport

PROGRAM = "LR = 1e-2\nSIZES = (1, 2)\nOPT = 'sgd'\nMOMENTUM = 0.5\n"
SPACE = """system: p.py
metric: Score/Val
mode: max
constants:
  LR: {uniform: [0.0, 1.0]}
  SIZES: {choice: [[1, 2], [3]]}
  OPT: {choice: [adam, sgd]}
  MOMENTUM: {uniform: [0.0, 0.9], when: {OPT: sgd}}
"""


@pytest.fixture
def space(tmp_path):
    def read(text=SPACE):
        (tmp_path / "p.py").write_text(PROGRAM)
        (tmp_path / "s.yaml").write_text(text)
        space = read_space(tmp_path / "s.yaml")
        return space, resolve_constants(space, find_program(space.program))

    return read


@pytest.fixture
def before(tmp_path, space):
    """An experiment of 40 trials: the last one waits, every tenth failed, odd ones were pruned."""
    read, promoted = space()
    paths = ExperimentPaths(tmp_path / "before")
    paths.folder.mkdir()
    write_space(read, paths.space)
    take_snapshot(find_program(read.program), paths.source)
    book = create_search_study(paths, read, promoted)
    for number in range(40):
        _, values = book.ask_trial() if number else book.ask_baseline()
        if number == 39:
            break
        book.write_epochs(number, [EpochReport(1, values["LR"]), EpochReport(2, values["LR"] / 2)])
        if number % 10 == 5:
            book.fail_trial(number, "it raised")
        else:
            _ = book.prune_trial(number) if number % 2 else book.complete_trial(number)
    book.suspend_trials()
    return open_experiment("before", tmp_path)


def test_finished_trials_count_with_the_values_of_this_space(before, space, tmp_path):
    read, promoted = space()
    known = read_prior_trials("before", tmp_path, read, promoted)

    assert known.experiment == "before"
    assert known.left_out == {"failed": 4, "not finished": 1}
    assert len(known.trials) == 35
    assert {type(trial.values["SIZES"]) for trial in known.trials} == {tuple}
    assert {trial.state for trial in known.trials} == {"complete", "pruned"}


def test_what_lies_outside_of_this_space_is_left_out_with_its_reason(before, space, tmp_path):
    text = SPACE.replace("[0.0, 1.0]", "[0.0, 0.5]").replace("when: {OPT: sgd}", "when: {SIZES: [[3]]}")
    read, promoted = space(text + "require: LR > 0.25\n")
    known = read_prior_trials("before", tmp_path, read, promoted)

    for trial in known.trials:
        assert 0.25 < trial.values["LR"] <= 0.5
        assert ("MOMENTUM" in trial.values) == (trial.values["SIZES"] == (3,))
    assert known.left_out.keys() == {
        "failed",
        "not finished",
        "outside of these ranges",
        "against what is required here",
    }
    assert len(known.trials) + sum(known.left_out.values()) == 40


def test_the_sampler_knows_them_and_no_reader_counts_them(before, space, tmp_path):
    read, promoted = space()
    known = read_prior_trials("before", tmp_path, read, promoted)
    paths = ExperimentPaths(tmp_path / "after")
    paths.folder.mkdir()
    book = create_search_study(paths, replace(read, path=tmp_path / "after.yaml"), promoted)
    book.add_prior_trials(known.experiment, known.trials)
    best = max(known.trials, key=lambda trial: trial.score).values["LR"]
    book.ask_baseline()
    drawn = [book.ask_trial()[1]["LR"] for _ in range(60)]

    assert sum(drawn) / 60 > 0.6  # more is better, and uniform draws would have 0.5 in the mean
    assert any(abs(value - best) < 1e-9 for value in drawn)  # the best is perturbed from the start
    assert len(book.trial_results) == 61


OTHERS = [
    (
        SPACE.replace("metric: Score/Val\nmode: max", "metric: [Score/Val, n]\nmode: [max, min]"),
        (
            "--from: before was to maximise Score/Val, this space is to maximise Score/Val, minimise n\n"
            "  Take an experiment with the same metric, or leave --from out."
        ),
    ),
    (
        SPACE.replace("LR:", "LR2:"),
        (
            "--from: before searched LR, SIZES, OPT, MOMENTUM, this space LR2, SIZES, OPT, MOMENTUM\n"
            "  Take an experiment with the same constants, or leave --from out."
        ),
    ),
    (
        SPACE.replace("mode: max", "mode: min"),
        (
            "--from: before was to maximise Score/Val, this space is to minimise Score/Val\n"
            "  Take an experiment with the same metric, or leave --from out."
        ),
    ),
]


@pytest.mark.parametrize(("text", "message"), OTHERS)
def test_an_experiment_of_something_else_is_refused(before, tmp_path, text, message):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ExperimentError) as error:
        read_prior_trials("before", tmp_path, read_space(tmp_path / "s.yaml"), ())

    assert str(error.value) == message
