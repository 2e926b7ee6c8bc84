"""The actor of a place for trials, as Ray Tune calls it: it gives each trial a process.

It is light. Ray Tune wants a class below its own ``Trainable`` in the driver; a worker that would import that class
would import Ray Tune, with pandas and pyarrow: 0.7 s and 80 MB for each place. So the class has that base where Ray
Tune is imported already, which is in the driver, and defines all that Ray Tune's controller calls.
"""

import contextlib
import hashlib
import os
import pickle
import platform
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray._raylet import setproctitle  # type: ignore[attr-defined]
from ray.actor import _modify_class
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from tune.errors import StartError
from tune.experiment.records import CHECKING, device_name
from tune.internals.ray_internals import NAMESPACE, publish_preflight_result, read_preflight_result, wait_for_preflight
from tune.paths import VersionPaths, atomic_write
from tune.trial.gpu.gpu_sampler import GpuSampler
from tune.trial.lightning.profiler import create_stopwatch
from tune.trial.messages import Job, TrialTask, find_unshared_error, localize_job
from tune.trial.process.channel import DONE, EPOCHS, NO_ROOM, READY, TrialStart, trial_environment
from tune.trial.process.client import ForkSource, StartSource, may_fork
from tune.trial.process.linux import find_raylet, is_alive
from tune.trial.process.program_imports import find_top_level_imports
from tune.trial.process.watched import ENDED, WatchedProcess, create_temporary_folder

TICK_S = 0.5
EXIT_STATUS = 70


def watch_raylet() -> None:
    """End this process when its raylet is gone; for a thread. Ray's own check takes some seconds."""
    raylet, parent = find_raylet(), os.getppid()
    while os.getppid() == parent and is_alive(raylet):
        time.sleep(TICK_S)
    os._exit(EXIT_STATUS)


TRAINABLE: Any = sys.modules["ray.tune"].Trainable if "ray.tune" in sys.modules else object

TASK, JOB, SERVER, SHARE = "task", "job", "server", "share"
"""The keys of a trial's Ray config: the task, where its job is, its process server's socket, and what it takes."""
REFUSED = "refused"
"""The key of the last result of a trial that was not begun, for the device of its place is left out."""
HOLD_S, MOST_HOLD_S = 1.0, 30.0
"""How long a place on such a device keeps a trial: twice as long each time, so that others take it."""
PLACED = "placed"
"""The key of the first result of a trial with a GPU, that is no epoch: the device, ``host:device``."""
REST, DIED = "rest", "died"
"""Keys of the last result of a trial: the epochs that were not told before; how its process died."""
UNSHARED = "unshared"
"""The one key of a result that is no epoch: what UnsharedError is made of. NO_ROOM is another."""
NAME_LETTERS = 12
"""Of the name of a node's process server, in the paths of what trials have below it: those of sockets are short."""
LAST_STOP_S = 12
"""How long the last trial of an actor may take to end: Ray ends the actor after some 15 s."""


@contextlib.contextmanager
def publish_job(job: Job, is_lost: Callable[[], bool]) -> Iterator[str]:
    """Leave a job in Ray's key-value store meanwhile, and give the name that it has there: actors fetch it once.

    Where Ray ``is_lost`` it would be waited for.
    """
    name = f"job-{secrets.token_hex(8)}"
    _internal_kv_put(name.encode(), cloudpickle.dumps(job), namespace=NAMESPACE)
    try:
        yield name
    finally:
        if not is_lost():
            with contextlib.suppress(Exception):  # what went wrong is to be heard
                _internal_kv_del(name.encode(), namespace=NAMESPACE)


def fetch_job(name: str) -> Job:
    """Return a job that the driver left."""
    found = _internal_kv_get(name.encode(), namespace=NAMESPACE)
    if found is None:
        raise RuntimeError(f"{name} is gone: its driver has ended")
    job: Job = cloudpickle.loads(found)
    return job


