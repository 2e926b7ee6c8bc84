"""A user's file gets another content: whole or not at all, and nothing is left beside it."""

import errno
import os
import subprocess
import sys

import pytest

from tune import atomic_files
from tune.atomic_files import ASIDE, LEFT_S, replace_files

KILLED = """
import os, pathlib, sys
from tune import atomic_files
if sys.argv[2] == "named":
    atomic_files._open_nameless = lambda folder: None
os.fsync = lambda opened: os._exit(9)
atomic_files.replace_files({pathlib.Path(sys.argv[1]): b"new"})
"""


@pytest.fixture
def source(tmp_path):
    (tmp_path / "line.py").write_bytes(b"old")
    (tmp_path / "line.py").chmod(0o751)
    return tmp_path / "line.py"


def kill(source, how):
    """Let a process be killed while it writes."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(source), how], check=False)
    assert done.returncode == 9
    return [each for each in source.parent.iterdir() if each != source]


@pytest.mark.parametrize("has_nameless", [True, False])
def test_a_file_is_replaced_with_its_mode_and_nothing_is_left(source, monkeypatch, has_nameless):
    if not has_nameless:
        monkeypatch.setattr(atomic_files, "_open_nameless", lambda folder: None)
    other = source.with_name("net.py")
    other.write_bytes(b"old")
    replace_files({source: b"new", other: b"newer"})

    assert (source.read_bytes(), other.read_bytes()) == (b"new", b"newer")
    assert source.stat().st_mode & 0o7777 == 0o751
    assert sorted(source.parent.iterdir()) == [source, other]


def test_a_file_is_replaced_where_no_file_without_a_name_can_get_one(source, monkeypatch):
    def refuse(*names, **options):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    replace_files({source: b"new"})

    assert source.read_bytes() == b"new"
    assert source.stat().st_mode & 0o7777 == 0o751
    assert list(source.parent.iterdir()) == [source]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name are Linux's")
def test_a_process_that_is_killed_leaves_nothing_beside_a_file(source):
    assert kill(source, "nameless") == []
    assert source.read_bytes() == b"old"


def test_what_a_killed_process_left_where_each_file_has_a_name_is_removed_by_the_next_one(source):
    (left,) = kill(source, "named")
    assert left.name.endswith(ASIDE)
    replace_files({source: b"new"})
    assert left.exists()  # somebody may write it now

    os.utime(left, (0, left.stat().st_mtime - LEFT_S - 1))
    replace_files({source: b"newer"})
    assert list(source.parent.iterdir()) == [source]


@pytest.mark.parametrize("has_nameless", [True, False])
def test_on_a_full_disk_the_error_has_the_file_and_nothing_changes(source, monkeypatch, has_nameless):
    def fill(opened):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if not has_nameless:
        monkeypatch.setattr(atomic_files, "_open_nameless", lambda folder: None)
    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(OSError, match="No space left on device") as raised:
        replace_files({source: b"new"})

    assert raised.value.filename == str(source)
    assert source.read_bytes() == b"old"
    assert list(source.parent.iterdir()) == [source]
