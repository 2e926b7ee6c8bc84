"""Which runs a retraining is made of, and which of them are there already."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tune.cluster.resources import Resources
from tune.errors import NoRoomError
from tune.experiment.environment import find_environment_changes, read_environment
from tune.experiment.lock import lock_on_this_machine, lock_verdicts
from tune.experiment.open import StoredExperiment
from tune.experiment.records import RetrainRequest, digest_of
from tune.experiment.trial_result import TrialResult
from tune.experiment.verdicts import VerdictRecord, find_verdict, write_verdict
from tune.paths import ExperimentPaths, VersionPaths, display_path
from tune.promotion.program import find_program
from tune.promotion.snapshot import Snapshot, take_snapshot
from tune.results.confirm.plan import build_request, choose_seeds, new_verdict
from tune.results.retrain_results import RetrainedVersion, compare_with_repetition, find_latest, read_retrained, seed_of
from tune.search.controller_api import SearchListener
from tune.search.retrain import Retraining, RetrainRun, retrain_name
from tune.search.search_plan import name_trial_gpus
from tune.space.space import Space
from tune.storage.driver_sync import upload_if_remote, upload_on_exit
from tune.trial.disk_space import translate_disk_full


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainPlan:
    """A retraining."""

    experiment: StoredExperiment
    space: Space
    """With what the command line changed."""
    snapshot: Snapshot
    resources: Resources
    trials: tuple[TrialResult, ...]
    """What is to be retrained; the hardcoded values, trained for comparison, are not among them."""
    seeds: tuple[int, ...]
    """The fresh ones."""
    verdict: VerdictRecord | None = None
    """What they are for, and how sure it has to be; None where nothing is compared."""
    requests: tuple[RetrainRequest, ...]
    """Every run that belongs to it."""
    reused: tuple[RetrainedVersion, ...]
    """Those that are there already."""
    runs: tuple[RetrainRun, ...]
    """Those to be run."""

    def build_retraining(
        self,
        on_end: Callable[[RetrainRun], Sequence[RetrainRun]],
        listeners: Sequence[SearchListener] = (),
        *,
        is_steered: bool = False,
    ) -> Retraining:
        """Return what the search side runs; the arguments are those of ``Retraining``."""
        return Retraining(
            space=self.space,
            snapshot=self.snapshot,
            paths=self.experiment.paths,
            folder=self.experiment.folder,
            resources=self.resources,
            runs=self.runs,
            on_end=on_end,
            listeners=listeners,
            is_steered=is_steered,
        )

    def find_own_run(
        self, trial: TrialResult, retrained: Sequence[RetrainedVersion], *, again: bool = False
    ) -> RetrainedVersion | None:
        """Return the run of a trial with its own seed; with ``again`` the one that repeats that."""
        own = next((each for each in self.requests if each.trial == trial.number and not each.fresh), None)
        return None if own is None else find_latest(retrained, replace(own, again=again))

    def plan_repetition(self, trial: TrialResult, found: RetrainedVersion) -> RetrainRun | None:
        """Return the same run again where a trial did not come out again, and nothing tells why."""
        if found.request.fresh or found.request.again or not found.is_complete:
            return None
        if not compare_with_repetition(self.experiment, trial, found).is_unexplained:
            return None
        request = replace(found.request, again=True)
        if (there := find_latest(read_retrained(self.experiment.paths), request)) is not None and there.is_complete:
            return None
        return _create_run(self.experiment, request, trial)


def plan_retraining(
    experiment: StoredExperiment,
    space: Space,
    resources: Resources,
    trials: Sequence[TrialResult],
    n_seeds: int,
    seed: int | None,
    *,
    current: bool,
) -> RetrainPlan:
    """Return the runs: each trial with its own seed, then each fresh seed with the hardcoded values and each trial."""
    snapshot, source = _choose_source(experiment, current=current)
    compared = [each for each in trials if not each.is_baseline]
    digest = digest_of(snapshot.stored_program)

    def request(trial: TrialResult, seed: int, *, fresh: bool) -> RetrainRequest:
        trainer = dict(space.settings.trainer)
        return RetrainRequest(trial=trial.number, seed=seed, fresh=fresh, trainer=trainer, source=source, digest=digest)

    with lock_verdicts(experiment.paths):
        seeds = choose_seeds(experiment, tuple(each.number for each in compared), n_seeds)
        asked = request(trials[0], 0, fresh=True)
        verdict = plan_verdict(experiment, asked, compared, seeds) if compared and seeds else None
    own = [(each, request(each, seed_of(experiment, each) if seed is None else seed, fresh=False)) for each in trials]
    baseline = [each for each in experiment.trials if each.is_baseline]
    fresh = [(each, request(each, at, fresh=True)) for at in seeds for each in (*baseline, *compared)]
    planned = RetrainPlan(
        experiment=experiment,
        space=space,
        snapshot=snapshot,
        resources=resources,
        trials=tuple(trials),
        seeds=seeds,
        verdict=verdict,
        requests=tuple(each for _, each in (*own, *fresh)),
        reused=(),
        runs=(),
    )
    return divide_runs(planned, [*own, *fresh])


def plan_verdict(
    experiment: StoredExperiment, request: RetrainRequest, trials: Sequence[TrialResult], seeds: Sequence[int]
) -> VerdictRecord:
    """Return the verdict on trials that were named: the one that asked for the same, else a new one, written down.

    ``request``: of one of its runs. One seed gives no verdict, so it is not counted.
    """
    change = _describe_change(build_request(experiment), request)
    numbers = tuple(each.number for each in trials)
    record = new_verdict(experiment, numbers, seeds=tuple(seeds), change=change)
    if (there := find_verdict(experiment.paths, record)) is not None:
        return there
    if len(seeds) > 1:
        write_verdict(experiment.paths, record)
        upload_if_remote(experiment.paths.verdicts)
    return record


def _describe_change(searched: RetrainRequest, request: RetrainRequest) -> str:
    """Return what a run does differently than the search, the same for the same change; empty: nothing."""
    wanted = {"digest": request.digest, "trainer": request.trainer}
    same = {"digest": searched.digest, "trainer": searched.trainer}
    return "" if wanted == same else json.dumps(wanted, sort_keys=True, default=str)


def _choose_source(experiment: StoredExperiment, *, current: bool) -> tuple[Snapshot, str]:
    """Return the source to run, and its folder's name below the experiment's."""
    if not current:
        return experiment.snapshot, experiment.paths.source.relative_to(experiment.paths.folder).as_posix()
    program = find_program(experiment.snapshot.program.path)
    folder = experiment.paths.retrain_folder / f"source-{digest_of(program)}"
    return take_snapshot(program, folder, experiment.space.args), folder.relative_to(experiment.paths.folder).as_posix()


def divide_runs(planned: RetrainPlan, wanted: Iterable[tuple[TrialResult, RetrainRequest]]) -> RetrainPlan:
    """Tell what is there from what is to be run; a run that was interrupted goes on."""
    retrained = read_retrained(planned.experiment.paths)
    reused: list[RetrainedVersion] = []
    runs: list[RetrainRun] = []
    for trial, request in wanted:
        found = find_latest(retrained, request)
        if found is not None and _is_current(found, planned):
            reused.append(found)
            if (more := planned.plan_repetition(trial, found)) is not None:
                runs.append(more)
        elif found is not None and not (found.is_complete or found.has_failed):
            attempt = 1 if found.record is None else found.record.attempt + 1
            runs.append(RetrainRun(request=request, files=found.files, outcome=trial, attempt=attempt))
        else:
            runs.append(_create_run(planned.experiment, request, trial))
    return replace(planned, reused=tuple(reused), runs=tuple(runs))


def _is_current(found: RetrainedVersion, planned: RetrainPlan) -> bool:
    """Tell whether a run counts: it is complete, and ran on what the others will run on."""
    known, resources = read_environment(planned.experiment.paths), planned.resources
    now = find_environment_changes(known, resources.n_threads, gpus=name_trial_gpus(planned.space, resources))
    return found.is_complete and found.record is not None and found.record.surroundings == now


def _create_run(experiment: StoredExperiment, request: RetrainRequest, trial: TrialResult) -> RetrainRun:
    """Return a run in a version that is taken for it at once: another one may ask for a number meanwhile."""
    names = [entry.name.partition(",")[0] for entry in experiment.paths.retrain_folder.iterdir()]
    number = 1 + max((int(name) for name in names if name.isdecimal()), default=-1)
    files = VersionPaths(experiment.paths.retrain_folder / retrain_name(number, request, trial))
    files.folder.mkdir()
    request.write_request(files)
    return RetrainRun(request=request, files=files, outcome=trial)


@contextlib.contextmanager
def lock_retrained(experiment: StoredExperiment, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder of the retrained versions; it is uploaded at the end, and ``tell`` hears of what could not be.

    Raises NoRoomError with how to go on.
    """
    paths = experiment.paths
    try:
        with translate_disk_full(paths.folder):
            paths.retrain_folder.mkdir(exist_ok=True)
        with (
            lock_on_this_machine(ExperimentPaths(paths.retrain_folder)),
            upload_on_exit(paths.retrain_folder, tell),
        ):
            yield
    except NoRoomError as error:
        hint = "What was written is whole. Make room there, and give the same command again: it goes on."
        raise NoRoomError(display_path(paths.folder), error.what, hint) from error
