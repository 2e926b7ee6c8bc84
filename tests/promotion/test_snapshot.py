"""A snapshot knows where its project lies: where it was, or where it is looked for."""

import pytest

from tune.errors import ExperimentError
from tune.promotion.program import find_program
from tune.promotion.snapshot import check_root, open_snapshot, take_snapshot


@pytest.fixture
def moved(tmp_path):
    """A snapshot whose project was moved since; and the project as it lies now."""
    program = tmp_path / "before" / "lit" / "p.py"
    program.parent.mkdir(parents=True)
    (tmp_path / "before" / "pyproject.toml").touch()
    program.write_text("LR = 0.1\n")
    take_snapshot(find_program(program), tmp_path / "source")
    return tmp_path / "source", (tmp_path / "before").rename(tmp_path / "after")


def test_a_project_that_has_moved_is_found_from_the_working_directory(moved, monkeypatch):
    folder, project = moved
    monkeypatch.chdir(project / "lit")
    snapshot = open_snapshot(folder)

    assert snapshot.program.root == project
    assert snapshot.program.path == project / "lit" / "p.py"
    check_root(snapshot)


def test_a_project_that_is_not_found_is_told_before_anything_runs(moved, monkeypatch, tmp_path):
    folder, _ = moved
    monkeypatch.chdir(tmp_path)
    snapshot = open_snapshot(folder)

    with pytest.raises(ExperimentError) as error:
        check_root(snapshot)
    assert str(error.value) == (
        f"{folder}: the project that was searched is gone: {tmp_path / 'before'}\n"
        "  Run this in the folder that the project lies in now."
    )
    assert snapshot.stored_program.source.raw == b"LR = 0.1\n"


def test_snapshot_when_the_program_in_it_is_gone_then_the_error_names_it(program_of, tmp_path):
    folder = tmp_path / "source"
    take_snapshot(program_of("A = 1\n"), folder)
    (folder / "train.py").unlink()
    with pytest.raises(ExperimentError) as caught:
        open_snapshot(folder)

    assert str(folder / "train.py") in str(caught.value)
