"""A folder that is taken from a search that runs: it ends with a word of it, and goes on once the folder is back."""

import shutil

import pytest
from optuna.storages.journal import JournalFileSymlinkLock
from optuna.storages.journal._file import get_lock_file

from tests.search.test_kill import GONE_S, Books, Driver, folder, living, wait_for  # noqa: F401 - a fixture
from tune.errors import LostFolderError
from tune.trial.disk_space import translate_folder_errors

N_TRIALS = 4


@pytest.fixture
def running(folder):  # noqa: F811
    """Start a search; give its driver and its books once trials have reported."""
    driver = Driver(folder, "--space", "s.yaml", "--trials", str(N_TRIALS), "--no-report")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: driver.process.poll() is not None or "000,baseline" in driver.told)
    return driver, books


def check_ended(driver, family):
    """Check that a search ended, soon and with a reason, and that nothing of it runs on."""
    assert driver.process.wait(timeout=60) == 1, driver.told
    experiment = driver.folder / "storage" / "s"
    assert f"{experiment}: it cannot be written any more: " in driver.told
    assert "Traceback" not in driver.told
    wait_for(lambda: not living(family), GONE_S)


def go_on(folder, books, ended):  # noqa: F811
    resumed = Driver(folder, "resume", "s")
    assert resumed.process.wait(timeout=120) == 0, resumed.told
    assert books.ended.items() >= ended.items()
    books.check(N_TRIALS)


@pytest.mark.slow
def test_search_when_its_folder_is_renamed_then_it_says_so_and_goes_on_once_it_is_back(running, folder):  # noqa: F811
    driver, books = running
    family = driver.family()
    books.folder.rename(folder / "storage" / "elsewhere")

    check_ended(driver, family)
    if books.folder.exists():  # a trial wrote a file into a folder that it made again
        shutil.rmtree(books.folder)
    (folder / "storage" / "elsewhere").rename(books.folder)
    go_on(folder, books, books.ended)


@pytest.mark.slow
def test_search_when_its_storage_is_deleted_then_it_says_so(running, folder):  # noqa: F811
    driver, _ = running
    family = driver.family()
    shutil.rmtree(folder / "storage", ignore_errors=True)

    check_ended(driver, family)


def test_a_lock_that_goes_with_its_folder_while_it_is_held_is_a_lost_folder(tmp_path):
    journal = tmp_path / "s" / "study.journal"
    journal.parent.mkdir()
    lock = JournalFileSymlinkLock(str(journal))

    def write():
        with translate_folder_errors(journal.parent), get_lock_file(lock):
            journal.parent.rename(tmp_path / "elsewhere")
            journal.open("ab")

    with pytest.raises(LostFolderError, match="s: it cannot be written any more: No such file or directory"):
        write()


def test_an_error_of_another_kind_is_no_lost_folder(tmp_path):
    with pytest.raises(RuntimeError, match="another"), translate_folder_errors(tmp_path):
        raise RuntimeError("another")
