"""Files of an experiment that are no files, that have no end, or hold what no search wrote: no command waits for them.

Each command ends within seconds, with a status that it documents, and without a traceback.
"""

import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.cli.test_hostile import JUNK, places, put
from tests.experiments import SPACE, Trial, write_experiment
from tests.results.test_confirmation import confirm
from tune.cli import main
from tune.cli.terminal.streams import make_printable
from tune.experiment.records import TrialRecord, read_record
from tune.paths import ExperimentPaths, VersionPaths
from tune.results.experiments import summarise_experiment

TRIALS = [Trial(curve=[0.80]), Trial(curve=[0.90], values={"LR": 0.02}), Trial(curve=[0.95], values={"LR": 0.03})]
SOON_S = 20
"""A command that takes longer waits for something; on a busy machine most take seconds."""
COMMANDS = {
    "results": (0, 2),
    "list": (0, 2),
    "status": (0, 1, 2, 3, 130),
    "status --follow": (0, 1, 2, 3, 130),
    "report": (0, 2),
    "apply": (0, 2),
    "resume --trials 1": (2,),
    "delete --yes": (2,),
    "retrain": (2,),
}
"""Each with the statuses that it may have."""
READERS = [*COMMANDS][:7]
GPU = {"uuid": "GPU-1", "name": "NVIDIA H200", "total_bytes": 150 * 10**9, "peak_bytes": 2 * 10**9, "utilization": 0.3}
MEMORY = {
    "total_bytes": 150 * 10**9,
    "free_bytes": 140 * 10**9,
    "context_bytes": 2**29,
    "footprints": [{"what": "the hardcoded values", "peak_bytes": 10**9, "failure": None, "overflows": False}],
    "utilization": 0.2,
}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A search with its confirmation, with records that hold all that a record may hold."""
    folder = tmp_path_factory.mktemp("odd")
    experiment = write_experiment(folder, TRIALS, SPACE.replace("trials: 20", "trials: 3"))
    confirm(experiment)
    for trial in experiment.trials:
        files = experiment.paths.version(trial.version)
        files.folder.mkdir(exist_ok=True)
        TrialRecord(
            number=trial.number,
            version=trial.version,
            constants=dict(trial.values),
            seed=0,
            stage="complete",
            pid=1,
            host="here",
            devices="0",
            gpu_share=0.25,
            outgrown_shares=[0.1],
            started=1.0,
            ended=20.0,
            curve=[(1, 0.8)],
            ready=True,
            gpu=GPU,
            gpu_memory=MEMORY if trial.is_baseline else {},
        ).write_record(files)
    for file in experiment.paths.retrain_folder.glob("*/trial.json"):
        files = VersionPaths(file.parent)
        record = json.loads(file.read_text()) | {
            "test": {"Score/Test": 0.5},
            "holdout": {"Score/Val": 0.5},
            "held_out_parts": {"test": {"Score/Test": [0.1, 0.2]}, "holdout": {"Score/Val": [0.1, 0.3]}},
            "holdout_of": [{"loader": 0, "length": 10, "kept": 2, "digest": "ab"}],
        }
        file.write_text(json.dumps(record))
        assert read_record(files) is not None
    experiment.paths.applied_values.write_text('{"LR": [0.02]}\n')
    experiment.paths.environment_file.write_text('{"torch": "2.1"}\n')
    experiment.paths.lock.touch()
    return folder


@pytest.fixture
def experiment(original, tmp_path, monkeypatch):
    shutil.copytree(original, tmp_path / "a")
    monkeypatch.chdir(tmp_path / "a" / "project")
    return ExperimentPaths(tmp_path / "a" / "storage" / "exp")


def run(paths, command, capfd):
    """Run a command; check how it ends; return what it printed."""
    word, *options = command.split()

    def give_up(number, frame):
        raise TimeoutError(f"{command} takes more than {SOON_S} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SOON_S)
    try:
        status = main([word, *(["exp"] if word != "list" else []), *options, "--storage", str(paths.folder.parent)])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    out, err = capfd.readouterr()
    assert status in COMMANDS[command], err
    assert "Traceback" not in err
    assert make_printable(out + err) == out + err
    return out + err


def make_fifo(file):
    os.mkfifo(file)


def make_folder(file):
    file.mkdir()
    (file / "mine.txt").write_text("mine")


def make_loop(file):
    file.symlink_to(file.name)


def make_endless(file):
    file.symlink_to("/dev/zero")


def make_huge(file):
    with file.open("wb") as opened:
        opened.truncate(2**40)


def make_socket(file):
    here = Path.cwd()
    os.chdir(file.parent)  # a socket's path has a hundred characters at most
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(file.name)
    os.chdir(here)


ODD = (make_fifo, make_folder, make_loop, make_endless, make_huge, make_socket)
FILES = (
    "verdicts.json",
    "applied.json",
    "surroundings.json",
    "space.yaml",
    "source/snapshot.json",
    "source/program.py",
    "retrain",
    "TRIAL/trial.json",
    "TRIAL",
    "RUN/trial.json",
    "RUN/retrain.json",
    ".lock.holder",
    "driver.log",
    "report.html",
)


def find(paths, name):
    """Return a file of the experiment; of a trial and of a retrained run that of one of them."""
    run = min(paths.retrain_folder.iterdir()).name
    trial = next(each.name for each in paths.folder.iterdir() if each.name.startswith("002"))
    return paths.folder / name.replace("TRIAL", trial).replace("RUN", f"retrain/{run}")


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems write such a large file whole")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("make", ODD)
def test_a_file_that_is_none_or_has_no_end_is_told_or_counts_for_nothing(experiment, capfd, name, make):
    for command in ("results", "list", "apply", "resume --trials 1"):
        file = find(experiment, name)
        aside = file.with_name(".aside")
        file.rename(aside) if file.exists() else None
        make(file)
        run(experiment, command, capfd)
        shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)
        aside.rename(file) if aside.exists() else None


@pytest.mark.parametrize(
    ("name", "make", "command"),
    [
        (".lock", make_folder, "delete --yes"),
        (".lock", make_socket, "resume --trials 1"),
        ("study.journal.lock", make_folder, "resume --trials 1"),
        ("retrain", make_fifo, "retrain"),
        ("retrain", make_loop, "retrain"),
    ],
)
def test_a_lock_or_a_folder_that_is_none_is_told_by_its_path(experiment, capfd, name, make, command):
    file = experiment.folder / name
    shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    make(file)

    assert str(file) in run(experiment, command, capfd)


def test_a_list_goes_on_where_an_experiment_is_deleted_meanwhile(experiment, capfd, monkeypatch):
    def delete(paths, *, running):
        shutil.rmtree(paths.folder, ignore_errors=True)
        return summarise_experiment(paths, running=running)

    monkeypatch.setattr("tune.cli.commands.list.summarise_experiment", delete)
    run(experiment, "list", capfd)


def test_who_follows_a_search_that_is_deleted_is_told(experiment, capfd, monkeypatch):
    monkeypatch.setattr("tune.results.status.is_running", lambda paths: paths.folder.exists())
    monkeypatch.setattr("tune.results.status.time.sleep", lambda seconds: shutil.rmtree(experiment.folder))
    told = run(experiment, "status --follow", capfd)

    assert f"no experiment '{experiment.folder}'" in told


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems write such a large file whole")
def test_a_ledger_with_a_hole_is_damaged(experiment, capfd):
    with experiment.journal.open("ab") as file:
        file.truncate(2**40)
    for command in ("results", "status", "apply", "resume --trials 1"):
        assert "study.journal: a record has more than 67108864 bytes\n" in run(experiment, command, capfd)


JSONS = ("verdicts.json", "applied.json", "source/snapshot.json", "TRIAL/trial.json", "RUN/trial.json")


@pytest.mark.parametrize("name", JSONS)
@pytest.mark.parametrize("text", ['"x"', "true", "[1]", '["x"]', '{"verdicts": ["x"]}', '{"verdicts": [1]}'])
def test_a_file_whose_top_is_of_another_kind_is_refused_or_counts_for_nothing(experiment, capfd, name, text):
    find(experiment, name).write_text(text)
    for command in READERS:
        run(experiment, command, capfd)


@settings(max_examples=120, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_part_of_a_file_that_is_not_ours_is_refused_or_counts_for_nothing(experiment, capfd, data):
    file = find(experiment, data.draw(st.sampled_from(JSONS)))
    whole = file.read_text()
    held = json.loads(whole)
    path = data.draw(st.sampled_from(list(places(held))))
    file.write_text(json.dumps(put(held, path, data.draw(JUNK | st.sampled_from([2**63, 10**300, -1, 1e308])))))
    try:
        run(experiment, data.draw(st.sampled_from(READERS)), capfd)
    finally:
        file.write_text(whole)
