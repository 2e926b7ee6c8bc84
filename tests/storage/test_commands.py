"""`list` and `delete` of a storage at a URL speak of what lies there, not of this machine's copy."""

import shutil

import pytest

from tests.experiments import Trial, write_experiment
from tune.cli import main
from tune.experiment.records import Failure
from tune.storage.driver_sync import sync_experiment
from tune.storage.remote_folder import RemoteFolder

FAILURE = Failure(kind="ValueError", message="no")
TRIALS = [Trial(curve=[0.5]), Trial(curve=[0.75]), Trial(state="FAIL", failure=FAILURE, values={"LR": 0.05})]


@pytest.fixture
def there(machine, tmp_path):
    """An experiment at the URL, carried there by another machine."""
    experiment = write_experiment(tmp_path, TRIALS)
    folder = machine("first")
    shutil.copytree(experiment.paths.folder, folder)
    with sync_experiment(folder, print):
        pass
    machine("second")


def test_list_when_nothing_was_brought_yet_then_it_shows_what_lies_there(there, url, capfd):
    assert main(["list", "--storage", url]) == 0
    assert "0.75" in capfd.readouterr().out


def test_list_when_the_store_cannot_be_reached_then_it_says_so(reach, capfd):
    assert main(["list", "--storage", "s3://no-such-bucket-anywhere/folder"]) in (1, 2)
    assert "no experiments" not in capfd.readouterr().out


def test_delete_when_an_experiment_lies_at_a_url_then_it_is_gone_there(there, url, remote, capfd):
    assert main(["delete", "exp", "--yes", "--storage", url]) == 0

    assert remote.list_files() == {}
    assert RemoteFolder(f"{url}/exp").list_folders() == []
    assert main(["results", "exp", "--storage", url]) == 2
    assert "no experiment 'exp'\n  Experiments: none." in capfd.readouterr().err


def test_delete_when_a_version_lies_at_a_url_then_it_alone_is_gone_there(there, url, remote):
    (version,) = {name.split("/")[1] for name in remote.list_files() if name.endswith("trial.json")}
    assert main(["delete", "exp", version, "--yes", "--storage", url]) == 0

    names = {name.split("/")[1] for name in remote.list_files()}
    assert version not in names
    assert {"study.journal", "space.yaml"} <= names


def test_delete_when_the_store_does_not_answer_then_the_copy_stays(there, url, reach, capfd, monkeypatch):
    monkeypatch.setattr("tune.storage.driver_sync.N_TRIES", 1)
    assert main(["list", "--storage", url]) == 0
    reach.stop()
    try:
        assert main(["delete", "exp", "--yes", "--storage", url]) != 0
    finally:
        reach.start()
    assert main(["results", "exp", "--storage", url]) == 0
    assert "0.75" in capfd.readouterr().out
