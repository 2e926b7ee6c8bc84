"""Train recorded configurations again: under their own seed, or under fresh ones."""

import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tune.cluster.backend import local_cluster
from tune.cluster.resources import Resources
from tune.errors import NoRoomError, PauseError, RayLostError
from tune.experiment.counted_fits import CountedFits
from tune.experiment.environment import read_environment
from tune.experiment.proposal_note import SearchPause
from tune.experiment.records import RetrainRequest, read_record
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths, VersionPaths, display_path
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import Snapshot
from tune.search.controller_api import SearchListener, notify_listeners
from tune.search.search_plan import build_job
from tune.search.spec import DRIVER_LOG
from tune.search.study.version_folders import version_name
from tune.space.conditions import restore_value
from tune.space.dimensions import Dimension
from tune.space.settings import AUTO
from tune.space.space import Space
from tune.trial.disk_space import translate_folder_errors
from tune.trial.messages import EpochReport, TrialTask
from tune.trial.process.output import redirect_output
from tune.trial.trackers.close_runs import start_closing_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRun:
    """One training."""

    request: RetrainRequest
    files: VersionPaths
    """The folder is there, with the request in it."""
    outcome: TrialResult
    """The trial whose configuration it is."""
    attempt: int = 1
    """Above 1 it goes on from its last checkpoint."""
    evaluates: bool = True
    """Whether data that the search never saw are looked at."""

    @property
    def number(self) -> int:
        """That its version begins with."""
        return int(self.files.folder.name.partition(",")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """What to train again."""

    space: Space
    """As the experiment ran it, with what the command line changed."""
    snapshot: Snapshot
    """The source to run."""
    paths: ExperimentPaths
    folder: Path
    """The working directory."""
    resources: Resources
    runs: tuple[RetrainRun, ...]
    on_end: Callable[[RetrainRun], Sequence[RetrainRun]] = field(default=lambda run: ())
    """Hears of each run that ended, and may answer with more."""
    listeners: Sequence[SearchListener] = ()
    """Called for all but the end of a run."""
    is_steered: bool = False
    """Whether this process holds the experiment, and answers what is asked of its search."""


def retrain_name(number: int, request: RetrainRequest, outcome: TrialResult) -> str:
    """Return a version's name under ``retrain/``: ``003,seed=2,LR=0.0032`` where the seed is not the trial's own."""
    seed = {"seed": request.seed} if request.fresh else {}
    if outcome.is_baseline:
        return f"{version_name(number, {})},seed={request.seed}" if request.fresh else version_name(number, {})
    return version_name(number, {**seed, **outcome.values})


def run_retraining(retraining: Retraining) -> bool:
    """Train; what came of it is in the versions. Return whether all came to their end, failed ones too.

    Raises PauseError where the disk is full, or a node does not see the experiment; what has not ended goes on later.
    """
    if not retraining.runs:
        return True
    space, program = retraining.space, retraining.snapshot.stored_program
    promoted = resolve_constants(space, program)
    job = build_job(space, program, promoted, retraining.snapshot.folder, retraining.resources)
    known = read_environment(retraining.paths)
    trained = read_record(retraining.paths.version(retraining.runs[0].outcome.version))
    job = replace(
        job,
        program=retraining.snapshot.program,
        folder=retraining.folder,
        surroundings=known,
        counted=None if trained is None else trained.counted_fits,
        checkpoints=AUTO if job.checkpoints == "none" else job.checkpoints,  # a trial is trained again for its weights
    )
    controller = _RetrainController(retraining, {item.key: item.dimension for item in promoted})
    cluster = local_cluster(retraining.resources, on_stuck=partial(_end_without_ray, retraining))
    with redirect_output(retraining.paths.folder / DRIVER_LOG), cluster:
        from tune.search.ray_tune import run_trials

        notify_listeners(retraining.listeners, SearchListener.on_ray_start)
        try:
            run_trials(controller, job, retraining.resources, partial(_end_without_ray, retraining))
        finally:
            with contextlib.suppress(PauseError, OSError):  # no room, or no folder
                controller.change_pause(None)
    if controller.full is not None:
        raise controller.full
    return not controller.is_interrupted


def _end_without_ray(retraining: Retraining, how: str) -> None:
    from tune.cluster.ray_health import end_process

    hint = "What was written is whole. Give the same command again: it goes on."
    end_process(RayLostError(display_path(retraining.paths.folder), how, hint))


class _RetrainController:
    """Hands out a list of runs, and stops nothing."""

    def __init__(self, retraining: Retraining, dimensions: Mapping[str, Dimension]) -> None:
        self._retraining = retraining
        self._dimensions = dimensions
        self._waiting = deque(retraining.runs)
        self._running: dict[str, RetrainRun] = {}
        self._requests = None
        if retraining.is_steered:
            from tune.search.steering.retrain_request_handler import RetrainRequestHandler

            self._requests = RetrainRequestHandler(retraining.paths)
        self.is_end_requested = False
        self.is_finishing = False
        self.pause: SearchPause | None = None
        self.full: PauseError | None = None

    @property
    def has_finished(self) -> bool:
        """A run that ends may ask for others."""
        return self.is_end_requested or not ((self._waiting and not self.is_finishing) or self._running)

    @property
    def is_interrupted(self) -> bool:
        return self.is_end_requested or (self.is_finishing and bool(self._waiting))

    @property
    def is_aborted(self) -> bool:
        return False

    @property
    def runs_preflight(self) -> bool:
        return False

    def request_end(self) -> None:
        self.is_end_requested = True
        notify_listeners(self._retraining.listeners, SearchListener.on_search_ending)

    def finish_running(self) -> None:
        self.is_finishing = True

    def change_pause(self, pause: SearchPause | None) -> None:
        if pause == self.pause:
            return
        from tune.search.study.journal import open_study
        from tune.search.study.study_notes import StudyNotes

        StudyNotes(open_study(self._retraining.paths)).note_pause(pause)
        self.pause = pause
        notify_listeners(self._retraining.listeners, SearchListener.on_pause, pause)

    def handle_requests(self) -> None:
        if self._requests is not None and not self.is_end_requested:
            self._requests.poll(self)

    def next_task(self, trial_id: str) -> TrialTask | None:
        n_places = self._retraining.resources.at_a_time - len(self._running)
        is_held = self.is_end_requested or self.is_finishing or self.pause is not None
        if is_held or not self._waiting or n_places <= 0:
            return None
        run = self._waiting.popleft()
        self._running[trial_id] = run
        task = TrialTask(
            number=run.number,
            version=str(run.files.folder),
            seed=run.request.seed,
            reseed=run.request.fresh,
            values={name: restore_value(self._dimensions[name], value) for name, value in run.outcome.values.items()},
            hardcoded=run.outcome.is_baseline,
            attempt=run.attempt,
            judged_at=(),
            evaluates=run.evaluates,
        )
        notify_listeners(self._retraining.listeners, SearchListener.on_trial_start, task)
        return task

    def on_trial_placed(self, trial_id: str, device: str) -> None:
        pass  # nothing is decided by where a trial runs

    def on_preflight_passed(self, counted: CountedFits | None) -> None:
        pass  # no retraining has a pre-flight

    def receive_epochs(self, trial_id: str, epochs: Sequence[EpochReport]) -> bool:
        self._announce_epochs(self._running[trial_id], epochs)
        return self.is_end_requested and not epochs[-1].last

    def _announce_epochs(self, run: RetrainRun, epochs: Sequence[EpochReport]) -> None:
        for epoch in epochs:
            notify_listeners(self._retraining.listeners, SearchListener.on_epoch, run.number, epoch)

    def pause_search(self, trial_id: str, error: PauseError) -> None:
        self.full = error
        self.request_end()

    def on_trial_end(
        self, trial_id: str, *, death: str | None, rest: Sequence[EpochReport] = (), is_refused: bool = False
    ) -> None:
        run = self._running.pop(trial_id, None)
        if run is not None:
            self._announce_epochs(run, rest)
            self._end_run(run, trial_id, death)
            notify_listeners(self._retraining.listeners, SearchListener.on_worker_free, run.number)

    def _end_run(self, run: RetrainRun, trial_id: str, death: str | None) -> None:
        record = read_record(run.files)
        died = death is not None and (record is None or record.stage != "failed")
        if died and run.attempt <= self._retraining.space.settings.max_failures:
            self._waiting.appendleft(replace(run, attempt=run.attempt + 1))
            return
        if not died and self.is_end_requested and (record is None or record.stage not in ("complete", "failed")):
            return  # it was interrupted, and goes on later
        if died:
            start_closing_runs(run.files, self._retraining.space.mode, self._retraining.folder)
        try:
            with translate_folder_errors(self._retraining.paths.folder):
                more = self._retraining.on_end(run)
        except NoRoomError as error:
            self.pause_search(trial_id, error)
            return
        self._waiting.extend(more)
