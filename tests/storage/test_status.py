"""`status` of a search that another machine runs at a URL: the lease there says whether it does."""

import json
import shutil
import time

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tune.cli import main
from tune.paths import ExperimentPaths
from tune.results import status
from tune.results.status import follow_events, read_status
from tune.storage.driver_sync import sync_experiment
from tune.storage.lease import LAPSE_S, NAME, LeaseHolder
from tune.storage.remote_folder import RemoteFolder

TRIALS = [Trial(curve=[0.5]), Trial(curve=[0.75], values={"LR": 0.05})]
ENDED = SPACE.replace("trials: 20", "trials: 2")


def carry(folder, n_trials, tmp_path, space):
    """Let another machine write an experiment with so many trials, and carry it to the URL."""
    here = tmp_path / f"written-{n_trials}"
    here.mkdir()
    shutil.copytree(write_experiment(here, TRIALS[:n_trials], space).paths.folder, folder, dirs_exist_ok=True)
    with sync_experiment(folder, print):
        pass


def hold(remote, age_s=0.0):
    """Hold the lease as another machine does, or did so many seconds ago."""
    holder = LeaseHolder(id="theirs", host="elsewhere", pid=7, time=time.time() - age_s)
    remote.write_file(NAME, holder.encode())


@pytest.fixture
def there(url):
    return RemoteFolder(f"{url}/exp")


def test_a_search_is_running_while_another_machine_renews_its_lease(machine, there, url, tmp_path, capfd):
    carry(machine("first"), 1, tmp_path, SPACE)
    folder = machine("second")
    hold(there)
    assert main(["status", "exp", "--json", "--storage", url]) == 0
    assert json.loads(capfd.readouterr().out)["state"] == "running"

    assert main(["list", "--json", "--storage", url]) == 0
    assert [each["state"] for each in json.loads(capfd.readouterr().out)] == ["running"]

    hold(there, age_s=LAPSE_S + 1)
    assert main(["status", f"{url}/exp", "--json"]) == 130
    assert json.loads(capfd.readouterr().out)["state"] == "interrupted"
    assert read_status(ExperimentPaths(folder))["n_trials"]["complete"] == 1


def test_following_a_search_that_another_machine_runs_sees_what_it_carries_and_its_end(
    machine, there, url, tmp_path, monkeypatch
):
    monkeypatch.setattr(status, "REMOTE_POLL_S", 0.01)
    carry(machine("first"), 1, tmp_path, ENDED)
    folder = machine("second")
    assert main(["results", "exp", "--storage", url]) == 0
    hold(there)
    events = follow_events(ExperimentPaths(folder))
    first = next(events)

    there.delete_files([NAME])
    other = machine("third")
    (tmp_path / "again").mkdir()
    written = write_experiment(tmp_path / "again", TRIALS, ENDED).paths.journal.read_bytes()
    there.write_file("study.journal", written)
    machine("second")
    rest = list(events)

    assert not other.exists()
    assert (first["event"], first["state"], first["n_trials"]["complete"]) == ("status", "running", 1)
    assert [(each["event"], each.get("trial")) for each in rest] == [
        ("started", 1),
        ("epoch", 1),
        ("ended", 1),
        ("best", 1),
        ("finished", None),
    ]
    assert rest[-1]["outcome"] == "better"
