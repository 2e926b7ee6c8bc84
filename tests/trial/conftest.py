"""Trials in processes of their own, without Ray."""

from dataclasses import dataclass, replace

import pytest

from tests.processes import run_in_process
from tune.cluster.resources import Resources
from tune.experiment.records import TrialRecord, read_record
from tune.paths import VersionPaths
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot
from tune.search.search_plan import build_job
from tune.space.settings import Settings
from tune.space.space import Space, System
from tune.trial.messages import TrialTask


@dataclass
class Trial:
    record: TrialRecord
    files: VersionPaths
    reports: list  # (epoch, value, last)
    preflights: int  # how often the gate was opened

    @property
    def failure(self):
        return self.record.failure

    @property
    def log(self):
        return self.files.log.read_text()


class Worker:
    """Runs trials of one program one after the other, as an actor of Ray's does."""

    def __init__(self, path, storage, server, *, metric="Score/Val", mode="max", system=None, promoted=(), **trainer):
        program = find_program(path)
        snapshot = take_snapshot(program, storage / "source")
        space = Space(
            path=path.with_name("space.yaml"),
            program=path,
            shape=System(class_name=system),
            metric=metric,
            mode=mode,
            dimensions={},
            settings=Settings(trainer=trainer),
            lines={},
        )
        resources = Resources(n_cores=1, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=1)
        job = build_job(space, program, (), snapshot.folder, resources)
        found = find_constants(program)
        constants = {each.name: each for each in found if each.name.isupper()}
        constants |= {name: find_constant(name, program, found, "s.yaml:1") for name in promoted}
        self.storage = storage
        self.server = server
        self.job = replace(job, constants=constants, folder=path.parent)
        self.n_trials = 0

    def run(self, *, preflight=False, stop_at=None, on_report=None, **values):
        """Run the next trial; answer its report of epoch ``stop_at`` with a stop."""
        number, self.n_trials = self.n_trials, self.n_trials + 1
        files = VersionPaths(self.storage / f"{number:03d}")
        task = TrialTask(number=number, version=str(files.folder), seed=0, values=values, preflight=preflight)
        reports = []

        def answer(epoch):
            reports.append((epoch.epoch, epoch.value, epoch.last))
            if on_report is not None:
                on_report(files)
            return epoch.epoch == stop_at

        told = run_in_process(self.server, self.job, task, answer=answer)
        assert told.death is None
        return Trial(read_record(files), files, reports, len(told.packages))


@pytest.fixture
def worker(programs, tmp_path, server):
    """Return a worker of a program."""

    def start(name, text=None, **arguments):
        return Worker(programs(name, text), tmp_path / "experiment", server, **arguments)

    return start
