"""Our own command on an assignment, typed as a user types it.

python -m benchmarks.peers.ours ASSIGNMENT
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.assignment import ROOT, Assignment

EXPERIMENT = "search"


def space_of(assignment: Assignment) -> dict[str, Any]:
    """Return the space file: the fixed list is a grid without early stopping, all else is what a search does anyway."""
    fixed = {"sampler": "grid", "scheduler": "none"} if assignment.grid else {}
    return {
        "system": assignment.file,
        "metric": assignment.metric,
        "mode": assignment.mode,
        "constants": assignment.constants,
        "trials": assignment.n_trials,
        "trainer": {"max_epochs": assignment.epochs, "accelerator": "cpu"},
        "cpus_per_trial": 1,
        "gpus_per_trial": 0,
        "concurrency": assignment.n_workers,
        "seed": assignment.seed,
        **fixed,
    }


def command(assignment: Assignment, file: Path) -> list[str]:
    """Write the space file, and return what is typed."""
    file.write_text(json.dumps(space_of(assignment), indent=1))  # JSON is YAML
    return [
        sys.executable,
        str(ROOT / "run_search.py"),
        *("--space", str(file), "--storage", assignment.folder, "--name", EXPERIMENT),
    ]


if __name__ == "__main__":
    given = Path(sys.argv[1])
    words = command(Assignment.read(sys.argv[1]), given.with_suffix(".yaml"))
    os.execv(words[0], words)
