"""A trial goes back to its last checkpoint: what its version holds of later steps is cut off."""

import shutil
import sys
from pathlib import Path

from tune.paths import VersionPaths
from tune.trial.cut import cut_back
from tune.trial.mark import Mark, read_mark
from tune.trial.plain import is_plain
from tune.trial.task import Task

TRUST = "With `--trust-checkpoints` it would have gone on from there, and run what code that file may hold."


def gone_back(files: VersionPaths, task: Task, *, trusts_checkpoints: bool) -> Mark | None:
    """Put a version back to its last checkpoint, and return where that is; None: the trial starts anew.

    Where it has another trial's weights to take over, and has not yet, the checkpoint is made of them.
    """
    for left in files.checkpoints.glob(".*"):  # a checkpoint that was being written
        left.unlink(missing_ok=True)
    files.freed.unlink(missing_ok=True)
    mark = read_mark(files.last)
    if mark is not None and mark.fit > 1:
        mark = None  # the fits before it would have to be repeated: all is
    n_mutations = len(task.mutations)
    if mark is not None and task.weights is not None and mark.n_mutations < n_mutations:
        mark = mark.adopt(Path(task.weights), files.last, n_mutations)
    if mark is not None and not trusts_checkpoints and not is_plain(files.last):
        sys.stderr.write(f"{files.last.name} holds more than plain data; the trial starts anew. {TRUST}\n")
        mark = None
    if mark is None:
        shutil.rmtree(files.program_checkpoints, ignore_errors=True)
    cut_back(files.folder, mark)
    return mark
