"""What a trial left on disk says how it ended, and which epochs nobody may have been told."""

import zipfile

import pytest

from tune.experiment.records import HUNG, Failure, TrialRecord
from tune.paths import VersionPaths
from tune.search.trial_end import read_attempt_remains
from tune.trial.checkpoints.checkpoint_state import CheckpointState
from tune.trial.messages import EpochReport


@pytest.fixture
def files(tmp_path):
    return VersionPaths(tmp_path)


def write_record(files, **changes):
    fields = {"number": 7, "version": "007", "constants": {}, "seed": 0, "stage": "running", "pid": 1, "host": "h"}
    TrialRecord(**{**fields, "devices": None, "started": 1.5, "curve": [(1, 0.1), (2, 0.2)], **changes}).write_record(
        files
    )


def write_checkpoint(files, curve, others=None):
    files.checkpoints.mkdir()
    with zipfile.ZipFile(files.last_checkpoint, "w") as archive:
        archive.writestr("last/data.pkl", b"")
    CheckpointState(curve=curve, others=others or {}, last=False, fit=1, step=9, events={}).write_into(
        files.last_checkpoint
    )


def test_nothing_at_all_is_a_worker_that_died(files):
    left = read_attempt_remains(files, death="", stopped=False)

    assert (left.failed, left.died, left.has_hung, left.is_complete, left.record) == (True, True, False, False, None)
    assert left.unreported_epochs(several=False) == []


def test_a_worker_that_died_behind_its_trials_end_takes_nothing_along(files):
    write_record(files, stage="complete")
    left = read_attempt_remains(files, death="", stopped=False)

    assert (left.failed, left.died, left.is_complete) == (True, False, True)
    assert left.unreported_epochs(several=False) == [EpochReport(1, 0.1), EpochReport(2, 0.2)]


def test_of_a_worker_that_died_the_checkpoint_knows_more_than_the_record(files):
    write_record(files)
    write_checkpoint(files, [(1, 0.1), (2, 0.2), (3, 0.3)])
    left = read_attempt_remains(files, death="", stopped=False)

    assert left.died
    assert left.unreported_epochs(several=False) == [EpochReport(1, 0.1), EpochReport(2, 0.2), EpochReport(3, 0.3)]


def test_of_several_metrics_only_the_checkpoint_counts(files):
    write_record(files)
    write_checkpoint(files, [(1, 0.1)], others={1: (5.0,)})

    assert read_attempt_remains(files, death="", stopped=False).unreported_epochs(several=True) == [
        EpochReport(1, 0.1, others=(5.0,))
    ]
    assert read_attempt_remains(files, death=None, stopped=False).unreported_epochs(several=True) == []


def test_a_checkpoint_that_is_broken_elsewhere_still_tells_its_curve(files):
    write_record(files, curve=[])
    write_checkpoint(files, [(1, 0.1)])
    with zipfile.ZipFile(files.last_checkpoint, "a") as archive:
        archive.writestr("last/weights", b"weights" * 9)
    whole = files.last_checkpoint.read_bytes()
    files.last_checkpoint.write_bytes(whole.replace(b"weightsweights", b"weightsWEIGHTS", 1))

    assert read_attempt_remains(files, death="", stopped=False).unreported_epochs(several=False) == [
        EpochReport(1, 0.1)
    ]


@pytest.mark.parametrize(("stopped", "failed"), [(False, True), (True, False)])
def test_a_program_that_raises_once_it_was_stopped_has_not_failed(files, stopped, failed):
    write_record(files, stage="failed", failure=Failure(kind="ValueError", message="no"))
    left = read_attempt_remains(files, death=None, stopped=stopped)

    assert (left.failed, left.died) == (failed, False)


def test_a_worker_that_did_nothing_any_more_has_hung_however_its_process_ended(files):
    write_record(files, stage="failed", failure=Failure(kind=HUNG, ours=True, message="no batch"))
    left = read_attempt_remains(files, death="Aborted", stopped=False)

    assert (left.has_hung, left.died) == (True, False)


def test_of_a_worker_that_hung_the_checkpoint_knows_more_than_the_record(files):
    write_record(files, stage="failed", curve=[], failure=Failure(kind=HUNG, ours=True, message="no batch"))
    write_checkpoint(files, [(1, 0.1)])

    assert read_attempt_remains(files, death="Aborted", stopped=False).unreported_epochs(several=False) == [
        EpochReport(1, 0.1)
    ]
