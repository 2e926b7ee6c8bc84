"""Searches on a real Ray with two workers: what is on disk and in the journal afterwards."""

import gc
import re
import threading
import time
from collections import Counter

import pytest

from tests.events import by_epoch, session
from tests.projects import write_program
from tune.errors import MetricError, PreflightError, ProgramError
from tune.experiment.records import read_record
from tune.gc_control import collector_paused_for_long
from tune.paths import VersionPaths

CASES = ["steady", "slow end", "better", "weak", "nan", "raises", "dies", "never built"]
SPACE = f"""
metric: Score/Val
mode: max
constants:
  CASE: {{choice: {CASES}}}
sampler: grid
trials: 20
concurrency: 2
max_failures: 0
"""


class Watcher(threading.Thread):
    """Reads the versions of running trials as TensorBoard does."""

    def __init__(self, storage):
        super().__init__(daemon=True)
        self.storage = storage
        self.over = threading.Event()
        self.seen = set()  # (version, epochs that its event file holds)

    def run(self):
        while not self.over.wait(0.1):
            for file in self.storage.glob("*/*/trial.json"):
                if list(file.parent.glob("events*")) and self.runs(file.parent):
                    curve = by_epoch(file.parent).get("Score/Val", {})
                    if self.runs(file.parent):
                        self.seen.add((file.parent.name, tuple(curve)))

    def runs(self, folder):
        record = read_record(VersionPaths(folder))
        return record is not None and record.stage == "running"


@pytest.fixture(scope="module")
def one_of_each(search, tmp_path_factory):
    """A search with a trial of each kind; the program's file is broken once the first trial has ended."""
    folder = tmp_path_factory.mktemp("one_of_each")
    program = write_program(folder / "project", "cases")
    watcher = Watcher(folder / "storage")
    told = []

    def on_end(outcome):
        told.append(outcome)
        program.write_text("raise SystemExit('edited meanwhile')\n")

    watcher.start()
    started = time.monotonic()
    searched = search(program, SPACE, on_end=on_end)
    searched.took_s = time.monotonic() - started
    watcher.over.set()
    watcher.join()
    searched.watched, searched.told = watcher.seen, told
    return searched


@pytest.fixture
def trials(one_of_each):
    """Its trials, by their case; the baseline apart."""
    baseline, *others = one_of_each.study.trials
    return {"baseline": baseline, **{trial.user_attrs["constants"]["CASE"]: trial for trial in others}}


def test_every_trial_is_in_the_journal_with_its_end(one_of_each, trials):
    assert {case: trial.state.name for case, trial in trials.items()} == {
        "baseline": "COMPLETE",
        "better": "COMPLETE",
        "weak": "PRUNED",
        "slow end": "PRUNED",
        "nan": "FAIL",
        "raises": "FAIL",
        "dies": "FAIL",
        "never built": "FAIL",
    }
    assert Counter(trial.state.name for trial in one_of_each.study.trials) == {"COMPLETE": 2, "PRUNED": 2, "FAIL": 4}


def test_trial_0_is_the_baseline(one_of_each, trials):
    assert trials["baseline"].number == 0
    assert trials["baseline"].user_attrs["version"] == "000,baseline"
    assert trials["baseline"].params == {"CASE": "steady"}
    assert one_of_each.finished.baseline.curve == [(1, 0.5), (2, pytest.approx(0.51)), (3, pytest.approx(0.52))]


def test_every_curve_is_in_the_journal(trials):
    curves = {
        case: {step: round(value, 4) for step, value in trial.intermediate_values.items()}
        for case, trial in trials.items()
    }

    assert curves.pop("nan").keys() == {1, 2}
    assert curves == {
        "baseline": {1: 0.5, 2: 0.51, 3: 0.52},
        "better": {1: 0.7, 2: 0.71, 3: 0.72},
        "weak": {1: 0.1},
        "slow end": {1: 0.1},
        "raises": {1: 0.7},
        "dies": {1: 0.7},
        "never built": {},
    }
    assert trials["better"].value == pytest.approx(0.72)
    assert trials["weak"].value == pytest.approx(0.1)


def test_a_failed_trial_says_why(one_of_each, trials):
    source = (one_of_each.paths.source / "cases.py").read_text().splitlines()
    raises, never = [number for number, text in enumerate(source, 1) if text.strip().startswith("raise ")][::-1]
    exits = next(number for number, text in enumerate(source, 1) if text.strip().startswith("os._exit"))
    reasons = {case: trial.user_attrs["reason"] for case, trial in trials.items() if "reason" in trial.user_attrs}

    assert reasons == {
        "nan": "the metric is nan in epoch 2",
        "raises": f"RuntimeError: no second epoch (cases.py:{raises})",
        "dies": f"the worker died: the program called os._exit(3) (cases.py:{exits})",
        "never built": f"ValueError: this cannot be built (cases.py:{never})",
    }
    assert one_of_each.version(trials["raises"]).error.read_text().endswith("RuntimeError: no second epoch\n")


