"""Runs that a program logs to trackers itself: one for each trial, named, grouped, and closed in its state."""

import contextlib
import json
import os
import signal
import sqlite3
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.processes import run_in_process
from tests.trackers import need_tracker, read_offline_runs
from tune.experiment.records import read_record
from tune.paths import VersionPaths
from tune.space.space import Script
from tune.trial.messages import TrialTask
from tune.trial.trackers.close_runs import start_closing_runs
from tune.trial.trackers.mlflow_tracker import share_experiment
from tune.trial.trackers.run_labels import RunEnd, label_runs
from tune.trial.trackers.run_records import read_run_records, write_run_records
from tune.trial.trackers.tracked_trial import TrackedTrial
from tune.trial.trackers.tracker import lock_folder

SCRIPT = """
import os
import signal

import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, WandbLogger
from scripted import Scripted, dataloaders
{imports}
LR = 0.1
FAILS = False
DIES = 0

class Model(Scripted):
    def on_train_epoch_end(self):
        if DIES and self.current_epoch == DIES:
            os.kill(os.getpid(), signal.SIGKILL)

{before}
trainer = pl.Trainer(max_epochs=4, enable_model_summary=False, logger={loggers})
trainer.fit(Model(), *dataloaders())
if FAILS:
    raise ValueError("as asked")
{after}
"""