def write_job_file(folder: Path, name: str, job: Job) -> Path:
    """Return the file of a job in a folder of one's own, written where there is none."""
    file = folder / name
    if not file.exists():
        with atomic_write(file) as aside:
            aside.write_bytes(pickle.dumps(job))
    return file


class TrialTrainable(TRAINABLE):
    """Runs trials of one job, each in a process of its own."""

    def __init__(self, config: dict[str, Any], storage: Any = None) -> None:
        self.config = config
        self._n_results = 0
        self._job = localize_job(fetch_job(config[JOB]))
        self._stopwatch = create_stopwatch(self._job.session)
        server = None if config[SERVER] is None else Path(config[SERVER])
        place = f"{config[JOB]} on {ray.get_runtime_context().get_node_id()}"
        name = hashlib.sha256(place.encode()).hexdigest()[:NAME_LETTERS]
        self._source = ForkSource(server, name) if may_fork() else StartSource()
        self._sampler: GpuSampler | None = None
        self._process: WatchedProcess | None = None
        self._last_epoch_at: float | None = None
        self._asks = False
        self._hold_s = HOLD_S
        self._place = {"pid": os.getpid(), "hostname": platform.node(), "node_ip": ray.util.get_node_ip_address()}
        threading.Thread(target=watch_raylet, name="raylet", daemon=True).start()

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> Any:
        """Return what a trial takes; Ray Tune calls it in the driver."""
        from ray.tune import PlacementGroupFactory

        return PlacementGroupFactory([{name: number for name, number in config[SHARE].items() if number}])

    def __repr__(self) -> str:
        """Name the actor in the Ray dashboard after its version: its first, as Ray asks once (ray#36570)."""
        return self._version.folder.name

    @property
    def _task(self) -> TrialTask:
        task: TrialTask = self.config[TASK]
        return task

    @property
    def _version(self) -> VersionPaths:
        return VersionPaths(Path(self._task.version))

    @property
    def _device(self) -> str:
        """The GPUs of this place: ``host:device``."""
        return device_name(platform.node(), os.environ.get("CUDA_VISIBLE_DEVICES"))

    def train(self) -> dict[str, Any]:
        """Return what the trial says next; where it said something before, it goes on."""
        self._n_results += 1
        setproctitle(f"ray::{self._version.folder.name}")  # Ray gives each call its name
        result = self._next_result()
        return {"done": False, "training_iteration": self._n_results, **result, **self.get_auto_filled_metrics()}

    def _next_result(self) -> dict[str, Any]:
        if self._process is None:
            refusal = self._start_process()
            if refusal is not None:
                return refusal
            if self.config[SHARE].get("GPU"):
                return {PLACED: self._device}
        elif self._asks:
            self._process.answer_report(stop=False)
        assert self._process is not None
        while True:
            what, *content = self._process.next_message()
            if what == READY:
                self._publish_preflight_result(*content)
                return {READY: [content[1]]}  # Ray would flatten a dict
            self._asks = what == EPOCHS
            if what == EPOCHS:
                self._last_epoch_at = content[0][-1][4] or self._last_epoch_at
                return {EPOCHS: content[0]}
            if what == DONE:
                rest, lap_ended = content
                self._stopwatch.take_back(*lap_ended)
                self._last_epoch_at = rest[-1][4] or self._last_epoch_at if rest else self._last_epoch_at
                return {"done": True, REST: rest}
            if what == NO_ROOM:
                return {NO_ROOM: content[0]}
            assert what == ENDED
            return {"done": True, DIED: content[0] or ""}

    def _start_process(self) -> dict[str, Any] | None:
        """Start the trial's process; return the result where there is none to be started."""
        task = self._task
        if self._device in task.left_out:
            time.sleep(self._hold_s)
            self._hold_s = min(2 * self._hold_s, MOST_HOLD_S)
            return {"done": True, REFUSED: True}
        if (stranger := find_unshared_error(self._job)) is not None:
            return {UNSHARED: stranger.args}
        if (counted := self._job.counted) is not None:
            one = counted.of_one_seed(self._job.seeds_per_trial) if task.reseed else counted
            self._counted: Mapping[str, Any] | None = one.as_json()
        elif task.gated:
            with self._stopwatch.time_part(CHECKING):
                self._counted = wait_for_preflight(self._job.gate)
            if self._counted is None:
                return {"done": True, REST: []}
        else:
            self._counted = None if task.preflight else read_preflight_result(self._job.gate)
        try:
            process = self._source.take_process(self._template_spec)
        except StartError as error:
            return {"done": True, DIED: error.what}
        if self._sampler is None and self.config[SHARE].get("GPU"):
            self._sampler = GpuSampler(self._source.folder)  # the node's, now that it has a server
            self._sampler.start()
        temporary = create_temporary_folder(self._source.folder)
        with contextlib.suppress(OSError):  # it is gone: that is its end
            process.connection.send(self._first_message(temporary))
        self._process = WatchedProcess(process, temporary, self._version, task.attempt, self._job.hang_after_s)
        return None

    def _template_spec(self, folder: Path) -> tuple[Path, dict[str, str | None]]:
        return write_job_file(folder, self.config[JOB], self._job), dict.fromkeys(
            find_top_level_imports(self._job.program)
        )

    def _first_message(self, temporary: str | None) -> TrialStart:
        # Ray may not know of a GPU that a Trainer is told to use, as where NVML does not answer
        sees_gpus = bool(self.config[SHARE].get("GPU")) or self._job.trainer.get("accelerator") != "cpu"
        return TrialStart(
            environment=trial_environment(os.environ, self._job.n_threads, sees_gpus=sees_gpus),
            niceness=os.getpriority(os.PRIO_PROCESS, 0),
            temporary=temporary,
            job=str(write_job_file(self._source.folder, self.config[JOB], self._job)),
            task=self._task,
            worker=f"{platform.node()}:{os.getpid()}",
            counted=self._counted,
            before=self._last_epoch_at,
            stopwatch=self._stopwatch.hand_over(),
            gpu_samples=None if self._sampler is None else str(self._sampler.file),
        )

    def _publish_preflight_result(self, packages: dict[str, str | None], counted: Mapping[str, Any]) -> None:
        """Let the other trials begin; the template that imports what the program imports is asked for first."""
        self._source.request_template(write_job_file(self._source.folder, self.config[JOB], self._job), packages)
        publish_preflight_result(self._job.gate, counted)

    def request_stop(self) -> None:
        """Answer the trial's last report with a stop; called between two results, for Ray's own stop comes later."""
        if self._process is not None and self._asks:
            self._asks = False
            self._process.answer_report(stop=True)

    def reset(self, new_config: dict[str, Any], storage: Any = None) -> bool:
        """Wait for the end of the last trial's process, and take the next trial."""
        self._leave_trial(None)
        self.config = new_config
        self._n_results = 0
        return True

    def stop(self) -> None:
        """Let the last trial end before the actor does, for some time."""
        self._leave_trial(LAST_STOP_S)
        if self._sampler is not None:
            self._sampler.close()
        self._source.close()

    def _leave_trial(self, timeout_s: float | None) -> None:
        if self._process is not None:
            self.request_stop()
            if not self._process.ended.wait(timeout_s):
                self._process.kill()
            self._process = None

    def get_auto_filled_metrics(self, debug_metrics_only: bool = False, **_: Any) -> dict[str, Any]:
        """Return what Ray Tune's controller reads of each result beside ours."""
        return dict(self._place)

    def get_current_ip_pid(self) -> tuple[str, int]:
        """Return where the actor is."""
        return str(self._place["node_ip"]), os.getpid()


TrialTrainable = _modify_class(TrialTrainable)  # type: ignore[misc]
"""The class as Ray would make it of any actor's. Made here, in both processes, it crosses by its name; Ray's own would
cross by value, with all that the driver's class inherits."""
TrialTrainable.__name__ = TrialTrainable.__qualname__ = "TrialTrainable"
