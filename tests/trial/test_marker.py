"""What a killed server left is removed, and a folder that only has such a name is not."""

import os

from tune.trial.process.client import NODE_FOLDER, process_server
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
