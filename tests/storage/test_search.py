"""A search whose experiment lies at a URL: the same results as in a folder, and all commands work from there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import write_program
from tune.storage.remote_folder import RemoteFolder

ROOT = Path(__file__).parents[2]
SPACE = """
system: scripted.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
  BATCH_SIZE: {choice: [8, 16]}
trials: 5
concurrency: 1
keep_checkpoints: 1
"""


@pytest.fixture
def command(url, reach, tmp_path):
    """Return what runs `run_search.py` on a machine of that name, and returns its lines."""
    program = write_program(tmp_path / "project", "scripted")
    text = program.read_text().replace("CURVE[self.current_epoch])\n\n", "CURVE[self.current_epoch] - LR)\n\n")
    program.write_text(text)
    program.with_name("s.yaml").write_text(SPACE)

    def run(machine, *words, status=0):
        done = subprocess.run(
            [sys.executable, ROOT / "run_search.py", *words],
            cwd=program.parent,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / machine)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return (done.stdout + done.stderr).splitlines()

    return run


def table(lines):
    """Return what a search says of its trials and of the best: all that tells of no place."""
    first = next(number for number, line in enumerate(lines) if "000,baseline" in line)
    last = next(number for number, line in enumerate(lines) if line.startswith("everything is in"))
    return [re.sub(r"`(retrain|resume) \S+", r"`\1 PLACE", line) for line in lines[first:last]]  # of a hint


@pytest.mark.slow
def test_a_search_at_a_url_gives_the_same_table_and_every_command_works_from_there(command, url, tmp_path):
    in_folder = command("first", "--space", "s.yaml", "--storage", str(tmp_path / "storage"))
    at_url = command("first", "--space", "s.yaml", "--storage", url)
    assert table(at_url) == table(in_folder)
    assert f"everything is in {url}/s" in at_url

    carried = RemoteFolder(f"{url}/s").list_files()
    here = tmp_path / "storage" / "s"
    ours = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file() and path.name[0] != "."}
    assert {_plain(name) for name in carried} == {_plain(name) for name in ours}
    assert sum(name.endswith("best.ckpt") for name in carried) == 2  # the best and the baseline

    results = command("second", "results", "s", "--storage", url, "--csv")
    assert results == command("first", "results", "s", "--storage", str(tmp_path / "storage"), "--csv")

    diff = command("second", "apply", "s", "--storage", url)
    assert diff == command("first", "apply", "s", "--storage", str(tmp_path / "storage"))
    assert any(line.startswith("+LR = ") for line in diff)

    retrained = command("third", "retrain", f"{url}/s")
    version = next(line for line in retrained if line.startswith("checkpoint: ")).removeprefix("checkpoint: ")
    assert version.startswith(f"{url}/s/retrain/000,")
    assert RemoteFolder(f"{url}/s/retrain").has_file(version.removeprefix(f"{url}/s/retrain/"))

    resumed = command("fourth", "resume", "s", "--storage", url, "--trials", "+1")
    assert "6 trials: " in "\n".join(resumed)
    assert any(line.startswith("6/6 ") for line in resumed)

    held = [path for path in tmp_path.rglob("*") if path.is_file() and b"open-sesame" in path.read_bytes()]
    assert held == []


def _plain(name):
    """Return a name without the time and the process of an event file."""
    return name.partition("tfevents")[0]


WRONG = [
    (
        "s3://there-is-none/folder",
        "s3://there-is-none/folder: it cannot be read: The specified bucket does not exist",
        "  Make the bucket, or give another --storage.",
    ),
    ("gs://bucket/folder", "--storage: gs:// needs a package that is not installed", "  pip install gcsfs"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong[0])
def test_a_storage_that_cannot_be_used_ends_the_search_before_it_begins(command, wrong):
    storage, *message = wrong

    assert command("first", "--space", "s.yaml", "--storage", storage, status=2)[-2:] == message
