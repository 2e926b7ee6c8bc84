"""An actor ends with its raylet, at once, and ends Ray's agents: they outlive a killed driver by a minute."""

import contextlib
import os
import signal
import time

from tune.trial.process.linux import children_of, command_of, is_alive

TITLES = (b"ray::DashboardAgent", b"ray::RuntimeEnvAgent")
"""What Ray calls them."""
TICK_S = 0.5
EXIT_STATUS = 70


def watch_raylet() -> None:
    """End this process when its raylet is gone; for a thread. Ray's own check takes some seconds."""
    raylet, parent = raylet_pid(), os.getppid()
    while os.getppid() == parent and is_alive(raylet):
        agents = [pid for pid in children_of(raylet) if is_agent(pid)]
        time.sleep(TICK_S)
    end_orphans(agents, raylet)
    os._exit(EXIT_STATUS)


def raylet_pid() -> int:
    """Return the raylet of this actor; in a container of its own an actor does not see the one that Ray tells of."""
    told = os.environ.get("RAY_RAYLET_PID", "")
    return int(told) if told.isdecimal() and is_alive(int(told)) else os.getppid()


def end_orphans(agents: list[int], raylet: int) -> None:
    """End those agents whose raylet is gone."""
    for pid in set(agents) - set(children_of(raylet)):
        if is_agent(pid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def is_agent(pid: int) -> bool:
    """Return whether a process is an agent of Ray's, which a raylet starts."""
    return command_of(pid).startswith(TITLES)
