"""A warm worker of a space file: all that a search does of one trial, without Ray."""

import contextlib
import functools
import gc
from dataclasses import dataclass

from tune.paths import VersionPaths
from tune.promotion.constants import Constant
from tune.promotion.execute import Executor
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve
from tune.promotion.snapshot import take_snapshot
from tune.search.job import build_job
from tune.search.machines.resources import Resources
from tune.space.file import read_space
from tune.trial.record import Record, read_record
from tune.trial.run import TrialRun
from tune.trial.task import Task

ONE_CORE = Resources(n_cores=1, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=1)


@dataclass
class Trial:
    record: Record
    files: VersionPaths
    reports: list  # (epoch, value)

    @property
    def failure(self):
        return self.record.failure

    @property
    def log(self):
        return self.files.log.read_text()


class Worker:
    """Runs trials of one space file one after the other, as a worker of Ray's does."""

    def __init__(self, space_file, storage, uncaptured=contextlib.nullcontext):
        self.space = read_space(space_file)
        self.program = find_program(self.space.program)
        self.promoted = resolve(self.space, self.program)
        self.storage = storage
        self.uncaptured = uncaptured  # standard output as a process of its own has it
        snapshot = take_snapshot(self.program, storage / "source")
        self.job = build_job(self.space, self.program, self.promoted, snapshot.folder, ONE_CORE)
        sites = {item.key: item.constant.sites for item in self.promoted if isinstance(item.constant, Constant)}
        self.executor = Executor(snapshot, sites)
        self.n_trials = 0

    def run(self, values=(), *, preflight=False):
        number, self.n_trials = self.n_trials, self.n_trials + 1
        files = VersionPaths(self.storage / f"{number:03d}")
        task = Task(number=number, version=str(files.folder), seed=0, values=dict(values), preflight=preflight)
        reports = []
        with self.uncaptured():
            record = TrialRun(self.job, task, self.executor).run(
                lambda epoch, value, *_: reports.append((epoch, value)), lambda: None
            )
        settle()
        assert read_record(files).stage == record.stage
        return Trial(record, files, reports)


@functools.cache
def settle():
    """Take what the libraries hold out of the collector's sight, once: each trial ends with a full collection."""
    gc.collect()
    gc.freeze()
