"""What has to last is on disk when the ledger returns; what only describes it does not wait."""

import json
import os

import pytest

from tests.search.test_ledger import ledger  # noqa: F401 - a fixture
from tune.trial.messages import EpochReport

THREE_EPOCHS = (1, 2, 3)


@pytest.fixture
def lines_on_disk(tmp_path, monkeypatch):
    """Return how many lines of the journal were synced last, and how often any were."""
    synced = []
    real = os.fsync

    def fsync(descriptor):
        real(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    return synced


def size(tmp_path):
    return (tmp_path / "exp" / "study.journal").stat().st_size


def test_an_epoch_an_end_and_an_opening_are_on_disk(ledger, tmp_path, lines_on_disk):  # noqa: F811
    book = ledger()
    number, _ = book.ask_baseline()
    book.set_attributes(number, version="000,baseline")
    assert lines_on_disk[-1] == size(tmp_path)
    for epoch in THREE_EPOCHS:
        book.set_attributes(number, last_epoch=epoch)
        book.write_epochs(number, [EpochReport(epoch, 0.5)])
        assert lines_on_disk[-1] == size(tmp_path)
    book.complete_trial(number)
    assert lines_on_disk[-1] == size(tmp_path)


def test_a_trial_of_three_epochs_waits_for_the_disk_five_times(ledger, tmp_path, lines_on_disk):  # noqa: F811
    book = ledger()
    before = len(lines_on_disk)
    number, _ = book.ask_trial()
    book.set_attributes(number, version="000", worker="host:1")
    for epoch in THREE_EPOCHS:
        book.write_epochs(number, [EpochReport(epoch, 0.5)])
    book.prune_trial(number)
    assert len(lines_on_disk) - before == 5
    records = (tmp_path / "exp" / "study.journal").read_text().splitlines()
    assert all(isinstance(json.loads(record), dict) for record in records)
