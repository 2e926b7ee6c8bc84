"""Ray Tune's Tuner over a director: the only place where trials are run."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator

from ray.tune import RunConfig, TuneConfig, with_resources

from tune.promotion.pause import collector_resumed
from tune.search.director import Director
from tune.search.machines.client import tuner_here
from tune.search.machines.resources import Resources
from tune.search.machines.scratch import ray_scratch
from tune.search.ray_doors import SchedulerDoor, SearcherDoor, StopperDoor
from tune.trial.posted import posted
from tune.trial.task import Job
from tune.trial.trainable import trainable_of


def run_trials(director: Director, job: Job, resources: Resources) -> None:
    """Run what the director hands out, on warm workers; Ray's own files go to a temporary folder."""
    share = {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial}
    with (
        ray_scratch() as folder,
        tuner_here(folder) as tuner,
        posted(job) as place,
        _quiet(),
        collector_resumed(),
        _politely_interrupted(director),
    ):
        tuner(
            trainable=with_resources(trainable_of(place), share),
            tune_config=TuneConfig(
                search_alg=SearcherDoor(director),
                scheduler=SchedulerDoor(director),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=_dirname,
            ),
            run_config=RunConfig(name="trials", storage_path=folder, stop=StopperDoor(director), verbose=0),
        ).fit()


def _dirname(trial: object) -> str:
    return str(getattr(trial, "trial_id", trial))


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


@contextlib.contextmanager
def _politely_interrupted(director: Director) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) end the search after the running epochs, the second at once."""

    def interrupt(signum: int, frame: object) -> None:
        if director.ending:
            raise KeyboardInterrupt
        director.end()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