@pytest.fixture
def tracked(worker, programs, tmp_path, monkeypatch):
    """Return what runs trials of a script with these loggers, each in a process of its own."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "project" / "mlruns").as_uri())
    programs("scripted")

    def start(loggers="[]", imports="", before="", after=""):
        text = SCRIPT.format(loggers=loggers, imports=imports, before=before, after=after)
        found = worker("logged", text, promoted=("LR", "FAILS", "DIES"))
        found.job = replace(found.job, shape=Script())
        return found

    return start


def run(worker, number=1, *, stop_at=None, attempt=1, folder="", **values):
    """Run a trial; return its files, and how its process died."""
    files = VersionPaths(worker.storage / folder / f"{number:03d},LR=0.5")
    task = TrialTask(number=number, version=str(files.folder), seed=0, values={"LR": 0.5, **values}, attempt=attempt)
    told = run_in_process(worker.server, worker.job, task, answer=lambda epoch: epoch.epoch == stop_at)
    return files, told.death


# --- Weights & Biases


def wandb_run(worker):
    (found,) = read_offline_runs(worker.job.folder).values()
    return found


@pytest.mark.slow
def test_wandb_logger_when_a_trial_is_complete_then_its_run_has_name_group_constants_state_and_score(tracked):
    need_tracker("wandb")
    worker = tracked("WandbLogger(name='mine', id='same', group='own', tags=['paper'], project='digits')")
    files, _ = run(worker)

    found = wandb_run(worker)
    assert (found.name, found.group, found.job_type) == ("001,LR=0.5", "experiment", "trial")
    assert found.project == "digits"
    assert sorted(found.tags) == ["complete", "paper", "promotune"]
    assert (found.config["LR"], found.config["promotune"]["trial"]) == (0.5, 1)
    assert (found.summary["promotune/state"], found.summary["promotune/score"]) == ("complete", pytest.approx(0.4))
    assert found.summary["Score/Val"] == pytest.approx(0.4)
    assert found.exit_code == 0
    assert [each.state for each in read_run_records(files)] == ["complete"]


BEGIN = "wandb.init(project='digits', config={'LR': 7})"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop_at", "values", "state", "exit_code"), [(2, {}, "stopped", 0), (None, {"FAILS": True}, "failed", 1)]
)
def test_wandb_init_of_the_program_when_the_trial_ends_early_then_its_run_says_so(
    tracked, stop_at, values, state, exit_code
):
    need_tracker("wandb")
    worker = tracked(
        "WandbLogger()", "import wandb", "wandb.init(project='digits', config={'LR': 7})", "wandb.finish()"
    )
    run(worker, stop_at=stop_at, **values)

    found = wandb_run(worker)
    assert (set(found.tags), found.summary["promotune/state"]) == ({"promotune", state}, state)
    assert found.config["LR"] == 0.5
    assert found.exit_code == exit_code


@pytest.mark.slow
@pytest.mark.parametrize(("stop_at", "state"), [(None, "complete"), (2, "stopped")])
def test_wandb_block_when_a_trial_ends_in_it_then_its_run_is_closed_once(tracked, stop_at, state):
    need_tracker("wandb")
    worker = tracked("WandbLogger()", "import wandb", "run = wandb.init(project='digits')\nrun.__enter__()")
    text = worker.job.program.path.read_text()
    assert "__enter__" in text
    run(worker, stop_at=stop_at)

    found = wandb_run(worker)
    assert (set(found.tags), found.exit_code) == ({"promotune", state}, 0)


@pytest.mark.slow
def test_wandb_when_the_process_is_killed_then_the_next_attempt_goes_on_with_its_run(tracked):
    need_tracker("wandb")
    worker = tracked("WandbLogger(project='digits')")
    files, death = run(worker, DIES=2)
    assert "SIGKILL" in death
    assert [each.state for each in read_run_records(files)] == ["running"]

    run(worker, attempt=2)
    assert (set(wandb_run(worker).tags), wandb_run(worker).exit_code) == ({"complete", "promotune"}, 0)


@pytest.mark.slow
def test_wandb_when_the_process_is_killed_for_good_then_its_run_is_closed_as_failed(tracked):
    need_tracker("wandb")
    worker = tracked("WandbLogger(project='digits')")
    files, _ = run(worker, DIES=2)
    replace(read_record(files), stage="failed").write_record(files)
    assert start_closing_runs(files, "max", worker.job.folder).wait() == 0

    found = wandb_run(worker)
    assert (found.name, set(found.tags), found.exit_code) == ("001,LR=0.5", {"failed", "promotune"}, 1)
    assert [each.state for each in read_run_records(files)] == ["failed"]


@pytest.mark.slow
def test_wandb_when_it_cannot_begin_a_run_then_the_trial_goes_on_without(tracked, monkeypatch):
    need_tracker("wandb")
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    worker = tracked("WandbLogger(project='digits')")
    files, _ = run(worker)

    assert read_record(files).stage == "complete"
    assert "wandb.init failed, and this trial has no run" in files.log.read_text()


@pytest.mark.slow
def test_retrained_version_when_it_logs_then_its_run_is_marked(tracked):
    need_tracker("wandb")
    worker = tracked("WandbLogger(project='digits')")
    folder = worker.storage / "retrain" / "002,LR=0.5"
    folder.mkdir(parents=True)
    (folder / "retrain.json").write_text("{}")
    run(worker, 2, folder="retrain")

    found = wandb_run(worker)
    assert (found.name, found.group, found.job_type) == ("retrain/002,LR=0.5", "experiment", "retrain")
    assert set(found.tags) == {"complete", "promotune", "retrained"}


# --- MLflow


def mlflow_runs(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    client = MlflowClient((tmp_path / "project" / "mlruns").as_uri())
    found = [run for each in client.search_experiments() for run in client.search_runs([each.experiment_id])]
    return client, found


STARTS = {
    "MLFlowLogger": {"loggers": "MLFlowLogger(run_name='mine', tracking_uri=os.environ['MLFLOW_TRACKING_URI'])"},
    "start_run": {"imports": "import mlflow", "before": "mlflow.start_run(run_name='mine')"},
    "autolog": {"imports": "import mlflow", "before": "mlflow.pytorch.autolog(log_models=False)"},
    "in a block": {
        "imports": "import mlflow",
        "before": "block = mlflow.start_run(run_name='mine')\nblock.__enter__()\nmlflow.log_param('LR', 'text')",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    ("stop_at", "values", "state", "status"),
    [(None, {}, "complete", "FINISHED"), (2, {}, "stopped", "FINISHED"), (None, {"FAILS": True}, "failed", "FAILED")],
)
def test_mlflow_when_a_trial_ends_then_its_one_run_says_how(
    tracked, tmp_path, monkeypatch, start, stop_at, values, state, status
):
    need_tracker("mlflow")
    files, _ = run(tracked(**STARTS[start]), stop_at=stop_at, **values)

    _, (found,) = mlflow_runs(tmp_path, monkeypatch)
    assert (found.info.run_name, found.info.status) == ("001,LR=0.5", status)
    ours = {name.removeprefix("promotune."): text for name, text in found.data.tags.items() if "promotune" in name}
    assert (ours["experiment"], ours["trial"], ours["state"]) == ("experiment", "1", state)
    assert float(ours["score"]) == pytest.approx(0.2 if stop_at else 0.4)
    assert found.data.params["LR"] == "0.5"
    assert [each.state for each in read_run_records(files)] == [state]


@pytest.mark.slow
def test_mlflow_when_the_process_is_killed_for_good_then_its_run_is_closed_as_failed(tracked, tmp_path, monkeypatch):
    need_tracker("mlflow")
    worker = tracked(**STARTS["MLFlowLogger"])
    files, _ = run(worker, DIES=2)
    replace(read_record(files), stage="failed").write_record(files)
    assert mlflow_runs(tmp_path, monkeypatch)[1][0].info.status == "RUNNING"
    assert start_closing_runs(files, "max", worker.job.folder).wait() == 0

    _, (found,) = mlflow_runs(tmp_path, monkeypatch)
    assert (found.info.status, found.data.tags["promotune.state"]) == ("FAILED", "failed")
    assert start_closing_runs(files, "max", worker.job.folder) is None


@pytest.mark.slow
@pytest.mark.parametrize("start", ["MLFlowLogger", "start_run"])
def test_mlflow_when_two_trials_open_a_new_database_at_one_moment_then_both_have_a_run(
    tracked, tmp_path, monkeypatch, start
):
    need_tracker("mlflow")
    need_tracker("alembic")  # the client alone knows no databases
    database = tmp_path / "runs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    worker = tracked(**STARTS[start])

    with ThreadPoolExecutor(2) as trials:
        ended = list(trials.map(lambda number: run(worker, number), (1, 2)))

    assert [(read_record(files).stage, death) for files, death in ended] == [("complete", None)] * 2
    with contextlib.closing(sqlite3.connect(database)) as opened:
        runs = sorted(opened.execute("SELECT name, status FROM runs"))
        states = opened.execute("SELECT value FROM tags WHERE key = 'promotune.state'").fetchall()
    assert runs == [("001,LR=0.5", "FINISHED"), ("002,LR=0.5", "FINISHED")]
    assert states == [("complete",)] * 2


def took_s(folder, wait_s):
    begun = time.monotonic()
    with lock_folder(folder, wait_s):
        return time.monotonic() - begun


def test_a_locked_folder_is_waited_for_and_no_longer_than_that(tmp_path):
    with ThreadPoolExecutor(1) as other, lock_folder(tmp_path, 60):
        waits = other.submit(took_s, tmp_path, 60)
        assert took_s(tmp_path, 0.2) >= 0.2
        assert not waits.done()
    assert 0.2 <= waits.result() < 60
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_given_back_though_a_child_that_was_forked_meanwhile_lives_on(tmp_path):
    with lock_folder(tmp_path, 60):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        assert took_s(tmp_path, 60) < 1
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_folder_that_cannot_be_locked_is_not_waited_for(tmp_path):
    assert took_s(tmp_path / "gone", 60) < 1


@pytest.mark.slow
def test_mlflow_when_two_trials_make_its_experiment_at_one_moment_then_both_have_it(tmp_path, monkeypatch):
    need_tracker("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    client = MlflowClient((tmp_path / "runs").as_uri())
    create = share_experiment(MlflowClient.create_experiment)
    made = [create(client, "digits"), create(client, name="digits")]

    assert made[0] == made[1]
    client.delete_experiment(made[0])
    with pytest.raises(Exception, match="deleted"):
        create(client, "digits")


AWAY = {
    "MLFlowLogger": (STARTS["MLFlowLogger"], "MLFlowLogger failed, and logs nothing more of this trial"),
    "start_run": (STARTS["start_run"], "mlflow.start_run failed, and this trial has no run"),
    "in a block": (STARTS["in a block"], "mlflow.start_run failed, and this trial has no run"),
    "set_experiment": (
        {
            "imports": "import mlflow",
            "before": "place = mlflow.set_experiment('digits')\n"
            "with mlflow.start_run(experiment_id=place.experiment_id):\n    mlflow.log_metric('x', 1.0)",
        },
        "mlflow.set_experiment failed, and this trial has no run",
    ),
    "log_metric": (
        {"imports": "from mlflow import log_metric", "before": "log_metric('x', 1.0)"},
        "mlflow.start_run failed, and this trial has no run",
    ),
}


@pytest.fixture
def away(monkeypatch):
    """Let MLflow's server be one that takes no connection."""
    need_tracker("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")


