"""A search at a URL is steered from another machine: by objects that its driver brings, and answers."""

import shutil
import threading
import time

import pytest

from tests.steered import SteeredSearch
from tune.cli import main
from tune.experiment.lock import lock_experiment
from tune.storage.remote_folder import RemoteFolder
from tune.storage.request_exchange import FOLDER, RemoteRequests, RequestExchange


@pytest.fixture
def driver(machine, tmp_path, monkeypatch):
    """Return a search on the first machine, which carries its files to the URL; the commands run on the second."""
    monkeypatch.setattr("tune.storage.driver_sync.POLL_S", 0.1)
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


REQUEST = "00000000000000000001-00000000"


def test_of_a_driver_that_brings_a_request_and_a_client_that_takes_it_back_one_succeeds(remote, url, tmp_path):
    place = RemoteFolder(f"{url}/exp")
    driver, client = RequestExchange(place, tmp_path), RemoteRequests(place.url)
    client.send_request(REQUEST, b"{}")
    assert client.has_request(REQUEST)
    assert client.withdraw_request(REQUEST)
    driver.exchange_requests()
    assert objects(remote) == []

    client.send_request(REQUEST, b"{}")
    driver.exchange_requests()
    assert (tmp_path / ".requests" / f"{REQUEST}.json").read_bytes() == b"{}"
    assert not client.has_request(REQUEST)
    assert not client.withdraw_request(REQUEST)


def test_a_request_that_is_taken_back_while_a_driver_brings_it_is_not_done(remote, url, tmp_path, monkeypatch):
    place = RemoteFolder(f"{url}/exp")
    driver, client = RequestExchange(place, tmp_path), RemoteRequests(place.url)
    client.send_request(REQUEST, b"{}")
    read, taken_back = RemoteFolder.read_file, []

    def read_late(folder, name):
        if not taken_back:
            taken_back.append(client.withdraw_request(REQUEST))
        return read(folder, name)

    monkeypatch.setattr(RemoteFolder, "read_file", read_late)
    driver.exchange_requests()

    assert taken_back == [False]  # the driver may have it
    assert client.withdraw_request(REQUEST)  # it had not
    assert not (tmp_path / ".requests" / f"{REQUEST}.json").exists()


def test_answers_that_nobody_fetches_are_deleted(remote, url, tmp_path, monkeypatch):
    names = [f"answers/{REQUEST}.json", f"claimed/{REQUEST}.json"]
    for name in [*names, "answers/theirs.txt"]:
        remote.write_file(f"exp/{FOLDER}/{name}", b"x")
    driver = RequestExchange(RemoteFolder(f"{url}/exp"), tmp_path)
    driver.exchange_requests()
    assert sorted(objects(remote)) == sorted([*names, "answers/theirs.txt"])

    monkeypatch.setattr("tune.storage.request_exchange.OLDEST_S", -60.0)
    driver.exchange_requests()
    assert len(objects(remote)) == 3  # it was looked a moment ago
    monkeypatch.setattr("tune.storage.request_exchange.SWEEP_S", 0.0)
    driver.exchange_requests()
    assert objects(remote) == ["answers/theirs.txt"]


def test_of_two_equal_proposals_at_a_url_without_a_search_the_second_is_refused(driver, machine, url, capfd):
    with lock_experiment(driver.paths):
        pass
    machine("second")
    assert main(["propose", "exp", "LR=3e-3", "--storage", url]) == 0
    assert main(["propose", "exp", "LR=0.003", "--storage", url]) == 2
    assert "that waits has this configuration" in capfd.readouterr().err
