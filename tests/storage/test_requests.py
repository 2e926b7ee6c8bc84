"""A search at a URL is steered from another machine: by objects that its driver brings, and answers."""

import shutil
import threading
import time

import pytest

from tests.steered import SteeredSearch
from tune.cli import main
from tune.experiment.lock import lock_experiment
from tune.storage.requests import FOLDER


@pytest.fixture
def driver(machine, tmp_path, monkeypatch):
    """Return a search on the first machine, which carries its files to the URL; the commands run on the second."""
    monkeypatch.setattr("tune.storage.sync.POLL_S", 0.1)
    search = SteeredSearch(tmp_path / "project")
    folder = machine("first")
    shutil.copytree(search.paths.folder, folder)
    search.move_to(folder)
    search.run_baseline()
    return search


@pytest.fixture
def running(driver, machine, remote):
    over = threading.Event()

    def look():
        while not over.wait(0.05):
            driver.poll()

    with lock_experiment(driver.paths):
        thread = threading.Thread(target=look)
        thread.start()
        until = time.monotonic() + 60
        while not remote.has_file("exp/study.journal"):
            assert time.monotonic() < until
            time.sleep(0.05)
        machine("second")
        yield driver
        over.set()
        thread.join()


def objects(remote):
    return list(remote.list_files(f"exp/{FOLDER}"))


def test_a_proposal_from_another_machine_is_answered_and_runs_once(running, url, remote, capfd):
    assert main(["propose", "exp", "LR=3e-3", "--storage", url]) == 0
    assert main(["propose", "exp", "LR=3e-3", "--storage", url]) == 2

    told = capfd.readouterr()
    assert told.out == "trial 001 runs next\n"
    assert told.err.startswith("trial 001 has this configuration\n")
    assert running.begin().values["LR"] == 3e-3
    assert objects(remote) == []


def test_a_search_at_a_url_is_stopped_from_another_machine(running, url, capfd):
    assert main(["pause", "exp", "--storage", url]) == 0
    assert main(["resume", "exp", "--storage", url]) == 0
    assert main(["stop", "exp", "--storage", url]) == 0
    assert running.controller.end.is_requested


def test_a_proposal_without_a_search_is_kept_at_the_url(driver, machine, url, remote, capfd):
    with lock_experiment(driver.paths):
        pass
    machine("second")
    assert main(["propose", "exp", "LR=3e-3", "--storage", url]) == 0
    assert main(["stop", "exp", "--storage", url]) == 2
    assert capfd.readouterr().out == f"no search runs: it is kept\n  To run it: promotune resume {url}/exp\n"
    assert len(objects(remote)) == 1

    machine("first")
    with lock_experiment(driver.paths):
        driver.restart()
        driver.controller.handle_kept_requests()
        assert driver.begin().values["LR"] == 3e-3
    assert [name for name in objects(remote) if not name.startswith("answers/")] == []


def test_an_object_that_is_too_large_or_no_request_does_nothing(running, url, remote):
    remote.write_file(f"exp/{FOLDER}/00000000000000000001-00000000.json", b"x" * 70_000)
    remote.write_file(f"exp/{FOLDER}/00000000000000000002-00000000.json", b"x")
    remote.write_file(f"exp/{FOLDER}/what.json", b"x")
    assert main(["propose", "exp", "LR=3e-3", "--storage", url]) == 0

    assert "00000000000000000001-00000000.json" not in objects(remote)
