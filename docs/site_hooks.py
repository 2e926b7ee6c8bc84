"""Hooks of mkdocs: put files of the repository that pages link to into the site. GitHub needs no such thing."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)")
SHOWN = (
    *("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"),
    *("benchmarks/README.md", "notebooks/experiment.ipynb", "mkdocs.yml"),
)
"""Files outside of `docs/` that a page may link to. They are not in the navigation."""
FOLDER = "repository"
"""Where they are in the site."""


def on_files(files: Any, config: Any) -> Any:
    """Add the files of the repository."""
    for name in SHOWN:
        files.append(File.generated(config, f"{FOLDER}/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links between `docs/` and the rest of the repository lead to the places of the files in the site."""
    source = page.file.src_uri
    in_repository = source.removeprefix(f"{FOLDER}/") if source.startswith(f"{FOLDER}/") else f"docs/{source}"

    def find_target(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository), match[1]))
        place = f"{FOLDER}/{target}" if target in SHOWN else target.removeprefix("docs/")
        is_known = target in SHOWN or target.startswith("docs/")
        return posixpath.relpath(place, posixpath.dirname(source) or ".") if is_known else match[1]

    return LINK.sub(find_target, markdown)
