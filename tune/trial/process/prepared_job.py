"""The job of a search as a template has it in memory, for the trials that are forked from it."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tune.promotion.execute import Executor
from tune.promotion.snapshot import Snapshot
from tune.trial.task import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a trial's process finds in memory."""

    file: str | None = None
    """The file of ``job``; None: no job was prepared."""
    job: Job | None = None
    executor: Executor | None = None
    """Holds the program's compiled source."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that imported packages have set."""


def load_job(file: str) -> tuple[Job, Executor]:
    """Return the job in a file and what executes its program."""
    job: Job = pickle.loads(Path(file).read_bytes())  # noqa: S301 - our own file, in a folder of ours alone
    return job, executor_of(job)


def executor_of(job: Job) -> Executor:
    """Return what executes a job's program."""
    sites = {key: constant.sites for key, constant in job.constants.items()}
    return Executor(Snapshot(job.snapshot, job.program), sites)
