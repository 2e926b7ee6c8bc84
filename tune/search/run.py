"""Run a search from a space to its last trial.

What needs Optuna and Ray Tune is in ``build_controller.py`` and ``ray_tune.py``: both are imported while Ray starts.
"""

import contextlib
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tune.cluster.auto_gpu_share import describe_sharing, give_whole_gpus, read_measured_memory, share_gpus
from tune.cluster.backend import is_ray_running, local_cluster
from tune.cluster.resources import leave_out_gpu
from tune.errors import (
    RayLostError,
    SearchError,
)
from tune.experiment.environment import Surroundings, observe_environment, read_environment, write_environment
from tune.experiment.gpu_records import read_context_bytes
from tune.experiment.lock import write_dashboard_address
from tune.experiment.records import (
    TrialRecord,
    device_name,
    read_baseline_fits,
    read_baseline_record,
)
from tune.paths import display_path
from tune.promotion.snapshot import Snapshot, take_snapshot
from tune.search.controller_api import SearchListener, notify_listeners
from tune.search.preflight_error import create_preflight_error
from tune.search.search_plan import build_job, name_trial_gpus
from tune.search.spec import DRIVER_LOG, Search, SearchResult
from tune.space.settings import AUTO
from tune.space.space_file import write_space
from tune.storage.download import download_version
from tune.trial.disk_space import hold_disk_reserve, translate_folder_errors
from tune.trial.messages import Job
from tune.trial.process.output import redirect_output, user_streams

if TYPE_CHECKING:
    from tune.search.controller import SearchController
    from tune.search.search_end import SearchEnd
    from tune.search.study.study import SearchStudy


RESULTS_S = 120.0
"""So long what there is may take to be shown where this process ends without Ray."""
KEPT_NOTHING = "Nothing is kept. Once this is mended, run the command again."
"""What to do where a search that runs the pre-flight alone could not go on."""


def run_search(search: Search) -> SearchResult:
    """Search.

    Raises PreflightError when the baseline fails before its training begins, and MetricError or ProgramError when what
    fails is what the user asked for: a metric that is never logged, a program without a LightningModule.
    """
    space, paths = search.space, search.paths
    with translate_folder_errors(paths.folder):
        write_space(space, paths.space)
        snapshot = take_snapshot(search.program, paths.source, space.args)
    job = build_job(space, search.program, search.promoted, snapshot.folder, search.resources)
    job = replace(job, session=search.session)
    gpus = name_trial_gpus(space, search.resources)  # as `retrain` does: where a cluster is joined, it shows its own
    with redirect_output(paths.folder / DRIVER_LOG):
        ran = _run_on_cluster(search, job, snapshot, gpus)
        if (without := _leave_out_dead_gpu(ran)) is not None:
            ran = _run_on_cluster(without, job, snapshot, gpus)
    return build_result(ran.search, ran.controller, ran.ledger)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    search: Search
    """With the resources that its trials had."""
    controller: "SearchController"
    ledger: "SearchStudy"


def _run_on_cluster(search: Search, job: Job, snapshot: Snapshot, gpus: str) -> _Run:
    """Start Ray, measure what trials take of a GPU where that is wanted, and run the trials."""
    with _start_cluster(search):
        notify_listeners(search.listeners, SearchListener.on_ray_start)
        from tune.search.study.study import open_search_study

        ledger = _open_ledger(search)
        if search.resources.is_measured and not search.rehearsal:
            controller = _run_trials(search, job, ledger, weighs=True)
            if not controller.versions.is_baseline_ready or controller.end.is_interrupted:
                return _Run(search=search, controller=controller, ledger=ledger)
            search, job = _share_gpus(search, job, controller.versions.baseline_record)
            ledger = open_search_study(search.paths, search.space, search.promoted)
        job = replace(job, surroundings=_record_environment(search, snapshot, gpus))
        controller = _run_trials(search, job, ledger)
    controller.complete_dead_trials()
    return _Run(search=search, controller=controller, ledger=ledger)


