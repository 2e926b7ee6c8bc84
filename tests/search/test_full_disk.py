"""A disk that fills up pauses the search: nothing that was written is damaged, and it goes on once there is room."""

import json
import re
import subprocess

import pytest
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

from tests.projects import write_program
from tests.search.test_kill import Driver
from tests.search.test_resume import check_whole
from tune.errors import NoRoomError
from tune.paths import display_path
from tune.trial.checkpoints.checkpoint_state import read_checkpoint_state

SPACE = """
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 6
concurrency: 2
scheduler: none
keep_checkpoints: 100  # all, or the search would make room for itself
"""
SIZE_MB, LARGER_MB = 64, 256
N_FLOATS = 2_500_000
"""10 MB in each checkpoint: the disk is full before six trials are through."""


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 64 MB for the storage alone; where that is not permitted, say so."""
    folder = tmp_path / "storage"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        pytest.skip(f"no tmpfs can be mounted here: {reason.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_room(folder):
    subprocess.run(["mount", "-o", f"remount,size={LARGER_MB}m", str(folder)], check=True)


def fill(folder):
    """Leave no byte on the disk."""
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def heavy(folder):
    """Return a program whose checkpoints are large."""
    program = write_program(folder, "paced")
    text = program.read_text().replace("PACE_S = 0.2", f"PACE_S = 0\nN_FLOATS = {N_FLOATS}")
    layer = "self.net = nn.Linear(2, 1)\n"
    assert layer in text
    ballast = "self.ballast = nn.Parameter(torch.zeros(N_FLOATS), requires_grad=False)\n"
    program.write_text(text.replace(layer, f"{layer}        {ballast}"))
    return program


def filling(folder, disk):
    """Return a program that fills a disk before it trains."""
    program = write_program(folder, "paced")
    text = program.read_text()
    fills = f"import tests.search.test_full_disk as t, pathlib; t.fill(pathlib.Path({str(disk)!r}))"
    program.write_text(
        text.replace(
            "    def validation_step",
            f"    def on_fit_start(self):\n        exec({fills!r})\n\n    def validation_step",
        )
    )
    return program


def check_undamaged(paths):
    """Every file of the experiment is whole, and nothing that was written aside is left."""
    assert all(json.loads(line) for line in paths.journal.read_bytes().split(b"\n")[:-1])
    assert paths.journal.read_bytes().endswith(b"\n")
    for record in paths.folder.glob("*/trial.json"):
        assert json.loads(record.read_text())["stage"] in ("preflight", "running", "complete", "stopped")
    for checkpoint in paths.folder.glob("*/checkpoints/*"):
        assert read_checkpoint_state(checkpoint) is not None, checkpoint
    for events in paths.folder.glob("*/events*"):
        assert [Event.FromString(raw) for raw in RawEventFileLoader(str(events)).Load()]
        assert events.stat().st_size == sum(16 + len(raw) for raw in RawEventFileLoader(str(events)).Load())
    assert {entry.name for entry in paths.folder.glob(".*")} <= {".lock", ".requests"}


def check_paused(searched):
    assert searched.error is None
    assert type(searched.finished.fault) is NoRoomError
    assert searched.finished.fault.where == display_path(searched.paths.folder)
    assert searched.finished.fault.what.startswith("no room is left on its disk: ")
    states = {trial.state.name for trial in searched.study.trials}
    assert states <= {"COMPLETE", "WAITING"}
    assert "WAITING" in states or len(searched.study.trials) < 6
    check_undamaged(searched.paths)


def test_checkpoints_that_fill_the_disk_pause_the_search_until_there_is_room(search, resume, small_disk):
    searched = search(heavy(small_disk.parent / "project"), SPACE)

    check_paused(searched)
    ended = {trial.number: trial for trial in searched.study.trials if trial.state.is_finished()}
    fill(small_disk)
    refused = resume(searched.paths)
    assert type(refused.error) is NoRoomError
    assert str(refused.error) == (
        f"{display_path(searched.paths.folder)}: no room is left on its disk: 0 KB free\n  Make room there."
    )
    check_undamaged(searched.paths)
    make_room(small_disk)
    resumed = resume(searched.paths)
    assert (resumed.error, resumed.finished.fault) == (None, None)
    check_whole(resumed, 6)
    assert ended.items() <= {trial.number: trial for trial in resumed.study.trials}.items()


@pytest.mark.slow
def test_a_disk_that_others_fill_between_two_trials_pauses_the_search_until_there_is_room(search, resume, small_disk):
    program = write_program(small_disk.parent / "project", "paced")
    searched = search(program, SPACE, on_end=lambda outcome: fill(small_disk))

    check_paused(searched)
    (small_disk / "filler").unlink()
    resumed = resume(searched.paths)
    assert (resumed.error, resumed.finished.fault) == (None, None)
    check_whole(resumed, 6)


@pytest.mark.slow
def test_a_disk_that_is_full_in_the_preflight_pauses_the_search(search, small_disk):
    program = filling(small_disk.parent / "project", small_disk)
    searched = search(program, SPACE)

    check_paused(searched)


@pytest.mark.slow
def test_a_fast_dev_run_that_finds_the_disk_full_says_so_and_leaves_nothing(small_disk):
    folder = small_disk.parent
    filling(folder / "project", small_disk).with_name("s.yaml").write_text(f"system: paced.py\n{SPACE}")

    ran = Driver(folder, "--space", "s.yaml", "--fast-dev-run")
    assert ran.process.wait() == 1
    *_, what, hint = ran.told.splitlines()
    assert what.startswith(f"{small_disk / 's'}: no room is left on its disk: ")
    assert hint == "  Nothing is kept. Once this is mended, run the command again."
    assert "trains and validates" not in ran.told
    assert [entry.name for entry in small_disk.iterdir()] == ["filler"]


@pytest.mark.slow
def test_the_command_says_which_disk_is_full_and_how_to_go_on(small_disk):
    folder = small_disk.parent
    heavy(folder / "project").with_name("s.yaml").write_text(f"system: paced.py\n{SPACE}")

    first = Driver(folder, "--space", "s.yaml")
    assert first.process.wait() == 1
    go_on = f"python run_search.py resume s --storage {display_path(small_disk)}"
    assert f"\nto go on: {go_on}\n" in first.told
    *_, what, hint = first.told.splitlines()
    assert re.fullmatch(rf"{small_disk / 's'}: no room is left on its disk: [\d.]+ [KM]B free", what)
    assert hint == f"  What was written is whole. Make room there, then: {go_on}"
    make_room(small_disk)
    assert Driver(folder, "resume", "s").process.wait() == 0


@pytest.mark.slow
def test_a_retraining_that_fills_the_disk_goes_on_with_the_same_command_once_there_is_room(small_disk):
    folder = small_disk.parent
    space = SPACE.replace("trials: 6", "trials: 1")
    heavy(folder / "project").with_name("s.yaml").write_text(f"system: paced.py\n{space}")
    assert Driver(folder, "--space", "s.yaml").process.wait() == 0
    retrain = ("retrain", "s", "--seeds", "4")

    first = Driver(folder, *retrain)
    assert first.process.wait() == 1
    *_, what, hint = first.told.splitlines()
    assert re.fullmatch(rf"{small_disk / 's'}: no room is left on its disk: [\d.]+ [KM]B free", what)
    assert hint == "  What was written is whole. Make room there, and give the same command again: it goes on."
    assert "failed" not in first.told

    fill(small_disk)
    assert Driver(folder, *retrain).process.wait() == 1
    make_room(small_disk)
    last = Driver(folder, *retrain)
    assert last.process.wait() == 0
    assert " of 5 runs are there already\n" in last.told
    records = [json.loads(each.read_text()) for each in (small_disk / "s" / "retrain").glob("*/trial.json")]
    assert [record["stage"] for record in records] == ["complete"] * 5
