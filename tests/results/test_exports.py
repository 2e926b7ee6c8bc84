"""Experiments that are sent to trackers, or written as tables: whole, and once."""

import csv
import math
import sys
from dataclasses import replace

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tests.trackers import need_tracker, read_offline_runs
from tune.cli import main
from tune.errors import OptionError
from tune.experiment.open import open_experiment
from tune.experiment.records import Failure, RetrainRequest, TrialRecord
from tune.paths import VersionPaths
from tune.results.exports.exported_run import import_tracker, list_exported_runs
from tune.results.exports.mlflow_export import export_to_mlflow
from tune.results.exports.tables import export_tables
from tune.results.exports.wandb_export import export_to_wandb

TRIALS = [
    Trial(curve=[0.1, 0.3]),
    Trial(curve=[0.25], values={"LR": 0.05, "OPTIMIZER": "sgd"}, state="PRUNED"),
    Trial(state="FAIL", curve=[math.nan], failure=Failure(kind="NaN", message="Score/Val is nan in epoch 1")),
    Trial(state="WAITING"),
]


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path, TRIALS)


@pytest.fixture
def uri(tmp_path, monkeypatch):
    """Return where MLflow is to write."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return (tmp_path / "runs").as_uri()


@pytest.fixture
def offline(monkeypatch):
    """Let W&B write files alone."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)


def retrain(experiment, *curve):
    """Add a retrained version of the first trial; return the experiment as it is then."""
    files = VersionPaths(experiment.paths.retrain_folder / "000,seed=3")
    files.folder.mkdir(parents=True)
    RetrainRequest(trial=0, seed=3, fresh=True, trainer={}, source="source", digest="d").write_request(files)
    TrialRecord(
        number=0,
        version=files.folder.name,
        constants={"LR": 0.01},
        seed=3,
        stage="complete",
        pid=1,
        host="here",
        devices=None,
        started=0.0,
        curve=list(enumerate(curve, 1)),
    ).write_record(files)
    return open_experiment("exp", experiment.paths.folder.parent)


def test_runs_of_an_experiment_are_those_that_ended_and_retrained_versions_are_apart(experiment):
    runs = list_exported_runs(retrain(experiment, 0.5))

    assert [(run.labels.name, run.end.state, run.end.score) for run in runs] == [
        ("000,baseline", "complete", 0.3),
        ("001,LR=0.05,BATCH_SIZE=64,DROPOUT=0.1,OPTIMIZER=sgd", "stopped", 0.25),
        ("002,LR=0.01,BATCH_SIZE=64,DROPOUT=0.1,OPTIMIZER=adam", "failed", None),
        ("retrain/000,seed=3", "complete", 0.5),
    ]
    assert len({run.key for run in runs}) == 4
    assert runs[0].curves == {"Score/Val": {1: 0.1, 2: 0.3}}


def test_a_run_has_the_same_key_where_the_experiment_is_moved_and_another_digest_where_it_changed(experiment, tmp_path):
    before = list_exported_runs(experiment)
    experiment.paths.folder.parent.rename(tmp_path / "elsewhere")
    after = list_exported_runs(open_experiment("exp", tmp_path / "elsewhere"))

    assert [(run.key, run.digest) for run in before] == [(run.key, run.digest) for run in after]
    assert replace(after[0], end=after[1].end).digest != after[0].digest


# --- MLflow


def runs_in(uri, name="exp"):
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    place = client.get_experiment_by_name(name).experiment_id
    return client, {run.info.run_name: run for run in client.search_runs([place])}


def test_mlflow_when_an_experiment_is_exported_then_it_has_states_tags_params_and_curves(experiment, uri):
    need_tracker("mlflow")
    count = export_to_mlflow(list_exported_runs(retrain(experiment, 0.5)), uri, "exp")
    client, runs = runs_in(uri)

    assert (count.n_new, count.n_known, len(runs)) == (4, 0, 4)
    baseline = runs["000,baseline"]
    assert baseline.info.status == "FINISHED"
    assert baseline.data.params == {"LR": "0.01", "BATCH_SIZE": "64", "DROPOUT": "0.1", "OPTIMIZER": "adam"}
    assert baseline.data.tags["promotune.state"] == "complete"
    assert baseline.data.tags["promotune.score"] == "0.3"
    history = client.get_metric_history(baseline.info.run_id, "Score/Val")
    assert [(each.step, each.value) for each in history] == [(1, 0.1), (2, 0.3)]
    states = {name[:3]: (run.info.status, run.data.tags["promotune.state"]) for name, run in runs.items()}
    assert (states["001"], states["002"]) == (("FINISHED", "stopped"), ("FAILED", "failed"))
    assert runs["retrain/000,seed=3"].data.tags["promotune.retrained"] == "True"


