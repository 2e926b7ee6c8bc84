"""Ray Tune's Tuner, searcher, scheduler and stopper over a controller: the only place where trials are run.

Ray pickles all three, for a file that we do not need: they pickle to nothing.
"""

import contextlib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import ray
from ray.train._internal.storage import StorageContext
from ray.tune import Callback, CheckpointConfig, CLIReporter, RunConfig, Stopper, Trainable, TuneConfig
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial
from ray.tune.experiment.trial import _TrialInfo
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tune.cluster.process_server import ray_temp_folder, server_socket
from tune.cluster.ray_health import StartLimit, is_lost, is_ray_ours, wait_for_loss, watch_ray
from tune.cluster.resources import Resources
from tune.cluster.signals import end_on_interrupt, reinstall_handlers
from tune.errors import NoRoomError, RayLostError, UnsharedError
from tune.experiment.counted_fits import read_counted_fits
from tune.gc_control import collector_resumed
from tune.internals.private_apis import patch_attribute
from tune.internals.ray_internals import keep_tuner_local
from tune.search.controller_api import TrialController
from tune.trial.messages import EpochReport, Job, TrialTask
from tune.trial.process.channel import EPOCHS, NO_ROOM, READY
from tune.trial.process.client import prepare_template
from tune.trial.process.program_imports import find_top_level_imports
from tune.trial.trainable import (
    DIED,
    JOB,
    PLACED,
    REFUSED,
    REST,
    SERVER,
    SHARE,
    TASK,
    TRAINABLE,
    UNSHARED,
    TrialTrainable,
    publish_job,
    write_job_file,
)

assert TRAINABLE is Trainable, "tune.trial.trainable was imported before Ray Tune, and cannot be run by it"

PAUSES = {NO_ROOM: NoRoomError, UNSHARED: UnsharedError}


class _ControllerAdapter:
    def __init__(self, controller: TrialController) -> None:
        self._controller = controller

    def __getstate__(self) -> dict[str, Any]:
        return {}


class ControllerSearcher(_ControllerAdapter, Searcher):
    """Hands out trials."""

    def __init__(self, controller: TrialController, config: Mapping[str, Any]) -> None:
        """``config``: what each trial's has beside its task."""
        Searcher.__init__(self)
        _ControllerAdapter.__init__(self, controller)
        self._config = dict(config)
        self._is_first = True

    def suggest(self, trial_id: str) -> Any:
        """Return a trial's config, None while there is no room, or FINISHED.

        Requests are looked at here too: while nothing runs, as in a pause, one step of Ray Tune asks once a second.
        """
        if self._is_first:
            self._is_first = False
            reinstall_handlers()
        self._controller.handle_requests()
        task = self._controller.next_task(trial_id)
        if task is not None:
            return {**self._config, TASK: task, SHARE: self._share_of(task)}
        return Searcher.FINISHED if self._controller.has_finished else None

    def _share_of(self, task: TrialTask) -> dict[str, float]:
        share: dict[str, float] = self._config[SHARE]
        return share if task.gpu_share is None else {**share, "GPU": task.gpu_share}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear that a trial ended; stopped and finished look alike here, the controller knows.

        Where its actor died with Ray it goes on later, and no death is counted.
        """
        if error and wait_for_loss():
            return
        last = result or {}
        death = "" if error else last.get(DIED)
        rest = _decode_epochs(last.get(REST, ()))
        self._controller.on_trial_end(trial_id, death=death, rest=rest, is_refused=last.get(REFUSED, False))

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Do nothing: the controller counts."""
        return True

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is the state."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Do nothing: the ledger is the state."""


