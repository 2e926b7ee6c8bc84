"""What `apply` has written is noted beside the ledger: whoever writes it at the same time is noted, too."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tune.paths import ExperimentPaths
from tune.results.write_back import note_applied, read_applied

VALUES = [round(0.01 * number, 2) for number in range(1, 33)]


def test_applied_when_several_write_at_once_then_all_values_are_noted(tmp_path):
    paths = ExperimentPaths(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda value: note_applied(paths, {"LR": value}), VALUES))

    assert sorted(read_applied(paths)["LR"]) == VALUES
    assert {path.name for path in tmp_path.iterdir()} <= {"applied.json", ".applied.lock"}


@pytest.mark.parametrize("wrong", [".applied.lock", "applied.json"])
def test_applied_when_it_cannot_be_noted_then_nothing_is_raised(tmp_path, wrong):
    (tmp_path / wrong).mkdir()

    note_applied(ExperimentPaths(tmp_path), {"LR": 0.1})

    assert read_applied(ExperimentPaths(tmp_path)) == {}
