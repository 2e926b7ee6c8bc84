"""Builds the controller of a search over its study. To import this takes a second; Ray starts meanwhile."""

import contextlib
from collections.abc import Iterator, Mapping

from tune.cluster.ray_health import is_lost
from tune.cluster.resources import Resources
from tune.errors import PauseError
from tune.internals.private_apis import log_missing_apis
from tune.internals.ray_internals import cancel_waiting_trials
from tune.paths import VersionPaths
from tune.search.checkpoint_retention import CheckpointRetention
from tune.search.controller import SearchController
from tune.search.controller_api import SearchListener, notify_listeners
from tune.search.devices.device_faults import DeviceFaults
from tune.search.devices.outgrown_shares import GpuShares
from tune.search.devices.trial_devices import TrialDevices
from tune.search.schedulers.build_scheduler import build_pbt_exploit, build_scheduler
from tune.search.schedulers.trial_length import count_reports
from tune.search.spec import Budget, Search, SearchLimits
from tune.search.steering.change_settings import SettingsChanger
from tune.search.steering.controls import SearchControls
from tune.search.steering.request_handler import RequestHandler
from tune.search.study.study import SearchStudy
from tune.space.dimensions import Value
from tune.storage_url import url_of
from tune.trial.checkpoints.event_files import Status, finalize_version
from tune.trial.messages import Job
from tune.trial.trackers.close_runs import start_closing_runs


@contextlib.contextmanager
def suspend_on_exit(ledger: SearchStudy) -> Iterator[None]:
    """Leave what did not end WAITING."""
    try:
        yield
    finally:
        with contextlib.suppress(PauseError, OSError):  # no room, or no folder: `resume` takes up what is RUNNING, too
            ledger.suspend_trials()
            ledger.notes.note_pause(None)


def build_controller(search: Search, ledger: SearchStudy, job: Job, *, weighs: bool = False) -> SearchController:
    """Return the controller of a search; ``job``: with the fits that count, where a pre-flight has been.

    ``weighs``: run the pre-flight alone, which measures what trials take of a GPU.
    """

    def complete_version(files: VersionPaths, values: Mapping[str, Value], started: float, status: Status) -> None:
        finalize_version(files, values, job.hardcoded, started, status=status)
        start_closing_runs(files, search.space.mode, job.folder)

    log_missing_apis("optuna")
    settings = search.space.settings
    limits = SearchLimits(
        trials=1 if search.rehearsal or weighs else settings.trials,
        concurrency=search.resources.concurrency,
        slots=search.resources.slots,
        max_failures=settings.max_failures,
        give_up_after=settings.give_up_after,
        rehearsal=search.rehearsal or weighs,
        weighs=weighs,
        n_confirming=search.n_confirming,
        is_end_wanted=search.is_end_wanted,
    )
    budget = Budget(None if settings.time_budget_s is None else settings.time_budget_s - search.spent_s)
    controls = SearchControls(limits, ledger, budget)
    changer = SettingsChanger(
        search.paths, search.space, ledger, controls, search.resources, search.listeners, search.spent_s
    )
    requests = RequestHandler(
        search.paths,
        search.space,
        search.promoted,
        ledger,
        controls,
        changer.change_settings,
        lambda pause: notify_listeners(search.listeners, SearchListener.on_pause, pause),
    )
    modes = [each.mode for each in search.space.objectives]
    elsewhere = url_of(search.paths.folder) is not None
    return SearchController(
        search.paths,
        ledger,
        rule=build_scheduler(
            search.space,
            search.program,
            count_reports(search.space, search.program, job.counted),
            is_mean=job.counted is not None and job.counted.is_mean,
        ),
        pbt_exploit=build_pbt_exploit(search.space, search.promoted, ledger),
        retention=CheckpointRetention(search.paths, modes, settings.keep_checkpoints, elsewhere=elsewhere),
        controls=controls,
        seed=settings.seed,
        on_preflight_failed=lambda: None if is_lost() else cancel_waiting_trials(job.gate),
        on_death=complete_version,
        count_reports=lambda counted: count_reports(search.space, search.program, counted),
        devices=TrialDevices(
            DeviceFaults(
                _count_trial_gpus(search.resources),
                lambda device, why: notify_listeners(search.listeners, SearchListener.on_device_left_out, device, why),
            ),
            GpuShares(
                job.gpu_share, lambda *told: notify_listeners(search.listeners, SearchListener.on_share_outgrown, *told)
            ),
        ),
        listeners=search.listeners,
        requests=None if limits.rehearsal else requests,
    )


def _count_trial_gpus(resources: Resources) -> int:
    """Return how many GPUs trials run on."""
    if not resources.gpus_per_trial:
        return 0
    return len(resources.gpus) if resources.reached is None else sum(int(each.gpus) for each in resources.reached.nodes)
