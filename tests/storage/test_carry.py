"""What changes is carried to the URL while it changes; what the network hinders is carried later, or named."""

import time

import pytest

from tests.storage.test_bring import FIRST, SECOND, fill
from tune.storage import driver_sync as writer
from tune.storage import upload as carry
from tune.storage.download import download_experiment
from tune.storage.driver_sync import erase_experiment, sync_experiment, upload_on_exit
from tune.storage.lease import NAME
from tune.storage.remote_folder import RemoteFolder
from tune.storage.upload import Uploader, list_visible_files, upload_while_running


@pytest.fixture
def quick(monkeypatch):
    """Look often, and give up soon."""
    for module in (carry, writer):
        monkeypatch.setattr(module, "POLL_S", 0.05)
        monkeypatch.setattr(module, "N_TRIES", 1)


@pytest.fixture
def there(url):
    return RemoteFolder(f"{url}/exp")


def wait_for(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_a_trial_is_carried_while_it_runs_and_whole_when_it_ends(machine, there, quick):
    version = machine("first") / "000"
    version.mkdir(parents=True)
    with upload_while_running(version):
        (version / "log.txt").write_text("one\n")
        wait_for(lambda: there.read_file("000/log.txt") == b"one\n")
        (version / "log.txt").write_text("one\ntwo\n")

    assert there.read_file("000/log.txt") == b"one\ntwo\n"


def test_only_what_changed_is_carried_and_what_was_freed_goes(machine, there, tmp_path):
    folder = machine("first")
    fill(folder, FIRST, a="1", b="1")
    carrier = Uploader(there, folder, lambda: list_visible_files(folder))
    carrier.upload_changes()
    there.delete_files(["a"])
    (folder / "b").unlink()
    carrier.upload_changes()

    assert set(there.list_files()) == {"study.journal"}


def test_the_ledger_is_carried_soon(machine, there, quick):
    folder = machine("first")
    fill(folder, FIRST)
    with sync_experiment(folder, print):
        wait_for(lambda: there.read_file("study.journal") == FIRST.encode())
        fill(folder, FIRST + SECOND)
        wait_for(lambda: there.read_file("study.journal") == (FIRST + SECOND).encode())


def test_checkpoints_that_were_freed_are_deleted_there_and_others_are_not(machine, there):
    folder = machine("first")
    fill(folder, FIRST, **{"001__checkpoints__best.ckpt": "w", "002__checkpoints__best.ckpt": "w"})
    with sync_experiment(folder, print):
        pass
    theirs = machine("second")
    download_experiment(theirs)
    with sync_experiment(theirs, print):
        fill(theirs, FIRST + SECOND, **{"001__checkpoints__freed.txt": "gone"})

    assert set(there.list_files()) == {
        "study.journal",
        "001/checkpoints/freed.txt",
        "002/checkpoints/best.ckpt",
    }


def test_without_the_network_all_stays_here_and_what_is_missing_is_named(machine, there, reach, quick, url):
    folder, told = machine("first"), []
    fill(folder, FIRST)
    try:
        with sync_experiment(folder, told.append):
            wait_for(lambda: there.read_file("study.journal") is not None)
            reach.stop()
            fill(folder, FIRST + SECOND, **{"000__trial.json": "{}"})
    finally:
        reach.start()

    assert told[0].startswith(f"warning: not everything is at {url}/exp: it cannot be read: ")
    assert told[2] == f"         all of it is in {folder}; `resume` uploads it"
    assert (folder / "000" / "trial.json").is_file()

    assert there.read_file("study.journal") == FIRST.encode()
    there.delete_files([NAME])  # or 90 s later
    download_experiment(folder)
    with sync_experiment(folder, told.append):
        pass
    assert there.read_file("study.journal") == (FIRST + SECOND).encode()
    assert there.read_file("000/trial.json") == b"{}"


def test_a_search_that_was_not_to_be_leaves_nothing(machine, there):
    folder = machine("first")
    fill(folder, FIRST)
    with sync_experiment(folder, print):
        erase_experiment(folder)

    assert there.list_files() == {}


def test_a_retraining_is_carried_in_the_end(machine, there):
    retrain = machine("first") / "retrain"
    with upload_on_exit(retrain, print):
        fill(retrain / "000", FIRST)

    assert set(there.list_files()) == {"retrain/000/study.journal"}
