"""Trials in real processes of a real server, without Ray: the test is their actor."""

import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path

from tune.paths import VersionPaths
from tune.trial.lightning.profiler import Stopwatch
from tune.trial.messages import EpochReport
from tune.trial.process.channel import DONE, EPOCHS, NO_ROOM, READY, TrialStart, trial_environment
from tune.trial.process.client import ForkedProcess
from tune.trial.process.watched import ENDED, WatchedProcess, create_temporary_folder


@dataclass
class Told:
    """What a trial's process said."""

    epochs: list = field(default_factory=list)
    packages: list = field(default_factory=list)  # of each pre-flight that passed
    no_room: tuple | None = None
    rest: list | None = None  # epochs that it told with its end; None: it was not through
    death: str | None = None


def run_in_process(server, job, task, *, answer=lambda epoch: False, environment=None, hang_after_s=None):
    """Run a task in a process of its own; ``answer`` is given each epoch, and returns whether the trial is to stop."""
    version = VersionPaths(Path(task.version))
    version.folder.parent.mkdir(parents=True, exist_ok=True)
    file = version.folder.parent / f".job-{task.number}"
    file.write_bytes(pickle.dumps(job))

    sees_gpus = job.trainer.get("accelerator") != "cpu"

    process, temporary = ForkedProcess(server), create_temporary_folder(server.parent)
    process.connection.send(
        TrialStart(
            environment=trial_environment(environment or os.environ, job.n_threads, sees_gpus=sees_gpus),
            niceness=os.getpriority(os.PRIO_PROCESS, 0),
            temporary=temporary,
            job=str(file),
            task=task,
            counted=None if job.counted is None else job.counted.as_json(),
            before=None,
            worker="here:1",
            stopwatch=Stopwatch(job.session or time.time()).hand_over(),
        )
    )

    watched = WatchedProcess(process, temporary, version, task.attempt, hang_after_s)
    told = Told()
    while True:
        what, *content = watched.next_message()
        if what == EPOCHS:
            epochs = [EpochReport(*each) for each in content[0]]
            told.epochs += epochs
            answers = [answer(each) for each in epochs]
            watched.answer_report(stop=any(answers))
        elif what == READY:
            told.packages.append(content[0])
        elif what == NO_ROOM:
            told.no_room = content[0]
        elif what == DONE:
            told.rest = [EpochReport(*each) for each in content[0]]
        elif what == ENDED:
            told.death = content[0]
            file.unlink()
            return told
