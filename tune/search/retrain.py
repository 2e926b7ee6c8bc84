"""Train recorded configurations again: under their own seed, to see if they come out again, and under fresh ones."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from tune.errors import NoRoomError, PauseError, RayLostError
from tune.paths import short
from tune.promotion.resolve import resolve
from tune.search.job import build_job
from tune.search.machines.cluster import local_cluster
from tune.search.rerun import Retraining, Run
from tune.search.spec import DRIVER_LOG
from tune.search.watch import watched
from tune.space.dimensions import Dimension
from tune.space.settings import AUTO
from tune.space.when import restored
from tune.trial.counted_fits import CountedFits
from tune.trial.mail import Epoch
from tune.trial.output import logged_to
from tune.trial.record import read_record
from tune.trial.room import folder_told
from tune.trial.surroundings import read_surroundings
from tune.trial.task import Task


def retrain(retraining: Retraining) -> bool:
    """Train; what came of it is in the versions. Return whether all came to their end, failed ones too.

    Raises PauseError where the disk is full, or a node does not see the experiment; what has not ended goes on later.
    """
    if not retraining.runs:
        return True
    space, program = retraining.space, retraining.snapshot.stored
    promoted = resolve(space, program)
    job = build_job(space, program, promoted, retraining.snapshot.folder, retraining.resources)
    known = read_surroundings(retraining.paths)
    trained = read_record(retraining.paths.version(retraining.runs[0].outcome.version))
    job = replace(
        job,
        program=retraining.snapshot.program,
        folder=retraining.folder,
        surroundings=known,
        counted=None if trained is None else trained.counted_fits,
        checkpoints=AUTO if job.checkpoints == "none" else job.checkpoints,  # a trial is trained again for its weights
    )
    director = _Director(retraining, {item.key: item.dimension for item in promoted})
    cluster = local_cluster(retraining.resources, on_stuck=partial(_end_without_ray, retraining))
    with logged_to(retraining.paths.folder / DRIVER_LOG), cluster:
        from tune.search.lead import run_trials

        retraining.on_start()
        stuck = partial(_end_without_ray, retraining)
        run_trials(watched(director, retraining.watch), job, retraining.resources, stuck)
    if director.full is not None:
        raise director.full
    return not director.ending


def _end_without_ray(retraining: Retraining, how: str) -> None:
    from tune.search.machines.ray_watch import end_process

    hint = "What was written is whole. Give the same command again: it goes on."
    end_process(RayLostError(short(retraining.paths.folder), how, hint))


class _Director:
    """Hands out a list of runs, and stops nothing."""

    def __init__(self, retraining: Retraining, dimensions: Mapping[str, Dimension]) -> None:
        self._retraining = retraining
        self._dimensions = dimensions
        self._waiting = deque(retraining.runs)
        self._running: dict[str, Run] = {}
        self.ending = False
        self.full: PauseError | None = None

    @property
    def finished(self) -> bool:
        """A run that ends may ask for another one."""
        return self.ending or not (self._waiting or self._running)

    @property
    def aborted(self) -> bool:
        return False

    @property
    def runs_preflight(self) -> bool:
        return False

    def end(self) -> None:
        self.ending = True

    def next_task(self, trial_id: str) -> Task | None:
        if self.ending or not self._waiting or len(self._running) >= self._retraining.resources.at_a_time:
            return None
        run = self._waiting.popleft()
        self._running[trial_id] = run
        return Task(
            number=run.number,
            version=str(run.files.folder),
            seed=run.request.seed,
            reseed=run.request.fresh,
            values={name: restored(self._dimensions[name], value) for name, value in run.outcome.values.items()},
            hardcoded=run.outcome.is_baseline,
            attempt=run.attempt,
            judged_at=(),
        )

    def preflight_passed(self, counted: CountedFits | None) -> None:
        pass  # no retraining has a pre-flight

    def report(self, trial_id: str, epochs: Sequence[Epoch]) -> bool:
        return self.ending and not epochs[-1].last

    def pause(self, trial_id: str, error: PauseError) -> None:
        self.full = error
        self.end()

    def ended(self, trial_id: str, *, death: str | None, rest: Sequence[Epoch] = (), is_refused: bool = False) -> None:
        run = self._running.pop(trial_id, None)
        if run is None:
            return
        record = read_record(run.files)
        died = death is not None and (record is None or record.stage != "failed")
        if died and run.attempt <= self._retraining.space.settings.max_failures:
            self._waiting.appendleft(replace(run, attempt=run.attempt + 1))
            return
        try:
            with folder_told(self._retraining.paths.folder):
                more = self._retraining.on_end(run)
        except NoRoomError as error:
            self.pause(trial_id, error)
            return
        if more is not None:
            self._waiting.append(more)
