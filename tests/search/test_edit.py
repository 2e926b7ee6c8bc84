"""An experiment goes over to an edited space: at once, whenever it is killed, and back again."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tune.cli import main
from tune.experiment.open import open_experiment
from tune.experiment.records import TrialRecord
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.results.load_model import _space_of
from tune.search.study.edit_space import SpaceEdit, find_kept_trials, recover_edit
from tune.search.study.journal import open_study
from tune.search.study.study import create_search_study, open_search_study
from tune.space.space_file import read_space, write_space
from tune.trial.messages import EpochReport

ROOT = Path(__file__).parents[2]
PROGRAM = "LR = 0.5\nSIZES = (1, 2)\nOPT = 'sgd'\nWIDTH = 8\n"
SPACE = """system: p.py
metric: Score/Val
mode: max
constants:
  LR: {uniform: [0.0, 1.0]}
  SIZES: {choice: [[1, 2], [3]]}
"""
EDITED = """system: p.py
metric: Score/Val
mode: max
constants:
  LR: {uniform: [0.0, 0.5]}
  SIZES: {choice: [[1, 2], [4]]}
  WIDTH: {choice: [8, 16]}
"""
N_TRIALS = 14


@pytest.fixture
def space(tmp_path):
    def read(text, name="s.yaml"):
        (tmp_path / "p.py").write_text(PROGRAM)
        (tmp_path / name).write_text(text)
        found = read_space(tmp_path / name)
        return found, resolve_constants(found, find_program(found.program))

    return read


@pytest.fixture
def experiment(tmp_path, space):
    """Fourteen trials: each fifth failed, odd ones were pruned, the last two wait."""
    read, promoted = space(SPACE)
    paths = ExperimentPaths(tmp_path / "exp")
    paths.folder.mkdir()
    write_space(read, paths.space)
    take_snapshot(find_program(read.program), paths.source)
    book = create_search_study(paths, read, promoted)
    opened = [book.ask_trial() if number else book.ask_baseline() for number in range(N_TRIALS)]
    for epoch in (1, 2):  # all at a time, so that the order of the reports is not that of the trials
        for number, values in reversed(opened):
            book.write_epochs(number, [EpochReport(epoch, values["LR"] / epoch)])
    for number in range(N_TRIALS - 2):
        book.set_attributes(number, version=f"{number:03d},v")
        if number % 5 == 4:
            book.fail_trial(number, "it raised")
        else:
            _ = book.prune_trial(number) if number % 2 else book.complete_trial(number)
    book.suspend_trials()
    return paths


@pytest.fixture
def edit(experiment, space):
    """Return what an edited space makes of the experiment."""

    def make(text):
        before = read_space(experiment.space, program_is_here=False)
        after, promoted = space(text, "edited.yaml")
        program = find_program(after.program)
        change = SpaceEdit(
            before=before, after=after, promoted_before=resolve_constants(before, program), promoted=promoted
        )
        return find_kept_trials(change, experiment)

    return make


def seen(paths):
    """Return what a reader of the experiment sees."""
    found = open_experiment("exp", paths.folder.parent)
    return found.space.dimensions, found.trials


def as_told(paths):
    return [
        (trial.state, trial.values, trial.intermediate_values, trial.datetime_start, trial.datetime_complete)
        for trial in open_study(paths).trials
    ]


def test_trials_that_fit_stay_as_they_were_and_the_others_count_nowhere(experiment, edit, space):
    before, order = as_told(experiment), open_search_study(experiment, *space(SPACE)).history
    kept = edit(EDITED)
    assert as_told(experiment) == before  # nothing is written yet
    kept.write_edit(experiment)
    after = as_told(experiment)
    left = sorted(number for numbers in kept.left_out.values() for number in numbers)

    assert set(kept.left_out) == {"LR outside of uniform 0 to 0.5", "SIZES outside of choice (1, 2), (4,)"}
    assert kept.n_kept + len(left) == N_TRIALS
    assert 0 not in left
    assert 2 < len(left) < N_TRIALS - 2
    for number in range(N_TRIALS):
        if number in left:
            assert after[number][0].name == "FAIL"
            assert after[number][1] is None
        else:
            assert after[number] == before[number]
            trial = open_study(experiment).trials[number]
            assert trial.params["WIDTH"] == trial.user_attrs["constants"]["WIDTH"] == 8
    book = open_search_study(experiment, *space(EDITED))
    assert book.history == [each for each in order if each.trial not in left]
    assert book.n_trials == len(book.trial_results) == len(seen(experiment)[1]) == kept.n_kept
    assert set(book.reopen_trials()) == {N_TRIALS - 2, N_TRIALS - 1} - set(left)
    number, values = book.ask_trial()
    assert (number, list(values)) == (N_TRIALS, ["LR", "SIZES", "WIDTH"])


def test_a_space_that_holds_them_again_brings_them_back(experiment, edit):
    before, trials = as_told(experiment), seen(experiment)[1]
    edit(EDITED).write_edit(experiment)
    back = edit(SPACE)
    back.write_edit(experiment)

    assert back.left_out == {}
    assert [each[:4] for each in as_told(experiment)] == [each[:4] for each in before]
    assert seen(experiment)[1] == trials
    assert [path.name for path in experiment.earlier_spaces] == ["space-1.yaml", "space-2.yaml"]


def test_with_other_trainer_arguments_what_has_finished_is_no_repeat(experiment, edit, space):
    text = SPACE + "trainer: {max_epochs: 3}\nsampler: grid\n"
    text = text.replace("LR: {uniform: [0.0, 1.0]}", "LR: {choice: [0.5]}").replace("[[1, 2], [3]]", "[[1, 2]]")
    edit(text.replace("trainer: {max_epochs: 3}\n", "")).write_edit(experiment)
    edit(text).write_edit(experiment)

    assert open_study(experiment).trials[0].user_attrs["trained_otherwise"] is True
    assert open_search_study(experiment, *space(text))._finished == {}


def test_a_version_is_loaded_with_the_space_that_it_ran_in(experiment, edit):
    edit(EDITED.replace("  SIZES: {choice: [[1, 2], [4]]}\n", "")).write_edit(experiment)
    shared = {"number": 3, "version": "003,v", "seed": 0, "stage": "complete", "pid": 1, "host": "h"}
    record = TrialRecord(**shared, constants={"LR": 0.1, "SIZES": [3]}, devices=None, started=0.0)

    assert "SIZES" in _space_of(record, experiment).dimensions
    assert (
        "WIDTH"
        in _space_of(TrialRecord(**shared, constants={"LR": 0.1}, devices=None, started=0.0), experiment).dimensions
    )


N_STEPS = 40
"""More than there are on the way."""

SWITCH = """
import os, signal, sys
from pathlib import Path
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.study.edit_space import SpaceEdit, find_kept_trials
from tune.space.space_file import read_space

