"""What a killed server left is removed, and a folder that only has such a name is not."""

import os
import subprocess
import sys
from pathlib import Path

from tune.trial.process import client
from tune.trial.process.client import ACTOR_FOLDER, NODE_FOLDER, StartSource, process_server
from tune.trial.process.marker import mark_folder


def test_only_the_marked_folder_of_a_servers_is_removed_by_the_next_server(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, users = (tmp_path / f"{NODE_FOLDER}{os.getuid()}-{name}" for name in ("job-1", "mine"))
    for folder in (left, users):
        folder.mkdir()
        (folder / "file").touch()
    mark_folder(left)
    for folder in (left, users):
        os.utime(folder, (0, 0))

    with process_server(tmp_path):
        assert not left.exists()
        assert (users / "file").exists()


class Process:
    def close(self):
        pass


ACTOR = """
import signal
import tempfile
from tune.trial.process import client

tempfile.tempdir = {folder!r}
client.StartedProcess = object
source = client.StartSource()
print(source.folder, flush=True)
signal.pause()
"""


def test_the_folder_of_an_actor_that_was_killed_is_removed_where_trials_are_not_forked(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(client, "StartedProcess", Process)
    users = tmp_path / f"{ACTOR_FOLDER}mine"
    users.mkdir()
    code = ACTOR.format(folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as actor:
        left = Path(actor.stdout.readline().strip())
        living = StartSource()
        was_there = left.is_dir()
        actor.kill()

    another = StartSource()

    assert (was_there, left.exists()) == (True, False)
    assert living.folder.is_dir()
    assert users.is_dir()
    for each in (living, another):
        each.close()
        assert not each.folder.exists()
