"""The process server of this machine: the one that runs already, or one for the time of a search."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tune.search.machines.resources import Resources
from tune.search.machines.scratch import ray_scratch
from tune.trial.process.client import process_server, tell_session

_running: list[Path] = []


@contextlib.contextmanager
def running_server() -> Iterator[None]:
    """Run a server for all searches of this process meanwhile, if none runs; it begins to import at once."""
    if _running:
        yield
        return
    with ray_scratch() as folder, process_server(Path(folder)) as path:
        if path is not None:
            _running.append(path)
        try:
            yield
        finally:
            if path is not None:
                _running.remove(path)


def end_with_driver(session: int) -> None:
    """Have the processes of a session ended when this process has ended, however that comes."""
    if _running:
        with contextlib.suppress(OSError):
            tell_session(_running[-1], session)


@contextlib.contextmanager
def server_of(resources: Resources) -> Iterator[Path | None]:
    """Give the socket of this machine's server; None on a cluster, where each node has its own, and without forks."""
    if resources.reached is not None or _running:
        yield _running[-1] if resources.reached is None else None
        return
    with running_server():
        yield _running[-1] if _running else None
