"""A search that is steered, without Ray: the test runs its trials, and sends requests as other processes do."""

import itertools
import json
from pathlib import Path

from tests.experiments import PROGRAM, SPACE
from tune.cluster.resources import Resources
from tune.experiment.records import TrialRecord
from tune.experiment.requests import RequestFolder, create_request
from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.build_controller import build_controller
from tune.search.search_plan import build_job
from tune.search.spec import Search
from tune.search.study.study import create_search_study, open_search_study
from tune.space.space_file import read_space, write_space
from tune.trial.messages import EpochReport


class SteeredSearch:
    """The controller of one search; `restart` is what a driver does that takes it over from one that was killed."""

    def __init__(
        self, folder, space=f"{SPACE}scheduler: none\n", program=PROGRAM, concurrency=2, listeners=(), spent_s=0.0
    ):
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").touch()
        (folder / "program.py").write_text(program)
        (folder / "space.yaml").write_text(space)
        self.space = read_space(folder / "space.yaml")
        self.program = find_program(self.space.program)
        self.paths = ExperimentPaths(folder / "storage" / "exp")
        self.paths.folder.mkdir(parents=True)
        write_space(self.space, self.paths.space)
        take_snapshot(self.program, self.paths.source)
        self.requests = RequestFolder(self.paths)
        self._ids = itertools.count()
        self._concurrency, self._listeners, self._spent_s = concurrency, listeners, spent_s
        self._start(create_search_study)

    def _start(self, open_ledger):
        self.space = read_space(self.paths.space, program_is_here=False)
        promoted = resolve_constants(self.space, self.program)
        self.resources = Resources(
            n_cores=4, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=self._concurrency
        )
        search = Search(
            space=self.space,
            program=self.program,
            promoted=promoted,
            resources=self.resources,
            paths=self.paths,
            listeners=self._listeners,
            spent_s=self._spent_s,
        )
        job = build_job(self.space, self.program, promoted, self.paths.source, search.resources)
        self.ledger = open_ledger(self.paths, self.space, promoted)
        self.controller = build_controller(search, self.ledger, job)
        self.running = {}

    def move_to(self, folder):
        """Begin a driver in a copy of the experiment's folder."""
        self.paths = ExperimentPaths(folder)
        self.requests = RequestFolder(self.paths)
        self.restart()

    def restart(self):
        """Begin a driver after one that was killed where it stood."""
        self._start(open_search_study)

    def send(self, verb, **arguments):
        """Send a request; return its id."""
        request = create_request(verb, arguments)
        self.requests.send_request(request)
        return request.id

    def poll(self):
        """Let the driver look for requests now, and do all of them."""
        clock = self.controller._requests._clock
        clock._next = 0.0
        self.controller.handle_requests()

    def ask(self, verb, **arguments):
        """Send a request, and return the driver's answer."""
        request = self.send(verb, **arguments)
        for _ in range(100):
            self.poll()
            if (answer := self.requests.fetch_answer(request)) is not None:
                return answer
        raise AssertionError("no answer")

    def ask_again(self, request):
        """Return the answer to a request that lies there already."""
        self.poll()
        return self.requests.fetch_answer(request)

    def propose(self, outside=False, why="", others="hardcoded", **constants):
        return self.ask("propose", constants=constants, outside=outside, why=why, others=others)

    def begin(self):
        """Let a free place ask for a trial; return its task, or None."""
        trial_id = str(next(self._ids))
        task = self.controller.next_task(trial_id)
        if task is not None:
            self.running[task.number] = (trial_id, task)
            files = VersionPaths(Path(task.version))
            files.folder.mkdir(parents=True, exist_ok=True)
            self._write_record(task, "running", [])
        return task

    def report(self, number, epoch, value, last=False):
        """Report an epoch; return whether the trial is to stop."""
        return self.controller.receive_epochs(self.running[number][0], [EpochReport(epoch, value, last=last)])

    def end(self, number, *values):
        """Let a trial report these values, the last of them at its end, and end."""
        trial_id, task = self.running.pop(number)
        curve = list(enumerate(values, start=1))
        self._write_record(task, "complete", curve)
        for epoch, value in curve:
            self.controller.receive_epochs(trial_id, [EpochReport(epoch, value, last=epoch == len(curve))])
        self.controller.on_trial_end(trial_id, death=None)

    def stop(self, number):
        """Let a trial's process end because it was told to stop."""
        trial_id, task = self.running.pop(number)
        self._write_record(task, "complete", [])
        self.controller.on_trial_end(trial_id, death=None)

    def _write_record(self, task, stage, curve):
        files = VersionPaths(Path(task.version))
        TrialRecord(
            number=task.number,
            version=files.folder.name,
            constants=task.values,
            seed=0,
            stage=stage,
            attempt=task.attempt,
            pid=1,
            host="node",
            started=0.0,
            curve=curve,
            devices=None,
            ready=True,
        ).write_record(files)

    def run_baseline(self, value=0.5):
        assert self.begin().number == 0
        self.end(0, value)

    def write_raw(self, name, raw):
        """Write a file where requests lie."""
        self.requests.make_folder()
        path = self.requests.folder / name
        path.write_bytes(raw if isinstance(raw, bytes) else json.dumps(raw).encode())
        return path
