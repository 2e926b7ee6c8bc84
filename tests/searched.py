"""Trials of a space file: all that a search does of one trial, without Ray."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.processes import run_in_process
from tune.cluster.resources import Resources
from tune.experiment.records import TrialRecord, read_record
from tune.paths import VersionPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.search_plan import build_job
from tune.space.space_file import read_space
from tune.trial.messages import TrialTask

ONE_CORE = Resources(n_cores=1, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=1)


@dataclass
class Trial:
    record: TrialRecord
    files: VersionPaths
    reports: list  # (epoch, value)

    @property
    def failure(self):
        return self.record.failure

    @property
    def log(self):
        return self.files.log.read_text()


class Worker:
    """Runs trials of one space file one after the other, as an actor of Ray's does."""

    def __init__(self, space_file, storage, server):
        self.space = read_space(space_file)
        self.program = find_program(self.space.program)
        self.promoted = resolve_constants(self.space, self.program)
        self.storage = storage
        self.server = server
        snapshot = take_snapshot(self.program, storage / "source", self.space.args)
        self.job = build_job(self.space, self.program, self.promoted, snapshot.folder, ONE_CORE)
        self.n_trials = 0

    def run(self, values=(), *, preflight=False, hardcoded=False, evaluates=False):
        number, self.n_trials = self.n_trials, self.n_trials + 1
        files = VersionPaths(self.storage / f"{number:03d}")
        task = TrialTask(
            number=number,
            version=str(files.folder),
            seed=0,
            values=dict(values),
            preflight=preflight,
            hardcoded=hardcoded,
            evaluates=evaluates,
        )
        told = run_in_process(self.server, self.job, task)
        assert told.death is None
        record = read_record(files)
        if preflight:
            self.job = replace(self.job, counted=record.counted_fits)
        return Trial(record, files, [(each.epoch, each.value) for each in told.epochs])

    def run_interrupted(self, values, stops: Sequence[int]):
        """Run a trial that is paused after its reports of some epochs, and goes on each time."""
        number, self.n_trials = self.n_trials, self.n_trials + 1
        files = VersionPaths(self.storage / f"{number:03d}")
        job = replace(self.job, pauses_trials=True)
        reports = []
        for attempt, stop in enumerate((*stops, None), start=1):
            task = TrialTask(
                number=number,
                version=str(files.folder),
                seed=0,
                values=dict(values),
                attempt=attempt,
                reported=reports[-1][0] if reports else 0,
            )
            told = run_in_process(self.server, job, task, answer=lambda epoch, stop=stop: epoch.epoch == stop)
            assert told.death is None
            reports += [(each.epoch, each.value) for each in told.epochs]
        return Trial(read_record(files), files, reports)
