"""Run a search from a space to its last trial."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tune.errors import MetricError, PreflightError, ProgramError, PromotuneError
from tune.paths import ExperimentPaths, short
from tune.promotion.program import Program
from tune.promotion.resolve import Promoted
from tune.promotion.snapshot import Snapshot, take_snapshot
from tune.search.asha import NoStop, Rule, asha
from tune.search.cluster import local_cluster
from tune.search.conductor import Conductor, Limits
from tune.search.job import build_job
from tune.search.ledger import Ledger, create_ledger, open_ledger
from tune.search.resources import Resources
from tune.search.tuner import run_trials
from tune.space.file import write_space
from tune.space.space import Space
from tune.trial.gate import close_gate
from tune.trial.outcome import Outcome
from tune.trial.output import logged_to
from tune.trial.record import NEVER_LOGGED, Record
from tune.trial.task import Job

DRIVER_LOG = "driver.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A search that came to its end."""

    outcomes: list[Outcome]
    """Every trial of the ledger."""
    baseline: Record | None
    """The baseline's own record; None where the search was interrupted before there was one."""
    exhausted: bool
    """Whether a grid was visited whole."""
    interrupted_by_user: bool
    """Ctrl-C, before the trials were done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """All that a search is made of."""

    space: Space
    program: Program
    promoted: Sequence[Promoted]
    resources: Resources
    paths: ExperimentPaths
    """The folder is there, and empty."""
    on_start: Callable[[str | None], None]
    """Hears the dashboard's address once Ray runs."""
    on_end: Callable[[Outcome], None]
    """Hears of each trial that ended."""
    knowledge: tuple[str, Sequence[Outcome]] | None = None
    """Another experiment's name, and those of its trials that say something about this space."""
    rehearsal: bool = False
    """Run nothing but the pre-flight."""


def run_search(search: Search) -> Finished:
    """Search.

    Raises PreflightError when the baseline fails before its training begins, and MetricError or ProgramError when what
    fails is what the user asked for: a metric that is never logged, a program without a LightningModule.
    """
    space, paths = search.space, search.paths
    write_space(space, paths.space)
    snapshot = take_snapshot(search.program, paths.source)
    job = build_job(space, search.program, search.promoted, snapshot.folder, search.resources)
    with logged_to(paths.folder / DRIVER_LOG), local_cluster(search.resources) as cluster:
        search.on_start(cluster.dashboard)
        with _suspended_at_end(create_ledger(paths, space, search.promoted)) as ledger:
            if search.knowledge is not None:
                ledger.learn(*search.knowledge)
            conductor = _conductor(search, ledger, job)
            run_trials(conductor, job, search.resources)
    return _finished(search, conductor, ledger)


def resume_search(search: Search, snapshot: Snapshot) -> Finished:
    """Go on with a search from its ledger; its program is the snapshot's. Raises what ``run_search`` does.

    The caller holds the experiment's lock. Ray is started only where trials are left to run.
    """
    space, paths = search.space, search.paths
    job = build_job(space, search.program, search.promoted, snapshot.folder, search.resources)
    with (
        logged_to(paths.folder / DRIVER_LOG),
        _suspended_at_end(open_ledger(paths, space, search.promoted)) as ledger,
    ):
        write_space(space, paths.space)
        folder = ledger.folder if ledger.folder.is_dir() else job.folder
        job = replace(job, program=snapshot.program, folder=folder)
        conductor = _conductor(search, ledger, job)
        if not conductor.finished:
            with local_cluster(search.resources) as cluster:
                search.on_start(cluster.dashboard)
                run_trials(conductor, job, search.resources)
    return _finished(search, conductor, ledger)


@contextlib.contextmanager
def _suspended_at_end(ledger: Ledger) -> Iterator[Ledger]:
    try:
        yield ledger
    finally:
        ledger.suspend()


def _finished(search: Search, conductor: Conductor, ledger: Ledger) -> Finished:
    baseline = conductor.baseline
    if conductor.preflight_failed or (baseline is None and not conductor.ending):
        raise _preflight_error(baseline, search)
    return Finished(
        outcomes=ledger.outcomes,
        baseline=baseline,
        exhausted=ledger.exhausted,
        interrupted_by_user=conductor.ending,
    )


def _conductor(search: Search, ledger: Ledger, job: Job) -> Conductor:
    settings = search.space.settings
    limits = Limits(
        trials=1 if search.rehearsal else settings.trials,
        time_budget_s=settings.time_budget_s,
        concurrency=search.resources.concurrency,
        max_failures=settings.max_failures,
        rehearsal=search.rehearsal,
    )
    rule = build_rule(search.space)
    return Conductor(search.paths, ledger, rule, limits, settings.seed, search.on_end, lambda: close_gate(job.gate))


def build_rule(space: Space) -> Rule:
    """Return what stops weak trials."""
    match space.settings.scheduler:
        case "asha":
            return asha(space.mode, space.settings.scheduler_args)
        case "none":
            return NoStop()
        case name:
            raise AssertionError(f"the space file let {name!r} pass")


def _preflight_error(record: Record | None, search: Search) -> PromotuneError:
    failure = record.failure if record else None
    log = search.paths.folder / DRIVER_LOG
    if record is None or failure is None:
        return PreflightError(None, "the worker died in the pre-flight", f"Its last words: {short(log)}")
    version = search.paths.version(record.version)
    if failure.kind in (MetricError.__name__, NEVER_LOGGED):
        return MetricError(search.space.where("metric"), failure.message, failure.hint)
    if failure.kind == ProgramError.__name__:
        return ProgramError(None, failure.message, failure.hint)
    code = "".join(f"{line}\n  " for line in (failure.code, failure.hint) if line)
    what = f"the baseline failed in the pre-flight: {failure.kind}: {failure.message}"
    where = failure.place or search.program.name_of(search.program.path)
    return PreflightError(where, what, f"{code}The whole traceback: {short(version.error)}")
