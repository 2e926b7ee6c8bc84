"""Which of two copies is the newer one, and what is brought."""

import os
import time

import pytest

from tune.paths import ExperimentPaths
from tune.storage.download import download_experiment, download_version, list_remote_experiments, resolve_local_folder
from tune.storage.driver_sync import sync_experiment
from tune.storage.remote_folder import RemoteFolder
from tune.storage_url import local_folder_of

FIRST, SECOND, OTHER = '{"op_code": 0}\n', '{"op_code": 1}\n', '{"op_code": 2}\n'


def fill(folder, journal, **files):
    folder.mkdir(parents=True, exist_ok=True)
    ExperimentPaths(folder).journal.write_text(journal)
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def carry(folder):
    with sync_experiment(folder, print):
        pass


def journal(folder):
    return ExperimentPaths(folder).journal.read_text()


@pytest.fixture
def ours(machine):
    """Return the copy of a first machine, that was carried to the URL."""
    folder = machine("first")
    fill(
        folder, FIRST, **{"000__trial.json": "{}", "000__checkpoints__best.ckpt": "weights", "source__a.py": "A = 1\n"}
    )
    carry(folder)
    return folder


def test_another_machine_gets_what_is_read_and_no_checkpoint(ours, machine):
    theirs = machine("second")
    download_experiment(theirs)

    found = {path.relative_to(theirs).as_posix() for path in theirs.rglob("*") if path.is_file()}
    assert found == {"study.journal", "000/trial.json", "source/a.py"}
    assert journal(theirs) == FIRST

    download_version(theirs / "000")
    assert (theirs / "000" / "checkpoints" / "best.ckpt").read_text() == "weights"


def test_an_older_copy_is_made_new(ours, machine):
    theirs = machine("second")
    download_experiment(theirs)
    fill(theirs, FIRST + SECOND, **{"000__trial.json": "[]"})  # as long as before
    later = time.time() + 10  # stores know the second
    os.utime(theirs / "000" / "trial.json", (later, later))
    carry(theirs)
    machine("first")
    download_experiment(ours)

    assert journal(ours) == FIRST + SECOND
    assert (ours / "000" / "trial.json").read_text() == "[]"


def test_a_newer_copy_stays(ours):
    fill(ours, FIRST + SECOND, **{"000__trial.json": '{"stage": 1}'})
    download_experiment(ours)

    assert journal(ours) == FIRST + SECOND
    assert (ours / "000" / "trial.json").read_text() == '{"stage": 1}'


def test_a_copy_that_went_another_way_is_set_aside(ours, machine):
    theirs = machine("second")
    download_experiment(theirs)
    fill(theirs, FIRST + SECOND)
    carry(theirs)
    machine("first")
    fill(ours, FIRST + OTHER)
    download_experiment(ours)

    assert journal(ours) == FIRST + SECOND
    assert [journal(folder) for folder in (ours.parent / ".set-aside").iterdir()] == [FIRST + OTHER]


def test_the_end_of_a_journal_that_is_being_written_is_left_for_later(machine, remote):
    folder = machine("first")
    fill(folder, FIRST + SECOND[:5])
    carry(folder)

    assert RemoteFolder(f"{remote.url}/exp").read_file("study.journal").decode() == FIRST


def test_an_experiment_and_its_versions_have_urls(ours, machine, url):
    theirs = machine("second")

    assert resolve_local_folder(f"{url}/exp") == theirs
    assert resolve_local_folder(f"{url}/exp/000") == theirs / "000"
    assert list_remote_experiments(local_folder_of(url)) == ["exp"]
    assert journal(theirs) == FIRST