def test_the_last_epoch_of_a_stopped_trial_is_in_its_event_file(one_of_each, trials):
    for case in ("weak", "slow end"):
        version = one_of_each.version(trials[case])
        assert {tag: list(curve) for tag, curve in by_epoch(version.folder).items()} == {
            "Loss/Train": [1],
            "Loss/Val": [1],
            "Score/Val": [1],
        }
        assert session(version.folder).status == "STATUS_SUCCESS"
        assert one_of_each.record(trials[case]).stage == "stopped"
        assert version.log.read_text().endswith("the end\n")


def test_every_version_is_whole(one_of_each, trials):
    for case, trial in trials.items():
        version = one_of_each.version(trial)
        found = session(version.folder)
        assert (found.n_starts, found.n_ends) == (1, 1)
        assert found.hparams == {"CASE": trial.user_attrs["constants"]["CASE"]}
        failed = case in ("raises", "dies", "never built")
        assert found.status == ("STATUS_FAILURE" if failed else "STATUS_SUCCESS")
        assert version.hparams.read_text().startswith("# promoted by the search\nCASE: ")
        if case == "never built":
            continue
        assert version.best_checkpoint.exists()
        assert version.last_checkpoint.exists()


def test_nothing_but_versions_and_our_own_files_is_in_the_experiment(one_of_each):
    versions = {trial.user_attrs["version"] for trial in one_of_each.study.trials}

    assert {entry.name for entry in one_of_each.paths.folder.iterdir()} == {
        ".requests",
        "driver.log",
        "source",
        "space.yaml",
        "study.journal",
        "surroundings.json",
        *versions,
    }
    assert len(versions) == len(CASES)


def test_each_trial_has_a_process_of_its_own_and_actors_stay(one_of_each, trials):
    records = [one_of_each.record(trial) for trial in trials.values()]

    assert len({record.pid for record in records}) == len(records)
    assert len({record.worker for record in records}) == 2


def test_a_trial_that_takes_long_to_end_costs_no_other_trial_anything(one_of_each, trials):
    slow = one_of_each.record(trials["slow end"])
    ends = [one_of_each.record(trial).ended for trial in trials.values()]
    meanwhile = [end for end in ends if slow.started < end < slow.ended]

    assert slow.stage == "stopped"
    assert slow.ended - slow.started > 5
    assert meanwhile


def test_an_edit_while_the_search_runs_changes_no_later_trial(one_of_each, trials):
    for case, trial in trials.items():
        assert "edited meanwhile" not in one_of_each.version(trial).log.read_text()
        if case != "never built":
            kind = trial.user_attrs["constants"]["CASE"]
            assert f"twice: {kind}{kind}\n" in one_of_each.version(trial).log.read_text()


def test_the_curve_of_a_running_trial_is_in_its_event_file(one_of_each):
    assert {epochs for _, epochs in one_of_each.watched} >= {(1,), (1, 2)}


def test_each_end_is_told_once_as_it_happens(one_of_each):
    assert sorted(outcome.number for outcome in one_of_each.told) == list(range(len(CASES)))
    assert {outcome.number: outcome for outcome in one_of_each.told} == {
        outcome.number: outcome for outcome in one_of_each.finished.outcomes
    }


def broken(folder, old, new):
    path = write_program(folder / "project", "scripted")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


SMALL = "metric: Score/Val\nmode: max\nconstants: {LR: {loguniform: [1e-4, 1e-1]}}\ntrials: 4\nconcurrency: 1\n"


def test_a_program_that_fails_in_the_preflight_ends_the_search(search, tmp_path):
    program = broken(tmp_path, "super().__init__()\n", "super().__init__()\n        self.depth = 1 / 0\n")
    searched = search(program, SMALL)

    version = searched.paths.version("000,baseline")
    assert type(searched.error) is PreflightError
    assert str(searched.error) == (
        "scripted.py:21: the baseline failed in the pre-flight: ZeroDivisionError: division by zero\n"
        f"  self.depth = 1 / 0\n  The whole traceback: {version.error}"
    )
    assert version.error.read_text().endswith("ZeroDivisionError: division by zero\n")
    assert [trial.state.name for trial in searched.study.trials] == ["WAITING"]


def test_a_worker_that_dies_in_the_preflight_ends_the_search(search, tmp_path):
    program = broken(tmp_path, "super().__init__()\n", "import os\n        os._exit(3)\n")
    searched = search(program, SMALL.replace("concurrency: 1", "concurrency: 2"))

    assert type(searched.error) is PreflightError
    version = searched.paths.version("000,baseline")
    assert str(searched.error) == (
        "scripted.py:21: the worker died in the pre-flight: the program called os._exit(3)\n"
        f"  All that the program printed: {version.log}"
    )
    assert session(version.folder).status == "STATUS_FAILURE"
    assert version.hparams.exists()
    assert {trial.state.name for trial in searched.study.trials} == {"WAITING"}


