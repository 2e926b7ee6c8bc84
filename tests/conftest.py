"""What tests of several parts need."""

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def programs(tmp_path):
    """Return a copy of a program in `tests/programs/`, in a project of its own; or write one from a text."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").touch()

    def program(name, text=None):
        path = root / f"{name}.py"
        if text is None:
            shutil.copyfile(PROGRAMS / f"{name}.py", path)
        else:
            path.write_text(dedent(text))
        return path

    return program