def _open_ledger(search: Search) -> "SearchStudy":
    """Return a new ledger; that of the search itself where it begins a second time."""
    from tune.search.study.study import create_search_study, open_search_study

    if search.paths.journal.is_file():
        return open_search_study(search.paths, search.space, search.promoted)
    ledger = create_search_study(search.paths, search.space, search.promoted)
    if search.command is not None:
        ledger.notes.add_command(search.command)
    if search.knowledge is not None:
        ledger.add_prior_trials(*search.knowledge)
    return ledger


def _run_trials(search: Search, job: Job, ledger: "SearchStudy", *, weighs: bool = False) -> "SearchController":
    from tune.search.build_controller import build_controller, suspend_on_exit
    from tune.search.ray_tune import run_trials

    with suspend_on_exit(ledger), hold_disk_reserve(search.paths.disk_reserve):
        controller = build_controller(search, ledger, job, weighs=weighs)
        run_trials(controller, job, search.resources, partial(end_without_ray, search))
    return controller


def _share_gpus(search: Search, job: Job, baseline: TrialRecord | None) -> tuple[Search, Job]:
    """Let trials share GPUs as the pre-flight measured; where `auto` stood, the experiment's space holds the number."""
    settings = search.space.settings
    weighed = read_measured_memory(baseline, search.resources)
    if weighed is None:
        resources, why = give_whole_gpus(search.resources, settings), "it was not measured"
    else:
        resources, why = share_gpus(weighed, search.resources, settings), describe_sharing(weighed, settings)
    notify_listeners(search.listeners, SearchListener.on_share, resources, why)
    space = search.space
    if settings.gpus_per_trial == AUTO:
        space = replace(space, settings=replace(settings, gpus_per_trial=resources.gpus_per_trial))
        with translate_folder_errors(search.paths.folder):
            write_space(space, search.paths.space)
    job = replace(
        job,
        gpu_share=resources.gpus_per_trial,
        n_threads=resources.n_threads,
        context_bytes=read_context_bytes({} if baseline is None else baseline.gpu_memory),
        counted=None if baseline is None else baseline.counted_fits,
    )
    return replace(search, space=space, resources=resources), job


def _leave_out_dead_gpu(ran: _Run) -> Search | None:
    """Return the search without the GPU that failed the pre-flight; None where none did, or Ray is not ours to start.

    The other trials wait for the pre-flight in all other places: so Ray starts again, without that GPU.
    """
    search, record = ran.search, ran.controller.failed_on_device
    if record is None or record.failure is None or record.devices not in search.resources.gpus or is_ray_running():
        return None
    notify_listeners(
        search.listeners,
        SearchListener.on_preflight_moved,
        device_name(record.host, record.devices),
        record.failure.reason,
    )
    return replace(search, resources=leave_out_gpu(search.resources, record.devices))


def resume_search(search: Search, snapshot: Snapshot) -> SearchResult:
    """Go on with a search from its ledger; its program is the snapshot's. Raises what ``run_search`` does.

    The caller holds the experiment's lock. Ray is started only where trials are left to run.
    """
    space, paths = search.space, search.paths
    from tune.search.build_controller import build_controller, suspend_on_exit
    from tune.search.ray_tune import run_trials
    from tune.search.study.study import open_search_study

    job = build_job(space, search.program, search.promoted, snapshot.folder, search.resources)
    ledger = open_search_study(paths, space, search.promoted)
    with redirect_output(paths.folder / DRIVER_LOG), suspend_on_exit(ledger), hold_disk_reserve(paths.disk_reserve):
        write_space(space, paths.space)
        ledger.notes.note_settings(space)
        for outcome in ledger.trial_results:
            if outcome.state in ("waiting", "running") and outcome.started is not None:
                download_version(paths.version(outcome.version).folder)
        if search.command is not None:
            ledger.notes.add_command(search.command)
        baseline = read_baseline_record(paths, ledger.trial_results)
        folder = ledger.notes.driver_folder if ledger.notes.driver_folder.is_dir() else job.folder
        job = replace(
            job,
            program=snapshot.program,
            folder=folder,
            surroundings=read_environment(paths),
            counted=read_baseline_fits(paths, ledger.trial_results),
            context_bytes=read_context_bytes({} if baseline is None else baseline.gpu_memory),
            trusts_checkpoints=search.trusts_checkpoints,
            session=search.session,
        )
        controller = build_controller(search, ledger, job)
        controller.handle_kept_requests()
        if not controller.has_finished:
            with _start_cluster(search):
                notify_listeners(search.listeners, SearchListener.on_ray_start)
                run_trials(controller, job, search.resources, partial(end_without_ray, search))
        controller.complete_dead_trials()
    return build_result(search, controller, ledger)


