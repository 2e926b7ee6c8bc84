"""A Ray of our own for the time of a search: on the loopback address as far as Ray lets us, with its token on."""

import contextlib
import importlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
from ray._private import node, services, utils
from ray._private.node import Node

from tune.cluster.connection import set_environment
from tune.cluster.process_server import end_with_driver, ray_temp_folder
from tune.cluster.ray_dashboard import Dashboard
from tune.cluster.ray_health import (
    RETRY_S,
    RayDiedError,
    StartLimit,
    check_ray_alive,
    discard_ray,
    end_if_stuck,
    expect_ends,
    forget_loss,
    forget_processes,
    is_lost,
    kill_ray_processes,
    note_process,
    read_last_words,
    watch_ray,
)
from tune.cluster.resources import Resources, count_cores
from tune.cluster.signals import block_sigusr1, handle_interrupts
from tune.errors import StartError
from tune.gc_control import collector_paused
from tune.internals.private_apis import log_missing_apis, patch_attribute
from tune.internals.ray_internals import bind_to_loopback, own_token
from tune.trial.process.output import write_to_log

OBJECT_STORE_BYTES = 100 * 2**20
"""Trials exchange a few numbers; Ray would take 30% of the memory."""
PATIENCE_S = 5
"""So long the node is looked for often."""
LOOK_S, SLOW_LOOK_S = 0.02, 0.2
NODE_S = 60
"""So long it is looked for at all."""
END_S = 60.0
"""So long Ray may take to end, which is a second or two; then its processes are killed. All that counts is in files."""
START_HINT = "Nothing was searched. Give the same command again."
BUSY = 2.0
"""Tasks that want a core, for each core: from here on the machine is named as why Ray did not start in time."""


def _import_driver_modules() -> None:
    """Import what the driver needs once Ray runs: Optuna and Ray Tune, which take a second each."""
    for name in ("tune.search.build_controller", "tune.search.ray_tune"):
        importlib.import_module(name)


@contextlib.contextmanager
def run_own_ray(
    resources: Resources,
    on_dashboard: Callable[[str], None],
    on_stuck: Callable[[str], None],
    on_interrupt: Callable[[], None],
) -> Iterator[None]:
    """Start Ray, and end it; what else the driver needs is imported meanwhile.

    ``on_stuck`` is called in another thread where Ray died as it started, and will not return. ``on_interrupt`` is
    called with a signal that comes while Ray starts: the search ends as it begins.
    """
    log_missing_apis("ray")
    dashboard = Dashboard(on_dashboard)
    imports = threading.Thread(target=_import_driver_modules, daemon=True)
    imports.start()
    forget_loss()
    with handle_interrupts(on_interrupt), ray_temp_folder() as folder, own_token(folder), _own_session(folder):
        try:
            yield from _run_ray(resources, dashboard, imports, folder, on_stuck)
        finally:
            forget_processes()


def _run_ray(
    resources: Resources,
    dashboard: Dashboard,
    imports: threading.Thread,
    folder: str,
    on_stuck: Callable[[str], None],
) -> Iterator[None]:
    """Run Ray with its files in a folder."""
    died: list[str] = []
    try:
        with (
            watch_ray(died.append, on_stuck, StartLimit("answer"), grace_s=RETRY_S),
            collector_paused(),
            bind_to_loopback() as where,
            _no_log_monitor(),
            _agent_on_any_port(),
            _wait_for_gcs(),
            _fast_node_lookup(),
            _without_sigterm_handler(),
            dashboard.defer_start(),
        ):
            before = dict(os.environ)
            _init_ray(
                address="local",  # whatever RAY_ADDRESS says, and whatever else runs here
                num_cpus=resources.logical_cpus,
                num_gpus=len(resources.gpus),
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=None,  # as True, but no search ends because its dashboard was slow to start
                dashboard_host="127.0.0.1",
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(Path(folder) / "r"),  # Ray opens it to all, and the one around it stays its owner's
                **where,
            )
            said = {name: value for name, value in os.environ.items() if name not in before}
    except BaseException as error:
        dashboard.stop_at_once()
        if died:
            kill_ray_processes()
            raise StartError(None, f"{died[0]}, while Ray started", _build_start_hint()) from error
        raise
    try:
        with set_environment(said):  # what Ray's own processes have, so that the dashboard may talk to them
            imports.join()
            dashboard.start_in_thread()
            yield
    except BaseException:
        dashboard.stop_at_once()
        raise
    finally:
        if is_lost():
            dashboard.stop_at_once()
            kill_ray_processes()
        else:
            with dashboard.stop_with_ray():
                shut_down(on_stuck)


def shut_down(on_stuck: Callable[[str], None]) -> None:
    """Leave Ray; one of our own ends, and is killed where it does not: all that counts is in files.

    ``on_stuck`` is told in another thread where this will not return.

    Meanwhile nothing is collected. A collection in another thread, as that which makes ready for the report, may free
    Ray's references while Ray's worker goes: Ray then ends the process with status 1, without a word.
    """
    late: list[str] = []

    def kill_late_ray(how: str) -> None:
        late.append(how)
        kill_ray_processes()

    try:
        with collector_paused(), expect_ends(), watch_ray(kill_late_ray, on_stuck, StartLimit("end", END_S)):
            ray.shutdown()
    except KeyboardInterrupt:
        if not late:
            raise