class ControllerScheduler(_ControllerAdapter, FIFOScheduler):
    """Passes epochs on, and each decision back; Ray's searcher would not hear of a stopped trial's last epoch."""

    def __init__(self, controller: TrialController) -> None:
        FIFOScheduler.__init__(self)
        _ControllerAdapter.__init__(self, controller)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Leave it to Ray, which starts trials in their order.

        Ray's schedulers name the oldest trial whose actor still starts. Ray would then give it the actor that becomes
        free, and end the one that starts: with short trials again and again. And it would look through all trials
        twice at each step.
        """
        return None

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Let Ray forget the trials that ended before this one."""
        _drop_finished_trials(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Let Ray forget the others that ended: this one it may start again, when its node was preempted, say."""
        _drop_finished_trials(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> Any:
        """Decide about a trial after one epoch, or after several that were told together."""
        for key, kind in PAUSES.items():
            if key in result:
                self._controller.pause_search(trial.trial_id, kind(*result[key]))
                return _stop_trial(trial)
        if PLACED in result:
            self._controller.on_trial_placed(trial.trial_id, result[PLACED])
            return TrialScheduler.CONTINUE
        if READY in result:
            self._controller.on_preflight_passed(read_counted_fits(result[READY][0]))
            return TrialScheduler.CONTINUE
        stops = self._controller.receive_epochs(trial.trial_id, _decode_epochs(result[EPOCHS]))
        return _stop_trial(trial) if stops else TrialScheduler.CONTINUE


def _decode_epochs(told: Iterable[tuple[Any, ...]]) -> list[EpochReport]:
    return [EpochReport(*each) for each in told]


def _stop_trial(trial: Trial) -> Any:
    """Stop a trial, and call its actor: Ray would do so only once it has another trial for the actor."""
    worker = trial.temporary_state.ray_actor
    if worker is not None:
        worker.request_stop.remote()
    return TrialScheduler.STOP


def _drop_finished_trials(controller: Any, this: Trial) -> None:
    """Drop what Ray keeps of trials that are over, most of what one leaves in the driver: the ledger has them.

    At the end Ray would write all of them down, too. Its list is replaced, for it may be going through the old one.
    """
    with contextlib.suppress(AttributeError):  # another Ray
        over = {trial for trial in controller._trials if trial is not this and trial.is_finished()}  # noqa: SLF001
        controller._trials = [trial for trial in controller._trials if trial not in over]  # noqa: SLF001
        for name in ("_live_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache"):
            getattr(controller, name).difference_update(over)


class ControllerStopper(_ControllerAdapter, Stopper):
    """Ends everything when the pre-flight failed, or found no room."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial: that is the scheduler's."""
        return False

    def stop_all(self) -> bool:
        """Tell whether every running trial is to end."""
        return self._controller.is_aborted


class ControllerCallback(_ControllerAdapter, Callback):
    """Lets the controller look between two steps of Ray Tune's loop: a tenth of a second at most, while trials run.

    Knows too whether Ray is waited for: until it has started an actor, unless no trial is wanted, as in a pause.
    """

    def __init__(self, controller: TrialController, limit: StartLimit | None) -> None:
        """``limit``: None where Ray is a cluster's, whose nodes may have to be started, or others' trials to end."""
        super().__init__(controller)
        self._limit = limit

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Do what other processes ask for."""
        if self._limit is not None:
            self._limit.is_waiting = any(trial.status == Trial.PENDING for trial in trials)
        self._controller.handle_requests()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Hear that a trial has its actor."""
        if self._limit is not None:
            self._limit.is_waiting, self._limit = False, None


def run_trials(
    controller: TrialController, job: Job, resources: Resources, on_stuck: Callable[[str], None] = lambda how: None
) -> None:
    """Run the tasks of the controller; Ray's own files go to a temporary folder.

    ``on_stuck`` is told in another thread that Ray died, and that this function will not return.
    """
    died: list[str] = []
    limit = StartLimit("actor") if is_ray_ours() else None

    def on_lost(how: str) -> None:
        died.append(how)
        controller.request_end()

    try:
        with watch_ray(on_lost, on_stuck, limit):
            _run_trials(controller, job, resources, limit)
    except BaseException:  # of Ray's, that misses its process, or the interrupt
        if not died:
            raise
    is_early = not controller.has_finished and not controller.is_aborted
    how = died[0] if died else "Ray Tune ended before the search did" if is_early else None
    if how is not None:
        hint = "What had ended is kept, and what ran goes on from its checkpoint."
        controller.pause_search("", RayLostError(None, how, hint))


def _end_by_signal(controller: TrialController) -> None:
    """Let the running trials end after their epoch; interrupt a pre-flight, which has none, as a second signal does."""
    controller.request_end()
    if controller.runs_preflight:
        raise KeyboardInterrupt


def _run_trials(controller: TrialController, job: Job, resources: Resources, limit: StartLimit | None) -> None:
    share = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    with (
        ray_temp_folder() as scratch,
        tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder,
        keep_tuner_local(folder) as tuner,
        publish_job(job, is_lost) as place,
        server_socket(resources) as server,
        _omit_ray_objects(),
        _no_runtime_environment(),
        _silence_ray_tune(),
        collector_resumed(),
        end_on_interrupt(partial(_end_by_signal, controller)),
    ):
        if server is not None:
            packages = dict.fromkeys(find_top_level_imports(job.program))
            with contextlib.suppress(OSError):  # where it is gone, the actors start another
                prepare_template(server, write_job_file(server.parent, place, job), packages, warm=False)
        config = {JOB: place, SERVER: None if server is None else str(server), SHARE: share}
        tuner(
            trainable=TrialTrainable,
            tune_config=TuneConfig(
                search_alg=ControllerSearcher(controller, config),
                scheduler=ControllerScheduler(controller),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(getattr(trial, "trial_id", trial)),
            ),
            run_config=RunConfig(
                name="trials",
                storage_path=folder,
                stop=ControllerStopper(controller),
                callbacks=[ControllerCallback(controller, limit)],
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),  # a trial writes its own
                verbose=0,
                progress_reporter=choose_reporter(),
            ),
        ).fit()


def choose_reporter() -> CLIReporter | None:
    """Return a reporter that is silent in a notebook; None: Ray Tune's own is.

    In a kernel Ray Tune would make one that clears the cell's output at once, whatever ``verbose`` says.
    """
    return CLIReporter() if "ipykernel" in sys.modules else None


@contextlib.contextmanager
def _omit_ray_objects() -> Iterator[None]:
    """Send actors nothing that Ray Tune adds to a trial's config: they would import Ray Tune to read it."""
    kinds = (StorageContext, _TrialInfo)
    for kind in kinds:
        ray.util.register_serializer(kind, serializer=lambda _: None, deserializer=lambda _: None)
    try:
        yield
    finally:
        for kind in kinds:
            ray.util.deregister_serializer(kind)


@contextlib.contextmanager
def _no_runtime_environment() -> Iterator[None]:
    """Give actors plain workers of Ray's, which lack ``PL_DISABLE_FORK``, a variable that Ray Tune asks for.

    It is for programs in an actor (ray#28197); ours have processes of their own.
    """
    known = hasattr(class_cache, "DEFAULT_ENV_VARS")
    with patch_attribute(class_cache, "DEFAULT_ENV_VARS", {}) if known else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _silence_ray_tune() -> Iterator[None]:
    """Silence Ray Tune's error for each failed trial and its warning for each trial: ours are in the ledger."""
    logger = logging.getLogger("ray.tune")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
