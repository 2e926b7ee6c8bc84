"""README.md and the pages of docs/: their code blocks and their tables."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
"""The text of each page by its path from the root."""

BLOCK = re.compile(r"(?:^<!-- ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block."""

    page: str
    marker: str
    """What the comment before the block says; empty without one."""
    language: str
    text: str

    @property
    def kind(self):
        """The word of the marker before the colon."""
        return self.marker.partition(": ")[0]

    @property
    def name(self):
        """The words of the marker after the colon."""
        return self.marker.partition(": ")[2]

    def __str__(self):
        return f"{self.page}: {self.text}"


BLOCKS = [
    Block(page=page, marker=marker, language=language, text=text)
    for page, whole in PAGES.items()
    for marker, language, text in BLOCK.findall(whole)
]


def blocks_marked(kind):
    """Return the texts of the blocks with this kind of marker, each text once."""
    return list(dict.fromkeys(block.text for block in BLOCKS if block.kind == kind))


def rows(first_header):
    """Return the cells of the one table whose first column has this header."""
    table = re.compile(rf"^\| {first_header} \|.*?(?:\n\n|\Z)", re.DOTALL | re.MULTILINE)
    (found,) = [text for page in PAGES.values() for text in table.findall(page)]
    lines = found.strip().replace(r"\|", "&#124;").splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell):
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)
