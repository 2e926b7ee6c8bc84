"""The name of a search at a URL is free again where nothing of it trained, as that of one in a folder."""

import shutil

import pytest

from tests.experiments import Trial, write_experiment
from tune.experiment.lock import lock_experiment
from tune.experiment.preflight_failure import remove_untrained_search
from tune.experiment.records import Failure
from tune.paths import ExperimentPaths, claim_experiment
from tune.storage.download import list_remote_experiments
from tune.storage.driver_sync import sync_experiment
from tune.storage.remote_folder import RemoteFolder

FAILURE = Failure(kind="NameError", message="name 'x' is not defined", place="program.py:3")
LINE = "the pre-flight failed: NameError: name 'x' is not defined (program.py:3)"


@pytest.fixture
def there(machine, url, tmp_path):
    """A search at the URL whose pre-flight failed on another machine; this one has no copy of it."""
    experiment = write_experiment(tmp_path, [Trial(state="WAITING", failure=FAILURE)])
    folder = machine("first")
    shutil.copytree(experiment.paths.folder, folder)
    with sync_experiment(folder, print):
        pass
    machine("second")
    return RemoteFolder(f"{url}/exp")


@pytest.fixture
def paths(there, machine):
    return ExperimentPaths(machine("second"))


def test_a_search_at_a_url_whose_preflight_failed_gives_its_name_to_the_next_one(paths, there):
    storage = paths.folder.parent
    taken = list_remote_experiments(storage)
    assert taken == ["exp"]
    claimed = claim_experiment(storage, "exp", numbered=True, taken=taken, on_exists=remove_untrained_search)

    assert claimed == paths
    assert there.list_files() == {}
    assert list(paths.folder.iterdir()) == []


def test_a_search_at_a_url_that_never_began_gives_its_name_to_the_next_one(paths, there):
    there.delete_files([name for name in there.list_files() if name.startswith(("0", "study"))])

    assert remove_untrained_search(paths) == "it was ended before its first trial"
    assert there.list_files() == {}


@pytest.mark.parametrize("name", ["notes.txt", "000,baseline/notes.txt", "000,baseline/checkpoints/last.ckpt"])
def test_a_search_at_a_url_that_holds_more_stays(paths, there, name):
    there.write_file(name, b"mine")
    names = there.list_files().keys()

    assert remove_untrained_search(paths) is None
    assert there.list_files().keys() == names


def test_a_search_at_a_url_that_another_machine_writes_stays(paths, there, machine):
    with lock_experiment(ExperimentPaths(machine("first"))):
        machine("second")
        assert remove_untrained_search(paths) is None
    assert "study.journal" in there.list_files()


def test_a_search_at_a_url_stays_where_the_store_does_not_answer(paths, there, reach):
    reach.stop()
    try:
        assert remove_untrained_search(paths) is None
    finally:
        reach.start()
    assert "study.journal" in there.list_files()
