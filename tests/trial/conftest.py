"""A warm worker without Ray."""

from dataclasses import dataclass

import pytest

from tune.paths import VersionPaths
from tune.promotion.constants import Form, find_constant, find_constants
from tune.promotion.execute import Executor
from tune.promotion.literals import Unknown
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot
from tune.space.space import System
from tune.trial.record import Record, read_record
from tune.trial.run import TrialRun
from tune.trial.task import Job, Task


@dataclass
class Trial:
    record: Record
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
    """Runs trials of one program one after the other, as a worker of Ray's does."""

    def __init__(self, path, storage, uncaptured, *, metric="Score/Val", mode="max", system=None, **trainer):
        program = find_program(path)
        constants = find_constants(program)
        snapshot = take_snapshot(program, storage / "source")
        own = [each for each in constants if each.sites[0].source == program.source.name and each.form is Form.VARIABLE]
        self.storage = storage
        self.uncaptured = uncaptured  # standard output as a process of its own has it
        self.job = Job(
            program=program,
            snapshot=snapshot.folder,
            shape=System(class_name=system),
            constants={
                each.name: find_constant(each.name, program, constants, "s.yaml:1")
                for each in constants
                if each.form is Form.VARIABLE
            },
            options={},
            hardcoded={each.name: each.value for each in own if not isinstance(each.value, Unknown)},
            metric=metric,
            mode=mode,
            trainer={"accelerator": "cpu", **trainer},
            epochs_constant="MAX_EPOCHS" if any(each.name == "MAX_EPOCHS" for each in own) else None,
            n_threads=1,
            folder=path.parent,
            gate="gate",
        )
        self.executor = Executor(snapshot, {key: each.sites for key, each in self.job.constants.items()})
        self.n_trials = 0

    def run(self, *, preflight=False, stop_at=None, on_report=None, **values):
        """Run the next trial; answer its report of epoch ``stop_at`` with a stop."""
        number, self.n_trials = self.n_trials, self.n_trials + 1
        files = VersionPaths(self.storage / f"{number:03d}")
        task = Task(number=number, version=str(files.folder), seed=0, values=values, preflight=preflight)
        reports, opened = [], []

        def report(epoch, value, last):
            reports.append((epoch, value, last))
            if on_report is not None:
                on_report(files)
            return epoch == stop_at

        with self.uncaptured():
            record = TrialRun(self.job, task, self.executor).run(report, lambda: opened.append(True))
        assert read_record(files).stage == record.stage
        return Trial(record, files, reports, len(opened))


@pytest.fixture
def worker(programs, tmp_path, capsys):
    """Return a worker of a program."""

    def start(name, text=None, **arguments):
        return Worker(programs(name, text), tmp_path / "experiment", capsys.disabled, **arguments)

    return start
