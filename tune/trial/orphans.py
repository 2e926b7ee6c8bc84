"""An actor ends with its raylet, at once."""

import os
import time

from tune.trial.process.linux import is_alive

TICK_S = 0.5
EXIT_STATUS = 70


def watch_raylet() -> None:
    """End this process when its raylet is gone; for a thread. Ray's own check takes some seconds."""
    raylet, parent = raylet_pid(), os.getppid()
    while os.getppid() == parent and is_alive(raylet):
        time.sleep(TICK_S)
    os._exit(EXIT_STATUS)


def raylet_pid() -> int:
    """Return the raylet of this actor; in a container of its own an actor does not see the one that Ray tells of."""
    told = os.environ.get("RAY_RAYLET_PID", "")
    return int(told) if told.isdecimal() and is_alive(int(told)) else os.getppid()
