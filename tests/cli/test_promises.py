"""What a search promises, from its command line, on the Ray of the test session; the program trains in milliseconds."""

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.projects import write_program
from tests.search.test_lock import HOLD
from tune.cli import main
from tune.experiment.open import open_experiment

ROOT = Path(__file__).parents[2]

SPACE = """\
system: known.py
metric: Score
mode: max
constants:
  X: {choice: [0.25, 0.5, 0.75]}
  KIND: {choice: [flat, steep]}
  STEEP: {choice: [0.5, 1.5], when: {KIND: steep}}
  D: {randint: [1, 4]}
  N: {choice: [2, 3]}
require: D % N == 0
trials: 16
sampler: random
scheduler: none
concurrency: 1
seed: 2
"""
EDITED = """\
system: known.py
metric: Score
mode: max
constants:
  X: {choice: [0.5, 0.75, 1.0]}
  KIND: {choice: [flat, steep]}
  STEEP: {choice: [0.5, 1.5], when: {KIND: steep}}
  D: {randint: [1, 4]}
  N: {choice: [2, 3]}
  OFFSET: {uniform: [0.0, 1.0]}
require: D % N == 0
"""
TWO = """\
system: known.py
metric: [Score, Cost]
mode: [max, min]
constants:
  X: {choice: [0.25, 0.75]}
  D: {choice: [1, 4, 2]}
trials: 9
sampler: grid
"""


@dataclass
class Ran:
    status: int
    out: str
    err: str


@contextlib.contextmanager
def written_to(file, stream):
    """Let what this process writes to a stream go to a file."""
    before, descriptor = getattr(sys, stream), {"stdout": 1, "stderr": 2}[stream]
    before.flush()
    kept = os.dup(descriptor)
    with file.open("wb") as opened:
        os.dup2(opened.fileno(), descriptor)
    try:
        with open(descriptor, "w", buffering=1, closefd=False) as replaced:
            setattr(sys, stream, replaced)
            yield
    finally:
        setattr(sys, stream, before)
        os.dup2(kept, descriptor)
        os.close(kept)


class Project:
    """A project of a test's own, and the command line run in it."""

    def __init__(self, folder):
        self.folder = write_program(folder / "project", "known").parent
        self.storage = folder / "storage"
        for name, text in {"s": SPACE, "edited": EDITED, "two": TWO}.items():
            (self.folder / f"{name}.yaml").write_text(text)

    def run(self, *words):
        out, err = self.folder / "out.txt", self.folder / "err.txt"
        with contextlib.chdir(self.folder), written_to(out, "stdout"), written_to(err, "stderr"):
            status = main([*words, "--storage", str(self.storage)])
        return Ran(status, out.read_text(), err.read_text())

    def search(self, *words):
        """Run what has to end well; return what it printed."""
        ran = self.run(*words)
        assert (ran.status, ran.err) == (0, ""), ran.out
        return ran.out

    def trials(self, name, journal="study.journal"):
        """Return the study's trials as any user of Optuna reads them."""
        storage = JournalStorage(JournalFileBackend(str(self.storage / name / journal)))
        return optuna.load_study(study_name=name, storage=storage).trials


def told(trials):
    """Return what is to be the same in a second search."""
    return [(trial.params, trial.state.name, trial.values, trial.intermediate_values) for trial in trials]


@pytest.fixture(scope="module")
def project(ray, tmp_path_factory):
    return Project(tmp_path_factory.mktemp("promises"))


@pytest.fixture(scope="module")
def first(project):
    """The trials of a search, before anything goes on with it."""
    project.search("--space", "s.yaml", "--name", "first")
    return project.trials("first")


@pytest.fixture(scope="module")
def second(project):
    project.search("--space", "s.yaml", "--name", "second")
    return project.trials("second")


def test_a_constant_varies_where_its_condition_holds_and_nowhere_else(first):
    assert {trial.params["KIND"] for trial in first} == {"flat", "steep"}
    for trial in first:
        assert ("STEEP" in trial.params) == (trial.params["KIND"] == "steep")


def test_every_trial_meets_what_is_required(first):
    assert {trial.params["N"] for trial in first} == {2, 3}
    for trial in first:
        assert trial.params["D"] % trial.params["N"] == 0


