"""Links in an experiment that lead out of it: whoever made one, trials would write through it."""

import os
from collections.abc import Iterator
from pathlib import Path

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, short


def check_links(paths: ExperimentPaths) -> None:
    """Raise ExperimentError at the first link that leads out of the experiment's folder."""
    home = paths.folder.resolve()
    for link in _links(paths.folder):
        if not link.resolve().is_relative_to(home):
            what = f"a link that leads out of the experiment, to {short(link.resolve())}"
            raise ExperimentError(short(link), what, "What trains here would write there. Put a copy in its place.")


def _links(folder: Path) -> Iterator[Path]:
    """Yield every link below a folder; none is followed."""
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if os.path.islink(path := os.path.join(where, name)):  # noqa: PTH114, PTH118 - a hundred thousand times
                yield Path(path)
