"""Programs written for one test."""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tune.promotion.program import Program, find_program

WriteProgram = Callable[..., Program]


@pytest.fixture
def program_of(tmp_path: Path) -> WriteProgram:
    """Write `train.py`, and other files of the project, and return the program."""

    def write(text: str, others: Mapping[str, str] = {}, main: str = "train.py") -> Program:
        (tmp_path / "pyproject.toml").touch()
        for name, body in {main: text, **others}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(body).lstrip("\n"), encoding="utf-8")
        return find_program(tmp_path / main)

    return write
