"""The Ray that a search runs on: its own for that time, or one that runs already. Ray itself is imported late."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from tune.search.machines.process_server import running_server
from tune.search.machines.resources import Resources
from tune.trial.nvml import NVML_ORDER

DRIVER_ENVIRONMENT = {
    **NVML_ORDER,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # they would write a second copy of everything
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours ends the running epochs first
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # with 1, a trial that is long in ending would keep other actors waiting
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Ray's own experiment state is disposable: the ledger is ours
    "RAY_raylet_client_connect_timeout_milliseconds": "50",  # Ray's own second makes every other start a second longer
    "RAY_raylet_client_num_connect_attempts": "200",  # ten seconds in all, as ever
}
FORCED = frozenset(
    {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS",
        "TUNE_DISABLE_SIGINT_HANDLER",
        "CUDA_VISIBLE_DEVICES",
    }
)
"""Set whatever the user's environment says."""


@contextlib.contextmanager
def local_cluster(
    resources: Resources,
    on_dashboard: Callable[[str], None] = lambda address: None,
    on_stuck: Callable[[str], None] = lambda how: None,
) -> Iterator[None]:
    """Start Ray on this machine, and end it; a Ray that runs already in this process is used, and left running.

    ``on_dashboard`` hears the address of its dashboard, ``127.0.0.1:8265``, once it is up: from another thread.
    ``on_stuck`` is called in another thread where Ray died as it started, with how, and this will not return.
    """
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        if resources.reached is not None and resources.reached.dashboard is not None:
            on_dashboard(resources.reached.dashboard)
        with environment(DRIVER_ENVIRONMENT):
            yield
        return
    with environment({**DRIVER_ENVIRONMENT, **_devices(resources)}), running_server():
        from tune.search.machines.own_ray import own_ray  # a quarter of a second, while the template imports

        with own_ray(resources, on_dashboard, on_stuck):
            yield


def _devices(resources: Resources) -> Mapping[str, str]:
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, resources.gpus))} if resources.gpus else {}


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables, where the user has not, and put all back as it was."""
    before = dict(os.environ)
    os.environ.update({name: value for name, value in variables.items() if name not in before or name in FORCED})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