def test_a_configuration_that_has_finished_is_taken_from_the_ledger(first, project):
    repeats = [trial for trial in first if "repeat_of" in trial.user_attrs]

    assert repeats
    for trial in repeats:
        assert told([trial]) == told([first[trial.user_attrs["repeat_of"]]])
    folders = [path for path in (project.storage / "first").iterdir() if re.match(r"\d{3},", path.name)]
    assert len(folders) == 16 - len(repeats)


@pytest.mark.slow
def test_two_searches_of_one_seed_are_the_same(first, second):
    assert len(first) == 16
    assert told(first) == told(second)


def test_twenty_more_trials_are_added_to_a_search_that_is_through(second, project):
    project.search("resume", "second", "--trials", "+20")
    trials = project.trials("second")

    assert trials[:16] == second
    assert [trial.number for trial in trials] == list(range(36))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}


def test_another_experiment_is_known_from_the_start_and_is_no_result(first, project):
    out = project.search("--space", "s.yaml", "--name", "third", "--from", "first", "--trials", "2")
    trained = sum("repeat_of" not in trial.user_attrs for trial in first)

    assert f"\nknown from first: {trained} trials\n" in out
    assert len(project.trials("third")) == 2
    assert "\n2 trials: 2 complete\n" in out


def test_the_pareto_front_of_two_metrics_is_right(project):
    out = project.search("--space", "two.yaml")
    front = out.partition("Pareto front: 3 of 7 trials\n")[2].partition("\n\n")[0]

    # Score is 8 X + D / 16 and an epoch's 1/64, Cost 2 D; the baseline (X 0.5, D 4) loses to X 0.75 with any D
    assert [line.split()[:2] for line in front.splitlines()[1:]] == [
        ["6.26562", "8"],
        ["6.14062", "4"],
        ["6.07812", "2"],
    ]


@pytest.mark.usefixtures("first")
def test_a_search_that_is_held_is_refused(project):
    folder = project.storage / "first"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        ran = project.run("resume", "first")
    finally:
        holder.kill()
        holder.communicate()

    assert ran.status == 2
    assert re.fullmatch(
        rf"{folder}: this search is running \(process {holder.pid} on .+\)\n  Wait for it, or end it with Ctrl-C\.\n",
        ran.err,
    )


def test_a_search_goes_on_with_a_changed_choice_and_an_added_constant(first, project):
    dropped = [trial.number for trial in first if trial.params["X"] == 0.25]
    kept = [trial for trial in first if trial.number not in dropped]
    out = project.search("resume", "first", "--space", "edited.yaml")
    trials = project.trials("first")

    assert dropped
    assert kept[0].number == 0
    line = next(line for line in out.splitlines() if line.startswith("kept: "))
    assert re.fullmatch(
        rf"kept: {len(kept)} of 16 trials; left out: [\d, -]+ \(X outside of choice 0\.5, 0\.75, 1\.0\)", line
    )
    assert "\n16 trials: 16 complete\n" in out
    assert [trial.number for trial in trials] == list(range(16 + len(dropped)))
    for before in kept:
        after = trials[before.number]
        assert after.params == {**before.params, "OFFSET": 0.0}
        assert (after.state, after.values, after.intermediate_values, after.datetime_complete) == (
            before.state,
            before.values,
            before.intermediate_values,
            before.datetime_complete,
        )
    for number in dropped:
        assert trials[number].state.name == "FAIL"
        assert trials[number].user_attrs["left_out"] == {
            "why": "X outside of choice 0.5, 0.75, 1.0",
            "state": "COMPLETE",
            "values": first[number].values,
        }
    new = trials[16:]
    assert {trial.params["X"] for trial in new} <= {0.5, 0.75, 1.0}
    assert all(0.0 < trial.params["OFFSET"] <= 1.0 for trial in new)
    assert told(project.trials("first", "study-1.journal")) == told(first)

    project.search("resume", "first", "--trials", "+1")
    assert project.trials("first")[:-1] == trials
    assert project.trials("first")[-1].params.keys() >= {"X", "OFFSET"}
    experiment = open_experiment("first", project.storage)
    assert [trial.number for trial in experiment.trials] == [n for n in range(17 + len(dropped)) if n not in dropped]
