"""A Ray of our own for the time of a search: on the loopback address as far as Ray lets us, with its token on."""

import contextlib
import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ray
from ray._private.node import Node

from tune.errors import StartError
from tune.promotion.pause import collector_paused
from tune.search.machines import setup_worker
from tune.search.machines.dashboard import Dashboard
from tune.search.machines.doors_shut import make_token, on_loopback
from tune.search.machines.forks import fork_server
from tune.search.machines.resources import Resources
from tune.trial.replaced import replaced
from tune.trial.worker import WORKER_ENVIRONMENT

DRIVER_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # they would write a second copy of everything
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours ends the running epochs first
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # with 1, a trial that is long in ending would keep other workers waiting
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Ray's own experiment state is disposable: the ledger is ours
    "RAY_prestart_worker_first_driver": "0",  # they come too late for the first trials, which get others
    "RAY_raylet_client_connect_timeout_milliseconds": "50",  # Ray's own second makes every other start a second longer
    "RAY_raylet_client_num_connect_attempts": "200",  # ten seconds in all, as ever
}
FORCED = frozenset(
    {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS",
        "TUNE_DISABLE_SIGINT_HANDLER",
        "CUDA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        setup_worker.SERVER,
        *WORKER_ENVIRONMENT,
    }
)
"""Set whatever the user's environment says."""
OBJECT_STORE_BYTES = 100 * 2**20
"""Trials exchange a few numbers; Ray would take 30% of the memory."""


@contextlib.contextmanager
def local_cluster(resources: Resources, on_dashboard: Callable[[str], None] = lambda address: None) -> Iterator[None]:
    """Start Ray on this machine, and end it; a Ray that runs already in this process is used, and left running.

    ``on_dashboard`` hears the address of its dashboard, ``127.0.0.1:8265``, once it is up: from another thread.
    """
    if ray.is_initialized():
        if resources.reached is not None and resources.reached.dashboard is not None:
            on_dashboard(resources.reached.dashboard)
        with environment(DRIVER_ENVIRONMENT):
            yield
        return
    with _own_cluster(resources, Dashboard(on_dashboard)):
        yield


@contextlib.contextmanager
def _own_cluster(resources: Resources, dashboard: Dashboard) -> Iterator[None]:
    """Start Ray; what else the driver needs is imported meanwhile."""
    imports = threading.Thread(target=importlib.import_module, args=("tune.search.lead",), daemon=True)
    with environment({**DRIVER_ENVIRONMENT, **_devices(resources)}), _workers(resources) as workers:
        importlib.import_module("numpy")  # it asks OMP_NUM_THREADS once, and that is to be the workers' alone
        imports.start()
        make_token()
        try:
            with (
                collector_paused(),
                on_loopback() as where,
                environment(workers),
                _no_log_monitor(),
                _workers_at_once(),
                dashboard.aside(),
            ):
                _start(
                    address="local",  # whatever RAY_ADDRESS says, and whatever else runs here
                    num_cpus=resources.logical_cpus,
                    num_gpus=len(resources.gpus),
                    object_store_memory=OBJECT_STORE_BYTES,
                    include_dashboard=None,  # as True, but no search ends because its dashboard was slow to start
                    dashboard_host="127.0.0.1",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **where,
                )
        except BaseException:
            dashboard.leave()
            raise
        try:
            imports.join()
            yield
        except BaseException:
            dashboard.leave()
            raise
        finally:
            with dashboard.ended():
                shut_down()


def shut_down() -> None:
    """Leave Ray. Meanwhile nothing is collected.

    A collection in another thread, as that which makes ready for the report, may free Ray's references while Ray's
    worker goes: Ray then ends the process with status 1, without a word.
    """
    with collector_paused():
        ray.shutdown()


@contextlib.contextmanager
def _no_log_monitor() -> Iterator[None]:
    """Start no log monitor: it would read what workers print, for a driver that does not show it."""
    known = hasattr(Node, "start_log_monitor")
    with replaced(Node, "start_log_monitor", lambda node: None) if known else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _workers_at_once() -> Iterator[None]:
    """Let workers be started without what Ray imports for that, a third of a second each."""
    start = getattr(Node, "start_raylet", None)

    def start_raylet(node: Any, *arguments: Any, **how: Any) -> Any:
        node._ray_params.setup_worker_path = setup_worker.__file__  # noqa: SLF001
        assert start is not None
        return start(node, *arguments, **how)

    with contextlib.nullcontext() if start is None else replaced(Node, "start_raylet", start_raylet):
        yield


def _start(**arguments: Any) -> None:
    try:
        ray.init(**arguments)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        what = f"Ray could not be started: {type(error).__name__}: {first}"
        raise StartError(None, what, "Nothing was searched. `ray start --head` on its own says more.") from error


@contextlib.contextmanager
def _workers(resources: Resources) -> Iterator[Mapping[str, str]]:
    """Give what workers find in their environment; start the server that forks them, where forking is allowed.

    They have it from Ray, and Ray from us: a runtime environment of Ray's would have to be made first. What has touched
    a GPU cannot be forked.
    """
    found = {**WORKER_ENVIRONMENT, "OMP_NUM_THREADS": str(resources.n_threads)}
    with contextlib.ExitStack() as server:
        if sys.platform == "linux" and not resources.gpus:
            with environment(found):
                path = server.enter_context(fork_server())
            if path is not None:
                found[setup_worker.SERVER] = path
        yield found


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
