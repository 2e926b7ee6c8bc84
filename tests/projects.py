"""Projects of a test's own, with programs as people write them."""

import shutil
from pathlib import Path
from textwrap import dedent

PROGRAMS = Path(__file__).parent / "programs"


def write_program(root, name, text=None):
    """Return a copy of a program in `tests/programs/`, in a project of its own; or write one from a text."""
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").touch()
    path = root / f"{name}.py"
    if text is None:
        shutil.copyfile(PROGRAMS / f"{name}.py", path)
    else:
        path.write_text(dedent(text))
    return path