def end_without_ray(search: Search, how: str) -> None:
    """End this process, whose main thread waits for a Ray that is dead: show what there is, and how to go on.

    All that ended is in the ledger.
    """
    from tune.cluster.ray_health import end_process

    paths = search.paths
    if search.rehearsal:
        with contextlib.suppress(OSError):
            shutil.rmtree(paths.folder)
        end_process(RayLostError(None, how, KEPT_NOTHING))
    if search.command is not None and paths.journal.is_file():
        output, errors = user_streams()
        words = [sys.executable, *sys.argv[:1], "results", str(paths.folder)]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(  # noqa: S603 - this program itself
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, check=False, timeout=RESULTS_S
            )
    end_process(search.explain(RayLostError(display_path(paths.folder), how, "`resume` goes on.")))


def _record_environment(search: Search, snapshot: Snapshot, gpus: str) -> Surroundings:
    """Write down what trials run on. It takes a tenth of a second: meanwhile the process server's template imports."""
    found = observe_environment(snapshot.stored_program, search.resources.n_threads, gpus)
    with translate_folder_errors(search.paths.folder):
        write_environment(found, search.paths)
    return found


def _start_cluster(search: Search) -> contextlib.AbstractContextManager[None]:
    """Start Ray, and tell where its dashboard is."""

    def tell_address(address: str) -> None:
        write_dashboard_address(search.paths, address)
        notify_listeners(search.listeners, SearchListener.on_dashboard, address)

    def tell_ending() -> None:
        notify_listeners(search.listeners, SearchListener.on_search_ending)

    return local_cluster(search.resources, tell_address, partial(end_without_ray, search), tell_ending)


def build_result(search: Search, controller: "SearchController", ledger: "SearchStudy") -> SearchResult:
    """Return what came of a search whose controller has finished, or raise why its pre-flight failed.

    Its resources have as many places as were set while it ran: what follows it starts with these.
    """
    baseline, end = controller.versions.baseline_record, controller.end
    never_ran = baseline is None and all(each.state in ("waiting", "running") for each in ledger.trial_results[:1])
    if end.preflight_failed or (never_ran and not end.is_requested and end.full is None):
        raise create_preflight_error(baseline, search, end.baseline_death)
    if ledger.searcher.is_exhausted:
        ledger.mark_no_more_trials()  # the search may have ended with the last point, before another was asked for
    if controller.has_finished and not end.is_interrupted:
        controller.pbt_exploit.delete_donor_checkpoints()
    return SearchResult(
        outcomes=ledger.trial_results,
        baseline=baseline,
        exhausted=ledger.searcher.is_exhausted,
        interrupted_by_user=end.is_requested,
        is_finishing=controller.controls.is_finishing,
        fault=end.full or _give_up_error(end, search),
        freed=controller.retention.finish_freeing(),
        n_wanted=controller.n_wanted,
        ends_at=controller.controls.budget.ends_at,
        resources=replace(search.resources, concurrency=controller.controls.limits.concurrency),
        began_s=controller.controls.budget.began_s,
    )


def _give_up_error(end: "SearchEnd", search: Search) -> SearchError | None:
    if (last := end.final_failure) is None:
        return None
    what = f"{search.space.settings.give_up_after} trials in a row failed with one cause: {last.reason}"
    log = display_path(search.paths.version(last.version).log)
    return SearchError(None, what, f"The last one's log: {log}. `resume` goes on, `--give-up-after` allows more.")
