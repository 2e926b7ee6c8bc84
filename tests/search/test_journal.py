"""A journal that a power cut tore: all but the records that were cut into are there afterwards."""

import json

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from tune.errors import ExperimentError
from tune.search.study.journal import (
    TrialEnded,
    TrialOpened,
    TrialReported,
    TrialSealed,
    open_backend,
    read_events,
    repair_journal,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the bytes of a journal of four trials."""
    path = tmp_path_factory.mktemp("whole") / "study.journal"
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(storage=storage, study_name="exp")
    for number in range(4):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        for epoch in (1, 2):
            trial.report(number + epoch / 10, epoch)
        study.tell(trial, 0.5)
    return path.read_bytes()


def test_a_journal_cut_at_any_of_its_last_bytes_loses_only_the_records_that_were_cut_into(whole, tmp_path):
    path = tmp_path / "study.journal"
    for length in range(len(whole) - 200, len(whole) + 1):
        path.write_bytes(whole[:length])
        complete = whole[: length + 1].count(b"\n")  # a record that lacks no more than its newline is whole
        kept = b"".join(line + b"\n" for line in whole.split(b"\n")[:complete])

        lost = repair_journal(path)

        assert path.read_bytes() == kept
        assert lost == max(0, length - len(kept))
        study = optuna.load_study(study_name="exp", storage=JournalStorage(JournalFileBackend(str(path))))
        study.ask()  # it takes new records
        assert all(json.loads(line) for line in path.read_text().splitlines())


def test_zeros_at_the_end_are_torn_too(whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(whole + b'{"op_code":7,' + b"\0" * 50)

    assert repair_journal(path) == 63
    assert path.read_bytes() == whole
    assert repair_journal(path) == 0


def test_a_broken_record_in_the_middle_is_refused_and_nothing_is_changed(whole, tmp_path):
    path = tmp_path / "study.journal"
    lines = whole.splitlines(keepends=True)
    broken = b"".join([*lines[:2], b"{broken\n", *lines[2:]])
    path.write_bytes(broken)

    with pytest.raises(ExperimentError) as refused:
        repair_journal(path)

    assert str(refused.value) == (
        f"{path}: line 3 is no record, and records follow it\n  Take it from a backup; nothing was changed."
    )
    assert path.read_bytes() == broken


@pytest.mark.parametrize("line", [b'{"op_code":99}\n', b'{"op_code":7,"step":1}\n', b"5\n"])
def test_a_last_line_that_no_power_cut_tore_is_refused_too(whole, tmp_path, line):
    path = tmp_path / "study.journal"
    path.write_bytes(whole + line)

    with pytest.raises(ExperimentError) as refused:
        repair_journal(path)

    n_lines = len((whole + line).splitlines())
    assert str(refused.value) == f"{path}: line {n_lines} is no record\n  Take it from a backup; nothing was changed."
    assert path.read_bytes() == whole + line


def test_what_a_killed_process_left_of_optunas_lock_is_taken_away(whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(whole)
    (tmp_path / "study.journal.lock").symlink_to(path)
    (tmp_path / "study.journal.lock1234.rename").symlink_to(path)

    repair_journal(path)

    assert [entry.name for entry in tmp_path.iterdir()] == ["study.journal"]


def test_what_happened_to_wanted_trials_is_read_back_in_its_order(whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(whole)

    study = optuna.load_study(study_name="exp", storage=JournalStorage(JournalFileBackend(str(path))))
    study.set_user_attr("sealed", 4)

    assert list(read_events(path, {0: 0, 2: 7})) == [
        *(TrialOpened(0), TrialReported(0, 1, 0.1), TrialReported(0, 2, 0.2), TrialEnded(0, failed=False)),
        *(TrialOpened(7), TrialReported(7, 1, 2.1), TrialReported(7, 2, 2.2), TrialEnded(7, failed=False)),
        TrialSealed(),
    ]


def test_events_say_whether_a_trial_failed(whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(whole)
    study = optuna.load_study(study_name="exp", storage=JournalStorage(JournalFileBackend(str(path))))
    for state in (TrialState.FAIL, TrialState.PRUNED):
        study.tell(study.ask(), state=state)

    assert list(read_events(path, {4: 4, 5: 5})) == [
        *(TrialOpened(4), TrialEnded(4, failed=True)),
        *(TrialOpened(5), TrialEnded(5, failed=False)),
    ]


def test_a_backend_remembers_the_journals_end_and_reads_from_any_record(whole, tmp_path):
    path = tmp_path / "study.journal"
    path.write_bytes(whole)
    records = [json.loads(line) for line in whole.splitlines()]
    backend = open_backend(path)

    assert list(backend.read_logs(0)) == records
    assert list(backend.read_logs(len(records))) == []
    backend.append_logs([records[-1]])
    assert list(backend.read_logs(len(records))) == records[-1:]
    assert len(backend._log_number_offset) == 2
    assert list(backend.read_logs(5)) == records[5:] + records[-1:]
    assert list(backend.read_logs(0)) == records + records[-1:]
