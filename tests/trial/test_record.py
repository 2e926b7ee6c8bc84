"""A trial's record is read as it was written, or not at all."""

import json
import math
import os

import pytest

from tune.experiment.records import Failure, TrialRecord, read_record
from tune.paths import VersionPaths


@pytest.fixture
def files(tmp_path):
    return VersionPaths(tmp_path)


def record(**changes):
    fields = {"number": 7, "version": "007", "constants": {"LR": 0.1, "SIZES": [1, 2]}, "seed": 0, "stage": "running"}
    return TrialRecord(**{**fields, "pid": 1, "host": "h", "devices": None, "started": 1.5, **changes})


RECORDS = [
    record(),
    record(curve=[(1, 0.5), (3, math.inf)], ended=2.5, fit_s=0.5, stage="failed"),
    record(constants={"LR": math.inf, "CLIP": [1.0, -math.inf], "KIND": "inf"}, in_force={"LR": {"value": math.inf}}),
    record(
        failure=Failure(kind="ValueError", message="no ä", place="p.py:3", code="f()"), logged=["a"], taken={"LR": 2}
    ),
]


@pytest.mark.parametrize("written", RECORDS, ids=lambda each: each.stage)
def test_a_record_is_read_as_it_was_written(files, written):
    written.write_record(files)

    assert read_record(files) == written
    assert [path.name for path in files.folder.iterdir()] == ["trial.json"]


def test_what_is_not_a_number_survives_and_the_file_is_strict_json(files):
    record(curve=[(1, math.nan)], constants={"LR": math.nan, "CLIP": math.inf}).write_record(files)

    json.loads(files.record.read_text(), parse_constant=pytest.fail)  # JSON has no NaN
    found = read_record(files)
    assert math.isnan(found.curve[0][1])
    assert math.isnan(found.constants["LR"])
    assert found.constants["CLIP"] == math.inf


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"curve": 3}', "null"])
def test_what_we_did_not_write_is_no_record(files, text):
    files.record.write_text(text)

    assert read_record(files) is None


@pytest.mark.parametrize("logged", [5, "val_loss", [5]])
def test_a_record_that_logged_something_else_than_names_is_none(files, logged):
    record(logged_in={"val": logged}).write_record(files)

    assert read_record(files) is None


def test_no_file_is_no_record(files):
    assert read_record(files) is None


REASONS = [
    (Failure(kind="ValueError", message="bad"), "ValueError: bad"),
    (Failure(kind="ValueError", message=""), "ValueError"),
    (Failure(kind="ValueError", message="bad", place="p.py:3"), "ValueError: bad (p.py:3)"),
]


@pytest.mark.parametrize(("failure", "reason"), REASONS)
def test_a_reason_is_one_line(failure, reason):
    assert failure.reason == reason


def test_record_when_a_fifo_lies_in_its_place_then_nobody_waits_for_it(tmp_path):
    files = VersionPaths(tmp_path)
    os.mkfifo(files.record)

    assert read_record(files) is None
