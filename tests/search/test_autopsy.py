"""A worker that died says in its log why, and only there."""

import pytest

from tune.paths import VersionPaths
from tune.search.autopsy import autopsy
from tune.trial.record import Record

RECORD = Record(
    number=3, version="003", constants={}, seed=0, stage="running", pid=1, host="here", devices=None, started=0.0
)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("epoch 1\n", "the worker died"),
        ("Fatal Python error: Segmentation fault\n\nThread 0x1\n", "the worker died: Segmentation fault"),
        ("the program called os._exit(3)\n", "the worker died: the program called os._exit(3)"),
        (
            "Timeout (0:00:09.217245)!\nThread 0x1\n",
            "hang: the interpreter was held for 9 s; its stacks are in log.txt",
        ),
        ("Timeout (1:02:03)!\nThread 0x1\n", "hang: the interpreter was held for 3723 s; its stacks are in log.txt"),
        ("Timeout (while I fetch the data)!\n", "the worker died"),
    ],
)
def test_a_worker_that_died_has_the_reason_that_its_log_ends_with(tmp_path, log, reason):
    version = VersionPaths(tmp_path)
    version.log.write_text(log)

    assert autopsy(version, RECORD).failure.reason == reason
