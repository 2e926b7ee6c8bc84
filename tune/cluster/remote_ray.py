"""Join a running Ray cluster for the time of a search. The program and `tune` travel to its nodes."""

import contextlib
import importlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray._private import services

from tune.cluster.code_archive import build_archive
from tune.cluster.connection import AUTO, CLIENT, DRIVER_ENVIRONMENT, check_reachable, parse_address, set_environment
from tune.cluster.local_ray import shut_down
from tune.cluster.node_checks import check_nodes, list_startable_nodes
from tune.cluster.plan_cluster import plan_cluster
from tune.cluster.process_server import ray_temp_folder
from tune.cluster.ray_health import (
    StartLimit,
    end_if_stuck,
    end_process,
    forget_loss,
    is_lost,
    kill_ray_processes,
    watch_ray,
)
from tune.cluster.resources import JoinedCluster, Node, Resources
from tune.errors import OptionError, PromotuneError, SearchError, StartError
from tune.promotion.program import Program
from tune.space.settings import Settings
from tune.storage_url import url_of
from tune.trial.process.output import redirect_output

OUR_ENVIRONMENT_WINS = {"RAY_OVERRIDE_JOB_RUNTIME_ENV": "1"}
"""In a job that was submitted with files of its own, ours take their place on the nodes."""
ON_HEAD = "Nothing was searched. On the head node /tmp/ray/session_latest/logs may say more."
ON_NODES = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@contextlib.contextmanager
def join_cluster(
    address: str, settings: Settings, program: Program, storage: Path, n_workers: int
) -> Iterator[Resources]:
    """Join, look whether the nodes can do what is asked, and leave the cluster as it was.

    Raises OptionError where nothing answers at the address, where no node can ever run a trial, or where a node does
    not see the storage.
    """
    door = parse_address(address) or _find_local_address()
    forget_loss()
    with (
        set_environment({**DRIVER_ENVIRONMENT, **OUR_ENVIRONMENT_WINS}),
        ray_temp_folder() as folder,
    ):
        parcel = build_archive(program, Path(folder))
        with _limit_wait(address):
            dashboard = _connect_to_ray(
                address, door, parcel.path, Path(folder) / "ray.log", _node_environment(storage)
            )
        try:
            importlib.import_module("ray.tune")
            with _limit_wait(address):
                reached = JoinedCluster(
                    address=address,
                    dashboard=dashboard,
                    nodes=list_living_nodes(),
                    startable=list_startable_nodes(),
                    travels=True,
                    living=list_living_nodes,
                )
            resources = plan_cluster(settings, reached, n_workers)
            sees_project = check_nodes(resources, program, storage)
            if parcel.refused is not None and not sees_project:
                raise parcel.refused
            yield replace(resources, reached=replace(reached, travels=not sees_project))
        finally:
            if is_lost():
                kill_ray_processes()  # of which none is ours: Ray's exit functions would wait, too
            else:
                shut_down(partial(_end_stuck, address))


def list_living_nodes() -> tuple[Node, ...]:
    """Return the nodes that are part of the cluster now."""
    return tuple(
        Node(
            name=each["NodeManagerAddress"],
            identity=each["NodeID"],
            cpus=each["Resources"].get("CPU", 0.0),
            gpus=each["Resources"].get("GPU", 0.0),
        )
        for each in ray.nodes()
        if each["Alive"]
    )


def _find_local_address() -> str:
    """Return the ``host:port`` that `auto` means; raise OptionError where there is none."""
    try:
        door = str(services.canonicalize_bootstrap_address(AUTO))
    except (ConnectionError, ValueError) as error:
        hint = "Start one with `ray start --head`, or give the address of its head node: --address HOST:6379"
        raise OptionError("--address", "no Ray cluster runs on this machine", hint) from error
    check_reachable(door)
    return door


def _node_environment(storage: Path) -> dict[str, str]:
    """Return the environment of actors. A copy of what lies at a URL has to be known for one there, too."""
    if url_of(storage) is None:
        return ON_NODES
    return {**ON_NODES, "XDG_CACHE_HOME": str(storage.parent.parent)}


def _connect_to_ray(address: str, door: str, parcel: Path, log: Path, variables: Mapping[str, str]) -> str | None:
    """Connect, and return the dashboard's address. What Ray says of it meanwhile is shown where it fails alone."""
    arguments: dict[str, Any] = {"address": address if address.startswith(CLIENT) else door}
    try:
        with redirect_output(log), end_if_stuck():
            context = ray.init(
                **arguments,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"working_dir": str(parcel), "env_vars": dict(variables)},
            )
    except Exception as error:
        raise _connection_error(address, error) from error
    return context.dashboard_url or None


def _end_stuck(address: str, how: str) -> None:
    """End this process, whose main thread does not come back from Ray."""
    end_process(SearchError(None, f"the cluster at {address} could not be left: {how}", "What was written is whole."))


@contextlib.contextmanager
def _limit_wait(address: str) -> Iterator[None]:
    """Raise StartError where the cluster does not answer meanwhile; end this process where Ray waits all the same."""

    def build_error(how: str) -> StartError:
        return StartError(None, f"the cluster at {address} could not be joined: {how}", ON_HEAD)

    late: list[str] = []
    try:
        with watch_ray(late.append, lambda how: end_process(build_error(how)), StartLimit("answer")):
            yield
    except KeyboardInterrupt:
        if late:
            raise build_error(late[0]) from None
        raise


def _connection_error(address: str, error: Exception) -> PromotuneError:
    """Return what a connection that failed comes of."""
    chain = [str(each) for each in (error, error.__cause__, error.__context__) if each is not None]
    if any("AuthToken" in text or "authentication token" in text.casefold() for text in chain):
        hint = "Put the cluster's token into RAY_AUTH_TOKEN, or into the file that RAY_AUTH_TOKEN_PATH names."
        if os.environ.get("RAY_AUTH_MODE") != "token":
            hint = "The cluster asks for one: export RAY_AUTH_MODE=token. " + hint
        return OptionError("--address", f"the cluster at {address} does not take this machine's token", hint)
    lines = [line.strip() for line in chain[0].splitlines() if line.strip()] or [""]
    said = lines[-1] if lines[0].endswith(":") else lines[0]  # ray:// puts the server's traceback behind its own words
    what = f"the cluster at {address} could not be joined: {type(error).__name__}: {said}"
    return StartError(None, what, ON_HEAD)
