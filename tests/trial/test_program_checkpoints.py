"""What a program reads, lists, renames and removes at the path that it gave its checkpoints is its trial's alone."""

# ruff: noqa: PTH208 - programs list folders by `os`, too

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tune.trial.checkpoints.program_checkpoints import ProgramCheckpoints


def _callback(dirpath: str, filename: str | None = None, **given: Any) -> Any:
    return SimpleNamespace(
        **{"dirpath": dirpath, "filename": filename, "auto_insert_metric_name": True, "FILE_EXTENSION": ".ckpt"} | given
    )


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProgramCheckpoints]:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("notes")
    (out / "epoch=3-step=9.ckpt").write_text("of an earlier run")
    (tmp_path / "link").symlink_to("out")
    redirected = ProgramCheckpoints(tmp_path / "name" / "version_0" / "checkpoints" / "program")
    yield redirected
    redirected.close()


@pytest.fixture
def own(checkpoints: ProgramCheckpoints) -> Path:
    """The trial's checkpoint, written by Lightning to where the callback says."""
    callback = _callback("out")
    checkpoints.redirect_callback(callback)
    path = Path(callback.dirpath) / "epoch=1-step=2.ckpt"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    return path


@pytest.mark.usefixtures("own")
def test_a_folder_lists_the_trials_checkpoints_and_the_other_files_that_are_there() -> None:
    expected = {"epoch=1-step=2.ckpt", "notes.txt"}
    assert set(os.listdir("out")) == expected
    assert {path.name for path in Path("out").glob("*")} == expected
    assert [sorted(names) for _, _, names in os.walk("out")] == [sorted(expected)]
    with os.scandir("out") as entries:
        assert {entry.name for entry in entries} == expected


def test_what_we_write_into_a_version_stays_there_however_its_folder_is_written(tmp_path: Path) -> None:
    redirected = ProgramCheckpoints(tmp_path / "a" / ".." / "b" / "000,baseline" / "checkpoints" / "program")
    ours = tmp_path / "a" / ".." / "b" / "000,baseline" / "checkpoints" / ".last.ckpt"

    assert redirected.redirect_file(ours) == ours


@pytest.mark.usefixtures("own")
def test_what_an_earlier_run_left_is_not_there() -> None:
    assert not Path("out/epoch=3-step=9.ckpt").exists()


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("folder", ["out", "./out", "link", "out/../link"])
def test_a_path_is_the_same_however_it_is_written(folder: str) -> None:
    path = f"{folder}/epoch=1-step=2.ckpt"
    with open(file=path) as opened:  # noqa: PTH123 - the keyword is what is tested
        assert opened.read() == "mine"
    assert os.stat(path=path).st_size == len("mine")  # noqa: PTH116 - likewise


def test_a_checkpoint_removed_or_renamed_is_the_trials(own: Path) -> None:
    os.rename("out/epoch=1-step=2.ckpt", "out/last.ckpt")  # noqa: PTH104 - `os` is what is tested
    assert [path.name for path in own.parent.iterdir()] == ["last.ckpt"]
    Path("out/last.ckpt").unlink()
    assert not list(own.parent.iterdir())


def test_what_the_program_left_before_is_kept(checkpoints: ProgramCheckpoints, own: Path) -> None:
    Path("out/epoch=1-step=2.ckpt").unlink()
    checkpoints.close()
    assert not own.exists()
    assert Path("out/epoch=3-step=9.ckpt").read_text() == "of an earlier run"


def test_a_file_that_the_program_saves_leaves_its_folder_as_it_is(checkpoints: ProgramCheckpoints) -> None:
    saved = Path(checkpoints.redirect_file("out/final.ckpt"))
    saved.parent.mkdir(parents=True)
    saved.write_text("saved")
    assert Path("out/final.ckpt").read_text() == "saved"
    assert Path("out/epoch=3-step=9.ckpt").read_text() == "of an earlier run"
    assert "notes.txt" in os.listdir("out")


def test_the_program_finds_the_folder_of_its_callback(checkpoints: ProgramCheckpoints) -> None:
    checkpoints.redirect_callback(_callback("new/folder"))
    Path("new/folder/labels.txt").write_text("labels")
    assert os.listdir("new/folder") == ["labels.txt"]


@pytest.mark.parametrize(
    ("given", "name", "trials"),
    [
        ({"filename": "best-{epoch}-{val_loss:.2f}"}, "best-epoch=1-val_loss=0.25.ckpt", True),
        ({"filename": "best-{epoch}-{val_loss:.2f}"}, "best-epoch=1-val_loss=0.25-v1.ckpt", True),
        ({"filename": "best-{epoch}-{val_loss:.2f}"}, "best-of-all.ckpt", False),
        ({"filename": "{epoch:02d}", "auto_insert_metric_name": False}, "07.ckpt", True),
        ({"filename": "best"}, "best.ckpt", True),
        ({"filename": "best"}, "best.pt", False),
        ({"filename": "best", "FILE_EXTENSION": ".pt"}, "best.pt", True),
        ({"filename": "best"}, "bests.ckpt", False),
    ],
)
def test_the_names_that_lightning_makes_are_the_trials(
    checkpoints: ProgramCheckpoints, given: dict[str, Any], name: str, trials: bool
) -> None:
    checkpoints.redirect_callback(_callback("out", **given))
    assert (checkpoints.find_path(f"out/{name}") != f"out/{name}") is trials