@contextlib.contextmanager
def _no_log_monitor() -> Iterator[None]:
    """Start no log monitor: it would read what Ray's workers print, for a driver that does not show it."""
    known = hasattr(Node, "start_log_monitor")
    with patch_attribute(Node, "start_log_monitor", lambda _: None) if known else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _agent_on_any_port() -> Iterator[None]:
    """Let the raylet's agent take any port: where Ray's one is taken, by another search, it waits for three seconds."""
    start = getattr(Node, "start_raylet", None)

    def start_raylet(node: Any, *arguments: Any, **how: Any) -> Any:
        node._ray_params.dashboard_agent_listen_port = 0  # noqa: SLF001
        assert start is not None
        return start(node, *arguments, **how)

    with contextlib.nullcontext() if start is None else patch_attribute(Node, "start_raylet", start_raylet):
        yield


@contextlib.contextmanager
def _own_session(folder: str) -> Iterator[None]:
    """Start Ray's processes in a session of their own: a signal for all of the driver's group is the driver's.

    systemd, SLURM and supervisors send SIGTERM to the group, and running trials are to end with their epoch.
    Temporary files go into ``folder``, but for the raylet's, whose workers hand its environment on to trials: the
    dashboard's fork server leaves a socket.
    """
    known = getattr(services, "ConsolePopen", None)

    def start(*arguments: Any, **how: Any) -> Any:
        assert known is not None
        command, *rest = arguments
        if Path(command[0]).name != "raylet":
            how["env"] = {**(how.get("env") or os.environ), "TMPDIR": folder}
        with block_sigusr1():
            process = known(command, *rest, **{**how, "start_new_session": True})
        note_process(process)
        end_with_driver(process.pid)  # the raylet's agents would outlive a killed driver by a minute
        return process

    with contextlib.nullcontext() if known is None else patch_attribute(services, "ConsolePopen", start):
        yield


@contextlib.contextmanager
def _without_sigterm_handler() -> Iterator[None]:
    """Keep our handler of SIGTERM: Ray's ends the process wherever it is, and with half a Ray that is a crash."""
    name = "set_sigterm_handler"
    known = hasattr(utils, name)
    with patch_attribute(utils, name, lambda handler: None) if known else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _fast_node_lookup() -> Iterator[None]:
    """Let a node be seen as soon as it is known: Ray looks for it once a second."""
    known = getattr(services, "get_node", None)

    def get_node(*arguments: Any, **how: Any) -> Any:
        with contextlib.suppress(AttributeError, KeyError, TypeError):  # another Ray answers otherwise
            _wait_for_node(*arguments, **how)
        assert known is not None
        return known(*arguments, **how)

    with contextlib.nullcontext() if known is None else patch_attribute(services, "get_node", get_node):
        yield


@contextlib.contextmanager
def _wait_for_gcs() -> Iterator[None]:
    """Wait for the port of the GCS in Python: Ray 2.60 waits in C++, for 30 s in which no other thread runs."""
    name = "wait_for_persisted_port"
    known = getattr(node, name, None)

    def wait(*arguments: Any, timeout_ms: int, **how: Any) -> Any:
        assert known is not None
        until = time.monotonic() + timeout_ms / 1000
        while True:
            try:
                return known(*arguments, timeout_ms=1, **{**how, "poll_interval_ms": 1})
            except RuntimeError:
                if time.monotonic() > until:
                    raise
            check_ray_alive()
            time.sleep(LOOK_S)

    with contextlib.nullcontext() if known is None else patch_attribute(node, name, wait):
        yield


def _wait_for_node(gcs_address: str, node_id: str) -> None:
    """Wait until the node is known, or NODE_S are over: Ray waits then. Raise RayDiedError where its raylet died.

    A raylet waits 15 s for its agents, and ends then: on a busy machine they need longer.
    """
    began = time.monotonic()
    state = ray._private.state.GlobalState()  # noqa: SLF001
    state._initialize_global_state(services._get_gcs_client_options(gcs_address))  # noqa: SLF001
    while node_id not in {each["NodeID"] for each in state.node_table()}:
        check_ray_alive()
        waited_s = time.monotonic() - began
        if waited_s > NODE_S:
            return
        time.sleep(LOOK_S if waited_s < PATIENCE_S else SLOW_LOOK_S)


def _init_ray(**arguments: Any) -> None:
    """Start Ray; a second time where it fails: a machine may have been busy, or a port may have been taken meanwhile.

    Raises StartError with the last lines of Ray's own logs.
    """
    try:
        with end_if_stuck():
            ray.init(**arguments)
    except Exception as first:
        write_to_log(f"Ray did not start, and is started once more: {_describe_error(first)}")
        discard_ray()
        try:
            with end_if_stuck():
                ray.init(**arguments)
        except Exception as error:
            words = read_last_words(Path(arguments["_temp_dir"]) / "session_latest")
            said = ["The last lines of Ray's logs:", *(f"  {word}" for word in words)] if words else []
            what = f"Ray could not be started, in two tries: {_describe_error(error)}"
            raise StartError(None, what, "\n  ".join([_build_start_hint(), *said])) from error


def _describe_error(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return first if isinstance(error, RayDiedError) else f"{type(error).__name__}: {first}"


def _build_start_hint() -> str:
    """Return what to do; of a machine that is busy with other things, that it is."""
    load, n_cores = os.getloadavg()[0], count_cores()
    if load < BUSY * n_cores:
        return f"{START_HINT} If it fails again, `ray start --head` may say more; `ray stop` ends what that starts."
    return f"{START_HINT} This machine is busy (load average {load:.0f} on {n_cores} cores): wait until it is less so."
