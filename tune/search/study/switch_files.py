"""Go over to an edited space: new files are written aside and take their names at once; the old ones stay."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tune.paths import ExperimentPaths
from tune.search.study.rewrite_journal import Record
from tune.space.space import Space
from tune.space.space_file import write_space


def commit_edit(paths: ExperimentPaths, space: Space, records: Iterable[Record]) -> None:
    """Give an experiment another space and another ledger; the caller holds its lock.

    Killed before the folder is renamed, nothing has changed; after it, every reader sees the new files, and
    ``recover_edit`` moves to their places those that still are in it.
    """
    aside = paths.folder / f"{paths.pending_edit.name}.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    earlier_space, earlier_journal = paths.files_before_edit(paths.n_earlier + 1)
    shutil.copyfile(paths.space, aside / earlier_space.name)
    shutil.copyfile(paths.journal, aside / earlier_journal.name)
    write_space(space, aside / paths.space.name)
    with (aside / paths.journal.name).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    for path in (*aside.iterdir(), aside):
        _fsync_path(path)
    aside.rename(paths.pending_edit)
    _fsync_path(paths.folder)
    recover_edit(paths)


def recover_edit(paths: ExperimentPaths) -> None:
    """Move to their places the files of a switch that was decided; forget one that was not."""
    shutil.rmtree(paths.folder / f"{paths.pending_edit.name}.new", ignore_errors=True)
    if not paths.pending_edit.is_dir():
        return
    for path in sorted(paths.pending_edit.iterdir()):
        path.replace(paths.folder / path.name)
    paths.pending_edit.rmdir()
    _fsync_path(paths.folder)


def _fsync_path(path: Path) -> None:
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
