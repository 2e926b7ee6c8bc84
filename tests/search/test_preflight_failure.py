"""A search whose pre-flight failed has a free name again, if nothing of it trained and nobody holds it."""

from dataclasses import replace

import pytest

from tests.experiments import Trial, write_experiment
from tune.experiment.lock import lock_experiment
from tune.experiment.preflight_failure import (
    describe_preflight_failure,
    find_preflight_failure,
    remove_untrained_search,
)
from tune.experiment.records import Failure, read_record
from tune.paths import ExperimentPaths, VersionPaths, claim_experiment

FAILURE = Failure(kind="NameError", message="name 'x' is not defined\nmore", place="program.py:3", code="x")
FAILED = Trial(state="WAITING", failure=FAILURE)
LINE = "the pre-flight failed: NameError: name 'x' is not defined (program.py:3)"


def write_failed(folder, *others):
    paths = write_experiment(folder, [FAILED, *others]).paths
    paths.lock.touch()
    return paths


def test_a_failure_is_described_by_its_first_line_and_its_place():
    assert describe_preflight_failure(FAILURE) == LINE
    assert describe_preflight_failure(Failure(kind="SystemExit", message="")) == "the pre-flight failed: SystemExit"


def test_a_search_whose_preflight_failed_is_removed_and_its_name_is_claimed(tmp_path):
    paths = write_failed(tmp_path, Trial(state="WAITING", values={"LR": 0.02}))
    (paths.folder / "driver.log").touch()
    reasons = []

    def remove(there):
        reasons.append(remove_untrained_search(there))
        return reasons[-1]

    claimed = claim_experiment(paths.folder.parent, "exp", numbered=True, on_exists=remove)
    assert claimed == paths
    assert list(paths.folder.parent.iterdir()) == [paths.folder]
    assert list(paths.folder.iterdir()) == []
    assert reasons == [LINE]


def test_a_search_that_never_began_is_removed(tmp_path):
    paths = ExperimentPaths(tmp_path / "exp")
    paths.folder.mkdir()
    paths.space.write_text("system: program.py\n")
    assert remove_untrained_search(paths) is None  # somebody's own folder
    paths.lock.touch()
    assert remove_untrained_search(paths) == "it was ended before its first trial"
    assert not paths.folder.exists()


def write_note(paths):
    (paths.folder / "notes.txt").touch()


def write_note_of_trial(paths):
    (paths.version("000,baseline").folder / "notes.txt").touch()


def write_checkpoint(paths):
    paths.version("000,baseline").checkpoints.mkdir()
    paths.version("000,baseline").last_checkpoint.touch()


def write_epoch(paths):
    version = paths.version("000,baseline")
    replace(read_record(version), curve=[(1, 0.5)]).write_record(version)


def pass_preflight(paths):
    version = paths.version("000,baseline")
    replace(read_record(version), ready=True).write_record(version)


def stop_baseline(paths):
    version = paths.version("000,baseline")
    replace(read_record(version), stage="stopped").write_record(version)


def remove_lock(paths):
    paths.lock.unlink()


def write_retraining(paths):
    paths.retrain_folder.mkdir()


def write_report(paths):
    paths.report.touch()


def spoil_ledger(paths):
    paths.journal.write_text("{}\n")


CHANGES = [
    write_note,
    write_note_of_trial,
    write_checkpoint,
    write_epoch,
    pass_preflight,
    stop_baseline,
    remove_lock,
    write_retraining,
    write_report,
    spoil_ledger,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_search_that_holds_more_than_a_failed_preflight_stays(change, tmp_path):
    paths = write_failed(tmp_path)
    change(paths)
    assert remove_untrained_search(paths) is None
    assert paths.journal.is_file()


def test_a_search_with_an_epoch_in_the_ledger_stays(tmp_path):
    paths = write_failed(tmp_path, Trial(state="WAITING", curve=[0.1]))
    assert remove_untrained_search(paths) is None
    assert paths.journal.is_file()


def test_a_search_with_an_epoch_in_a_record_stays(tmp_path):
    paths = write_failed(tmp_path, replace(FAILED, values={"LR": 0.02}))
    version = next(path for path in paths.folder.iterdir() if path.name.startswith("001"))
    record = read_record(VersionPaths(version))
    replace(record, curve=[(1, 0.5)]).write_record(VersionPaths(version))
    assert remove_untrained_search(paths) is None
    record.write_record(VersionPaths(version))
    assert remove_untrained_search(paths) == LINE


def test_a_search_whose_baseline_failed_while_it_trained_has_no_preflight_failure(tmp_path):
    experiment = write_experiment(tmp_path, [Trial(state="FAIL", failure=FAILURE)])
    assert find_preflight_failure(experiment.paths, experiment.trials) is None


def test_a_search_that_a_process_holds_stays(tmp_path):
    paths = write_failed(tmp_path)
    with lock_experiment(paths):
        assert remove_untrained_search(paths) is None
    assert paths.journal.is_file()
    assert remove_untrained_search(paths) == LINE


def test_a_link_to_a_search_whose_preflight_failed_stays(tmp_path):
    paths = write_failed(tmp_path)
    link = ExperimentPaths(tmp_path / "link")
    link.folder.symlink_to(paths.folder)
    assert remove_untrained_search(link) is None
    assert link.journal.is_file()