def go_over(paths, after, left):
    before, program = read_space(paths.space), find_program(after.program)
    promoted = resolve_constants(after, program)
    edit = SpaceEdit(before=before, after=after, promoted_before=resolve_constants(before, program), promoted=promoted)
    kept = find_kept_trials(edit, paths)

    def hook(event, arguments):
        nonlocal left
        if event in ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove"):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    kept.write_edit(paths)

after = read_space(Path(sys.argv[1]))
for step, folder in enumerate(sys.argv[2:]):
    if (child := os.fork()) == 0:
        go_over(ExperimentPaths(Path(folder)), after, step)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_killed_anywhere_on_the_way_a_reader_sees_the_old_or_the_new_and_nothing_between(experiment, space, tmp_path):
    (tmp_path / "edited.yaml").write_text(EDITED)
    old = seen(experiment)
    copies = [ExperimentPaths(tmp_path / str(step) / "exp") for step in range(N_STEPS)]
    for copy in copies:
        shutil.copytree(experiment.folder, copy.folder)
    line = [sys.executable, "-c", SWITCH, tmp_path / "edited.yaml", *(copy.folder for copy in copies)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    codes = [int(code) for code in done.stdout.split()]
    found = [seen(copy) for copy in copies]
    new = found[-1]
    n_old = found.index(new)

    n_killed = codes.count(-signal.SIGKILL)
    assert codes == [-signal.SIGKILL] * n_killed + [0] * (N_STEPS - n_killed)
    assert new != old
    assert 3 < n_old < n_killed - 3
    assert found == [old] * n_old + [new] * (N_STEPS - n_old)
    for copy in copies:
        recover_edit(copy)
        assert seen(copy) == (old if copy in copies[:n_old] else new)
        assert not list(copy.folder.glob(".switched*"))
        if copy in copies[n_old:]:
            assert (copy.folder / "space-1.yaml").read_bytes() == experiment.space.read_bytes()
            assert (copy.folder / "study-1.journal").read_bytes() == experiment.journal.read_bytes()
            assert open_search_study(copy, *space(EDITED, "edited.yaml")).n_trials == len(new[1]) < len(old[1])


@pytest.mark.usefixtures("space")
def test_a_constant_that_the_snapshot_does_not_hold_is_told_and_nothing_is_written(
    experiment, tmp_path, capfd, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    held = experiment.journal.read_bytes()
    (tmp_path / "p.py").write_text(PROGRAM + "DEPTH = 2\n")
    (tmp_path / "e.yaml").write_text(SPACE + "  DEPTH: {randint: [1, 4]}\n")

    assert main(["resume", "exp", "--space", "e.yaml", "--storage", str(tmp_path)]) == 2
    assert capfd.readouterr().err == (
        "e.yaml:7: 'DEPTH' is not a constant of p.py, as it was when this search began\n"
        f"  Its trials run {experiment.source}, and the program was edited since: start a new search.\n"
    )
    assert experiment.journal.read_bytes() == held


@pytest.mark.usefixtures("space")
def test_fewer_trials_than_are_kept_are_refused_and_nothing_is_written(experiment, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held = experiment.journal.read_bytes()
    (tmp_path / "e.yaml").write_text(SPACE.replace("1.0]", "1.5]") + "trials: 5\n")

    assert main(["resume", "exp", "--space", "e.yaml", "--storage", str(tmp_path)]) == 2
    assert capfd.readouterr().err == (
        "e.yaml:7: there are 14 already, got 5\n  Give a larger number, or `--trials +N` for N more.\n"
    )
    assert experiment.journal.read_bytes() == held
