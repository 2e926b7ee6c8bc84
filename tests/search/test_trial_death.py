"""What is known of a process that died is in its trial's record."""

import pytest

from tune.experiment.records import TrialRecord
from tune.paths import VersionPaths
from tune.search.trial_end import explain_death, failure_of_record

RECORD = TrialRecord(
    number=3, version="003", constants={}, seed=0, stage="running", pid=1, host="here", devices=None, started=0.0
)


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        ("", "the worker died"),
        ("Segmentation fault", "the worker died: Segmentation fault"),
        ("the program called os._exit(3)", "the worker died: the program called os._exit(3)"),
    ],
)
def test_a_process_that_died_has_its_end_as_the_reason(death, reason, tmp_path):
    assert explain_death(RECORD, death, VersionPaths(tmp_path)).failure.reason == reason


def test_a_process_that_died_before_it_wrote_anything_has_died_all_the_same(tmp_path):
    assert explain_death(None, "killed by SIGKILL", VersionPaths(tmp_path)) is None
    assert failure_of_record(None, "killed by SIGKILL").reason == "the worker died: killed by SIGKILL"