@pytest.mark.slow
@pytest.mark.parametrize("start", AWAY)
def test_mlflow_when_its_server_is_away_then_the_trial_goes_on_without(tracked, away, start):
    words, said = AWAY[start]
    files, _ = run(tracked(**words))

    assert read_record(files).stage == "complete"
    assert said in files.log.read_text()
    assert read_run_records(files) == []


@pytest.mark.slow
def test_mlflow_when_another_call_of_the_program_needs_the_server_then_the_reason_names_the_tracker(tracked, away):
    files, _ = run(tracked(imports="import mlflow", before="mlflow.search_experiments()"))
    failure = read_record(files).failure

    assert failure.code == "mlflow.search_experiments()"
    assert failure.hint == "The tracker mlflow could not be reached: the configuration is not what failed."


@pytest.mark.slow
def test_mlflow_when_the_program_uses_it_wrongly_then_the_trial_fails(tracked):
    need_tracker("mlflow")
    files, _ = run(tracked(imports="import mlflow", before="mlflow.start_run()\nmlflow.start_run()"))

    assert read_record(files).failure.message.startswith("Run with UUID")
    assert read_record(files).failure.hint is None


@pytest.mark.slow
def test_mlflow_when_a_trial_ends_then_its_server_gets_two_requests_that_change_its_run(tracked, tmp_path, monkeypatch):
    need_tracker("mlflow")
    files, _ = run(tracked(**STARTS["start_run"]))
    from mlflow.store.tracking.file_store import FileStore

    calls = []
    for name in ("log_batch", "set_tag", "update_run_info"):
        method = getattr(FileStore, name)
        monkeypatch.setattr(
            FileStore,
            name,
            lambda *args, method=method, **given: (calls.append(method.__name__), method(*args, **given))[1],
        )
    write_run_records(files, [replace(each, state="running") for each in read_run_records(files)])
    end = RunEnd(state="failed", score=None)
    TrackedTrial(label_runs(files, 1, {"LR": 0.5}), files, lambda: end).close_runs(end)

    assert calls == ["log_batch", "update_run_info"]
    _, (found,) = mlflow_runs(tmp_path, monkeypatch)
    assert (found.info.status, found.data.tags["promotune.state"]) == ("FAILED", "failed")


