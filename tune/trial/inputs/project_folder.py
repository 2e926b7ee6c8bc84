"""Where an actor finds the project: at its own place, or where Ray unpacked what came to its node."""

import socket
from dataclasses import replace
from pathlib import Path

from tune.errors import UnsharedError
from tune.promotion.snapshot import MANIFEST
from tune.trial.messages import Job

PROJECT = ".project"
"""The folder of the project below the actor's first working directory; hidden, so that nothing is imported by it."""


def localize_job(job: Job) -> Job:
    """Return a job as it is done on this node; to be called before anything changes the working directory.

    Trials run in the folder that the user was in, where that is one of the project or this node has it; else in the
    project's.
    """
    if not job.travels:
        return job if job.folder.is_dir() else replace(job, folder=job.program.root)
    there = job.program
    root = (Path.cwd() / PROJECT).resolve()
    below = job.folder.relative_to(there.root) if job.folder.is_relative_to(there.root) else Path()
    folder = root / below if (root / below).is_dir() else root
    return replace(job, program=there.moved_to(root), folder=folder)


def find_unshared_error(job: Job) -> UnsharedError | None:
    """Return what to tell where this node does not see the experiment; it may have come after all others were asked."""
    if (job.snapshot / MANIFEST).is_file():
        return None
    return UnsharedError(str(job.snapshot), f"the node {socket.gethostname()} does not see it")