def test_mlflow_when_an_experiment_is_exported_again_then_only_what_is_new_is_sent(experiment, uri):
    need_tracker("mlflow")
    export_to_mlflow(list_exported_runs(experiment), uri, "exp")
    again = export_to_mlflow(list_exported_runs(experiment), uri, "exp")
    more = export_to_mlflow(list_exported_runs(retrain(experiment, 0.5)), uri, "exp")

    assert (again.n_new, again.n_known) == (0, 3)
    assert (more.n_new, more.n_known) == (1, 3)
    assert len(runs_in(uri)[1]) == 4


def test_mlflow_when_a_run_changed_or_was_cut_short_then_it_is_replaced(experiment, uri):
    need_tracker("mlflow")
    runs = list_exported_runs(experiment)
    export_to_mlflow(runs, uri, "exp")
    client, sent = runs_in(uri)
    client.delete_tag(sent["000,baseline"].info.run_id, "promotune.digest")
    count = export_to_mlflow([runs[0], replace(runs[1], end=runs[0].end), *runs[2:]], uri, "exp")

    assert (count.n_new, count.n_known) == (2, 1)
    assert len(runs_in(uri)[1]) == 3


NAMES = ["Accuracy/Val", "val loss", "größe", "a\tb", "../up", "x" * 300, "größe!", "@"]


def test_mlflow_when_metrics_have_names_that_it_refuses_then_they_are_sent_under_legal_ones(experiment, uri):
    need_tracker("mlflow")
    (run, *_) = list_exported_runs(experiment)
    curves = {name: {1: float(at)} for at, name in enumerate(NAMES)}
    export_to_mlflow([replace(run, curves=curves)], uri, "exp")
    found = runs_in(uri)[1]["000,baseline"].data.metrics

    assert sorted(found.values()) == [float(at) for at in range(len(NAMES))]
    assert (found["Accuracy/Val"], found["val loss"]) == (0.0, 1.0)


def test_mlflow_when_a_curve_is_long_then_all_of_it_is_sent(experiment, uri):
    need_tracker("mlflow")
    (run, *_) = list_exported_runs(experiment)
    export_to_mlflow([replace(run, curves={"Score/Val": dict.fromkeys(range(1, 2502), 0.5)})], uri, "exp")
    client, runs = runs_in(uri)

    assert len(client.get_metric_history(runs["000,baseline"].info.run_id, "Score/Val")) == 2501