# --- Comet, Trackio


@pytest.mark.slow
def test_comet_when_a_trial_is_stopped_then_its_archive_has_its_name_constants_state_and_score(tracked, tmp_path):
    need_tracker("comet_ml")
    worker = tracked(imports="import comet_ml", before="comet_ml.start(online=False, project_name='digits')")
    files, _ = run(worker, stop_at=2)
    (archive,) = (worker.job.folder / ".cometml-runs").glob("*.zip")
    lines = zipfile.ZipFile(archive).read("messages.json").decode().splitlines()
    told = [each["payload"] for each in map(json.loads, lines)]
    others = {each["key"]: each["value"] for each in told if "key" in each}
    params = {each["param"]["paramName"]: each["param"]["paramValue"] for each in told if "param" in each}

    assert (others["Name"], others["promotune.experiment"]) == ("001,LR=0.5", "experiment")
    assert (others["promotune.state"], others["promotune.score"]) == ("stopped", pytest.approx(0.2))
    assert params["LR"] == 0.5
    assert [each.state for each in read_run_records(files)] == ["stopped"]


@pytest.mark.slow
def test_trackio_when_a_trial_is_stopped_then_its_run_has_its_name_constants_state_and_score(
    tracked, tmp_path, monkeypatch
):
    need_tracker("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    worker = tracked(imports="import trackio", before="trackio.init('digits', name='mine')\ntrackio.log({'x': 1.0})")
    run(worker, stop_at=2)
    (database,) = (tmp_path / "trackio").glob("digits*.db")
    with contextlib.closing(sqlite3.connect(database)) as connection:
        entries = [json.loads(each) for (each,) in connection.execute("SELECT metrics FROM metrics ORDER BY id")]
        ((name, config),) = connection.execute("SELECT run_name, config FROM configs")

    assert (name, json.loads(config)["LR"]) == ("001,LR=0.5", 0.5)
    assert entries[-1] == {"promotune/state": "stopped", "promotune/score": pytest.approx(0.2)}


# --- CSV, and all at once


def test_csv_logger_when_trials_log_then_each_has_a_folder_of_its_name_that_says_how_it_ended(tracked):
    worker = tracked("CSVLogger('logs', version='same')")
    run(worker, stop_at=2)
    run(worker, 2)

    folder = worker.job.folder / "logs" / "lightning_logs" / "experiment"
    found = {each.name: json.loads((each / "promotune.json").read_text()) for each in folder.iterdir()}
    assert {name: each["state"] for name, each in found.items()} == {"001,LR=0.5": "stopped", "002,LR=0.5": "complete"}
    assert found["001,LR=0.5"]["constants"] == {"LR": 0.5}
    assert found["001,LR=0.5"]["score"] == pytest.approx(0.2)
    assert all((folder / name / "metrics.csv").is_file() for name in found)


def test_stopped_trial_whose_process_died_before_it_closed_its_run_then_the_run_says_stopped(tracked):
    worker = tracked("CSVLogger('logs')")
    files, _ = run(worker, stop_at=2)
    write_run_records(files, [replace(each, state="running") for each in read_run_records(files)])

    start_closing_runs(files, "max", worker.job.folder).wait(timeout=60)

    (found,) = read_run_records(files)
    assert (read_record(files).stage, found.state) == ("stopped", "stopped")
    assert json.loads(Path(found.run, "promotune.json").read_text())["state"] == "stopped"


def test_csv_logger_that_logs_nothing_then_leaves_no_folder(tracked):
    worker = tracked(before="unused = CSVLogger('logs')")
    run(worker)

    assert list((worker.job.folder / "logs").rglob("*.json")) == []


@pytest.mark.slow
def test_several_loggers_when_a_trial_ends_then_each_tracker_has_one_run(tracked, tmp_path, monkeypatch):
    need_tracker("wandb")
    need_tracker("mlflow")
    loggers = f"[{STARTS['MLFlowLogger']['loggers']}, WandbLogger(), CSVLogger('logs')]"
    files, _ = run(tracked(loggers))

    assert sorted(each.tracker for each in read_run_records(files)) == ["csv", "mlflow", "wandb"]
    assert {each.state for each in read_run_records(files)} == {"complete"}


@pytest.mark.slow
def test_preflight_when_a_program_logs_to_trackers_then_it_leaves_no_run(tracked, tmp_path, monkeypatch):
    need_tracker("wandb")
    need_tracker("mlflow")
    loggers = f"[{STARTS['MLFlowLogger']['loggers']}, WandbLogger(), CSVLogger('logs')]"
    worker = tracked(loggers)
    files = VersionPaths(worker.storage / "000,baseline")
    task = TrialTask(number=0, version=str(files.folder), seed=0, values={}, preflight=True, rehearsal=True)
    run_in_process(worker.server, worker.job, task)

    assert read_record(files).ready
    assert read_run_records(files) == []
    assert not (worker.job.folder / "wandb").exists()
    assert not (worker.job.folder / "mlruns").exists()
    assert not (worker.job.folder / "logs").exists()