def test_a_program_that_hangs_in_the_preflight_ends_the_search(search, tmp_path):
    program = broken(tmp_path, "super().__init__()\n", "import time\n        time.sleep(600)\n")
    searched = search(program, f"{SMALL}hang_after: 2s\n")

    assert type(searched.error) is PreflightError
    version = searched.paths.version("000,baseline")
    assert re.sub(r"\d+ s;", "N s;", str(searched.error)) == (
        "the pre-flight hung: no batch ended for N s; its stacks are in log.txt\n"
        f"  If it only takes long, allow more: `--hang-after 1h`.\n  All that the program printed: {version.log}"
    )


@pytest.mark.slow
def test_a_metric_that_is_never_logged_ends_the_search(search, tmp_path):
    searched = search(write_program(tmp_path / "project", "scripted"), SMALL.replace("Score/Val", "score/val"))

    assert type(searched.error) is MetricError
    assert searched.error.what == "'score/val' is never logged"
    assert searched.error.hint == "Did you mean 'Score/Val'?"
    assert searched.error.where.endswith("space.yaml:2")


@pytest.mark.slow
def test_a_program_of_another_shape_ends_the_search(search, tmp_path):
    searched = search(broken(tmp_path, "def dataloaders", "class B(pl.LightningModule): pass\ndef dataloaders"), SMALL)

    assert type(searched.error) is ProgramError
    assert str(searched.error) == (
        "scripted.py: 2 LightningModules in the program\n  Name one: scripted.py:Scripted, scripted.py:B."
    )


def test_when_the_time_is_over_running_epochs_end_and_the_rest_waits(search, tmp_path):
    program = write_program(tmp_path / "project", "cases")
    program.write_text(
        program.read_text().replace("PACE_S = 0.2", "PACE_S = 2").replace("time.sleep(PACE_S", "time.sleep(0")
    )
    searched = search(program, SPACE.replace("trials: 20", "trials: 20\ntime_budget: 0.1"))

    states = [trial.state.name for trial in searched.study.trials]
    assert states == ["WAITING"] * len(states)
    assert searched.study.trials[0].intermediate_values == {1: 0.5}
    assert searched.finished.interrupted_by_user is False
    version = searched.paths.version("000,baseline")
    assert by_epoch(version.folder)["Score/Val"] == {1: 0.5}
    assert read_record(version).stage == "stopped"


LINGERING = """
import time
import pytorch_lightning as pl
import torch

CASE = 9
MAX_EPOCHS = 3


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, idx):
        return self.layer(batch).mean()

    def validation_step(self, batch, idx):
        self.log("Score", float(CASE))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def teardown(self, stage):
        time.sleep(5 * (CASE < 9))


def dataloaders():
    loader = torch.utils.data.DataLoader(torch.ones(4, 1))
    return loader, loader
"""


@pytest.mark.slow
def test_workers_that_end_a_trial_slowly_do_not_wait_for_each_other(search, tmp_path):
    (tmp_path / "project").mkdir()
    program = tmp_path / "project" / "lingering.py"
    program.write_text(LINGERING)
    space = (
        "metric: Score\nmode: max\nconstants: {CASE: {choice: [9, 1, 2, 3, 4, 5, 6]}}\n"
        "sampler: grid\ntrials: 7\nconcurrency: 2\n"
    )

    searched = search(program, space)
    waited = [record for trial in searched.study.trials if (record := searched.record(trial)).fit_s > 4]

    assert len(waited) <= 1  # the answer to a report comes late only where no further trial wants the worker


def test_a_stopped_trial_ends_at_once_though_its_worker_gets_no_other(search, programs):
    program = programs("paced")
    slower = program.read_text().replace("sleep(PACE_S)", "sleep(PACE_S * (1 + LR))")
    program.write_text(slower.replace("MAX_EPOCHS = 4", "MAX_EPOCHS = 16"))
    text = "metric: Score/Val\nmode: max\nconstants: {LR: {uniform: [2, 3]}}\ntrials: 2\nconcurrency: 2\n"

    searched = search(program, text)

    baseline, stopped = map(searched.record, searched.study.trials)
    assert (baseline.stage, stopped.stage) == ("complete", "stopped")
    assert stopped.ended < baseline.ended


def test_in_a_process_whose_collector_is_paused_it_works_while_trials_run(search, tmp_path):
    seen = []
    program = write_program(tmp_path / "project", "cases")

    with collector_paused_for_long():
        search(program, SPACE.replace("trials: 20", "trials: 2"), on_end=lambda outcome: seen.append(gc.isenabled()))
        assert not gc.isenabled()

    assert seen == [True, True]
    assert gc.isenabled()