def test_mlflow_when_its_server_is_away_then_the_error_says_where_runs_would_go(
    experiment, capfd, monkeypatch, tmp_path
):
    need_tracker("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    words = ["export", str(experiment.paths.folder), "--to", "mlflow", "--output", "http://127.0.0.1:9"]
    status = main(words)

    told = capfd.readouterr().err
    assert status == 2
    assert told.startswith("mlflow: it refused what was sent: ")
    assert "`--output URI`, else MLFLOW_TRACKING_URI" in told


# --- Weights & Biases


def test_wandb_when_an_experiment_is_exported_twice_offline_then_there_is_one_copy(experiment, offline, tmp_path):
    need_tracker("wandb")
    folder = tmp_path / "sent"
    first = export_to_wandb(list_exported_runs(experiment), folder, "digits")
    again = export_to_wandb(list_exported_runs(experiment), folder, "digits")
    more = export_to_wandb(list_exported_runs(retrain(experiment, 0.5)), folder, "digits")
    runs = {run.name: run for run in read_offline_runs(folder).values()}

    assert [(each.n_new, each.n_known) for each in (first, again, more)] == [(3, 0), (0, 3), (1, 3)]
    assert len(runs) == 4
    baseline = runs["000,baseline"]
    assert (baseline.group, baseline.project, baseline.exit_code) == ("exp", "digits", 0)
    assert baseline.tags == ["promotune", "complete"]
    assert baseline.config["LR"] == 0.01
    assert [(each["epoch"], each["Score/Val"]) for each in baseline.history] == [(1, 0.1), (2, 0.3)]
    assert baseline.summary["promotune/score"] == 0.3
    assert {run.exit_code for name, run in runs.items() if name.startswith("002")} == {1}
    assert runs["retrain/000,seed=3"].job_type == "retrain"


def test_wandb_when_a_run_changed_then_it_is_replaced(experiment, offline, tmp_path):
    need_tracker("wandb")
    run, other, *_ = list_exported_runs(experiment)
    export_to_wandb([run], tmp_path, "digits")
    export_to_wandb([replace(run, end=other.end)], tmp_path, "digits")
    (found,) = read_offline_runs(tmp_path).values()

    assert found.tags == ["promotune", "stopped"]


# --- tables


def test_tables_when_written_as_csv_then_they_have_trials_curves_and_retrained_versions(experiment, tmp_path):
    export_tables(retrain(experiment, 0.5), tmp_path / "out", "csv")
    tables = {each.stem: list(csv.DictReader(each.read_text().splitlines())) for each in (tmp_path / "out").iterdir()}

    assert sorted(tables) == ["curves", "retrained", "trials"]
    assert [row["state"] for row in tables["trials"]] == ["complete", "pruned", "failed", "waiting"]
    assert [(row["number"], row["epoch"], row["value"]) for row in tables["curves"]] == [
        ("0", "1", "0.1"),
        ("0", "2", "0.3"),
        ("1", "1", "0.25"),
        ("2", "1", "nan"),
        ("0", "1", "0.5"),
    ]
    assert [row["retrained"] for row in tables["curves"]] == ["False"] * 4 + ["True"]
    assert (tables["retrained"][0]["constants.LR"], tables["retrained"][0]["score"]) == ("0.01", "0.5")


def test_tables_when_written_as_parquet_then_numbers_are_numbers(experiment, tmp_path):
    from pyarrow import parquet

    export_tables(experiment, tmp_path / "out", "parquet")
    trials = parquet.read_table(tmp_path / "out" / "trials.parquet").to_pydict()

    assert trials["constants.LR"] == [0.01, 0.05, 0.01, 0.01]
    assert trials["score"] == [0.3, 0.25, None, None]
    assert trials["number"] == [0, 1, 2, 3]
    assert trials["constants.OPTIMIZER"] == ["adam", "sgd", "adam", "adam"]


def test_tables_of_several_metrics_have_a_curve_of_each(tmp_path):
    space = SPACE.replace("metric: Score/Val\nmode: max", "metric: [Score/Val, Loss/Val]\nmode: [max, min]")
    more = {"others in epoch 1": [2.5]}
    experiment = write_experiment(tmp_path, [Trial(curve=[0.1], more=more, state="PRUNED")], space)
    export_tables(experiment, tmp_path / "out", "csv")

    rows = list(csv.DictReader((tmp_path / "out" / "curves.csv").read_text().splitlines()))
    assert {row["metric"]: row["value"] for row in rows} == {"Score/Val": "0.1", "Loss/Val": "2.5"}


def test_tables_when_their_folder_is_a_file_then_the_error_names_the_option(experiment, tmp_path):
    (tmp_path / "out").touch()

    with pytest.raises(OptionError, match=r"--output: the folder .* cannot be made: File exists"):
        export_tables(experiment, tmp_path / "out", "csv")


# --- the command


def test_export_when_trials_have_not_ended_then_says_so(experiment, uri, capfd):
    need_tracker("mlflow")
    assert main(["export", str(experiment.paths.folder), "--to", "mlflow", "-o", uri]) == 0

    sent, left = capfd.readouterr().out.splitlines()
    assert sent == f"mlflow: 3 runs sent to {uri} (exp)"
    assert left == "1 trial has not ended: export again to send what is left"


def test_export_when_a_package_is_missing_then_the_error_names_the_extra(experiment, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    status = main(["export", str(experiment.paths.folder), "--to", "mlflow"])

    assert status == 2
    assert capfd.readouterr().err == ("--to: mlflow is not installed\n  Install it: pip install 'promotune[mlflow]'\n")


def test_a_folder_with_the_name_of_a_tracker_is_not_the_tracker(monkeypatch, tmp_path):
    """W&B writes such a folder where a program trains."""
    (tmp_path / "wandb" / "offline-run-1").mkdir(parents=True)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])  # where it is installed, it is found nowhere else

    with pytest.raises(OptionError, match="wandb is not installed"):
        import_tracker("wandb")
    del sys.modules["wandb"]  # the folder


def test_export_when_tables_are_given_a_project_then_refuses(experiment, capfd):
    status = main(["export", str(experiment.paths.folder), "--to", "csv", "--project", "p"])

    assert status == 2
    assert capfd.readouterr().err == (
        "--project: tables of csv have no project\n  Name their folder: --output FOLDER.\n"
    )
