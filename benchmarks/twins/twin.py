"""What a program's folder declares about its twin: which constants are edited where, and which values count.

The edits are texts of the source, so that nothing of ``tune`` decides what the plain program trains with.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ruamel.yaml import YAML

PROGRAMS = Path(__file__).parents[2] / "tests" / "programs"
SPACE, TWIN = "space.yaml", "twin.yaml"
PLACEHOLDER = "hp_metric"
"""The tag that Lightning's TensorBoardLogger logs where a program gives no metric with its hyperparameters."""


class Edit(NamedTuple):
    """A text that stands once in a file, and the text that replaces it; ``{}`` there is the value."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A program that is run as it stands, with its constants edited by hand."""

    folder: Path
    script: str
    """A file, or a module for ``python -m``."""
    args: tuple[str, ...]
    metric: str
    mode: Literal["min", "max"]
    values: Mapping[str, Any]
    """By the names of the space file; those of the test."""
    edits: Mapping[str, Edit]
    """By the same names."""
    options: Mapping[str, tuple[str, ...]]
    """Words of the command line, by the same names."""
    changes: tuple[Edit, ...]
    """What the space file says about the Trainer."""
    append: Mapping[str, str]
    """Text behind that of a file: a system without a main part has to be given one."""
    score: Literal["best", "mean"] | Mapping[str, str]
    """Over the last fit, or of all fits; ``{"tag": NAME}``: the last value of a tag in the event files."""
    monitor: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the ``ModelCheckpoint`` that measures the plain run."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def lightning(self) -> str:
        """The name of the Lightning package that it imports."""
        texts = [file.read_text() for file in self.folder.rglob("*.py")]
        is_new = any(re.search(r"^(import|from) lightning\b", text, re.MULTILINE) for text in texts)
        return "lightning.pytorch" if is_new else "pytorch_lightning"

    def copy(self, target: Path) -> Path:
        """Copy the program's folder without what is left of earlier runs, and return the copy."""
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("__pycache__", TWIN))
        return target

    def write_by_hand(self, folder: Path, values: Mapping[str, Any]) -> list[str]:
        """Edit a copy; return the words of its command line behind ``python``."""
        for key, value in values.items():
            if key in self.edits:
                _replace(folder, self.edits[key], value)
        for change in self.changes:
            _replace(folder, change)
        for name, text in self.append.items():
            with (folder / name).open("a") as file:
                file.write(f"\n\n{text}")
        words = [self.script] if self.script.endswith(".py") else ["-m", self.script]
        options = [word.format(value) for key, value in values.items() for word in self.options.get(key, ())]
        return [*words, *self.args, *options]


def _replace(folder: Path, edit: Edit, value: object = None) -> None:
    path = folder / edit.file
    text = path.read_text()
    assert text.count(edit.old) == 1, f"{edit.old!r} stands {text.count(edit.old)} times in {path}"
    bare = isinstance(value, str) and '"{}"' in edit.new
    path.write_text(text.replace(edit.old, edit.new.replace("{}", value if bare else repr(value))))


def read_twin(folder: Path) -> Twin:
    """Return a program's twin; raise FileNotFoundError where its folder has no ``twin.yaml``."""
    yaml = YAML(typ="safe")
    space, twin = yaml.load(folder / SPACE), yaml.load(folder / TWIN)
    return Twin(
        folder=folder,
        script=space.get("script") or space["system"],
        args=tuple(space.get("args", ())),
        metric=space["metric"],
        mode=space["mode"],
        values=twin["values"],
        edits={key: Edit(*edit) for key, edit in twin.get("edits", {}).items()},
        options={key: tuple(words) for key, words in twin.get("options", {}).items()},
        changes=tuple(Edit(*change) for change in twin.get("changes", ())),
        append=twin.get("append", {}),
        score=twin.get("score", "best"),
        monitor=twin.get("monitor", {}),
    )


def program_names() -> list[str]:
    """Return the names of all programs with a space file."""
    return sorted(path.parent.name for path in PROGRAMS.glob(f"*/{SPACE}"))
