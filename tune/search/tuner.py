"""Ray Tune's Tuner over a director: the only place where trials are run."""

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import partial

import ray
from ray.train._internal.storage import StorageContext
from ray.tune import CheckpointConfig, RunConfig, TuneConfig
from ray.tune.execution import class_cache
from ray.tune.experiment.trial import _TrialInfo

from tune.errors import RayLostError
from tune.promotion.pause import collector_resumed
from tune.search.director import Director
from tune.search.machines.client import tuner_here
from tune.search.machines.interrupts import interrupts_end
from tune.search.machines.process_server import server_of
from tune.search.machines.ray_watch import is_lost, ray_watched
from tune.search.machines.resources import Resources
from tune.search.machines.scratch import ray_scratch
from tune.search.ray_doors import SchedulerDoor, SearcherDoor, StopperDoor
from tune.trial.posted import posted
from tune.trial.process.client import job_file, prepare_template
from tune.trial.process.packages import imported_first
from tune.trial.replaced import replaced
from tune.trial.task import Job
from tune.trial.trainable import JOB, SERVER, SHARE, TrialTrainable


def run_trials(
    director: Director, job: Job, resources: Resources, on_stuck: Callable[[str], None] = lambda how: None
) -> None:
    """Run what the director hands out; Ray's own files go to a temporary folder.

    ``on_stuck`` is told in another thread that Ray died, and that this function will not return.
    """
    died: list[str] = []

    def lost(how: str) -> None:
        died.append(how)
        director.end()

    try:
        with ray_watched(lost, on_stuck):
            _run_trials(director, job, resources)
    except BaseException:  # of Ray's, that misses its process, or the interrupt
        if not died:
            raise
    if died:
        hint = "What had ended is kept, and what ran goes on from its checkpoint."
        director.pause("", RayLostError(None, died[0], hint))


def _end_by_signal(director: Director) -> None:
    """Let the running trials end after their epoch; interrupt a pre-flight, which has none, as a second signal does."""
    director.end()
    if director.runs_preflight:
        raise KeyboardInterrupt


def _run_trials(director: Director, job: Job, resources: Resources) -> None:
    share = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    with (
        ray_scratch() as scratch,
        tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder,
        tuner_here(folder) as tuner,
        posted(job, is_lost) as place,
        server_of(resources) as server,
        _left_out(),
        _no_runtime_environment(),
        _quiet(),
        collector_resumed(),
        interrupts_end(partial(_end_by_signal, director)),
    ):
        if server is not None:
            packages = dict.fromkeys(imported_first(job.program))
            with contextlib.suppress(OSError):  # where it is gone, the actors start another
                prepare_template(server, job_file(server.parent, place, job), packages, warm=False)
        config = {JOB: place, SERVER: None if server is None else str(server), SHARE: share}
        tuner(
            trainable=TrialTrainable,
            tune_config=TuneConfig(
                search_alg=SearcherDoor(director, config),
                scheduler=SchedulerDoor(director),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=_dirname,
            ),
            run_config=RunConfig(
                name="trials",
                storage_path=folder,
                stop=StopperDoor(director),
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),  # a trial writes its own
                verbose=0,
            ),
        ).fit()


def _dirname(trial: object) -> str:
    return str(getattr(trial, "trial_id", trial))


@contextlib.contextmanager
def _left_out() -> Iterator[None]:
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
    """Give actors the workers that Ray started ahead: they lack ``PL_DISABLE_FORK``, which Ray Tune asks for.

    It is for programs in an actor (ray#28197); ours have processes of their own.
    """
    known = hasattr(class_cache, "DEFAULT_ENV_VARS")
    with replaced(class_cache, "DEFAULT_ENV_VARS", {}) if known else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Ray Tune's error for each failed trial and its warning for each trial: ours are in the ledger."""
    logger = logging.getLogger("ray.tune")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
