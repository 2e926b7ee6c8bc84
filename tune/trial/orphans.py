"""Ray's agents outlive a killed driver by a minute, trying to tell a GCS that is gone. A worker ends them."""

import contextlib
import os
import signal
from pathlib import Path

TITLES = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")


def raylet() -> int:
    """Return the process that this worker belongs to: its parent, unless it was forked by a server.

    In a container of its own a worker does not see the process that Ray tells of.
    """
    told = os.environ.get("RAY_RAYLET_PID", "")
    return int(told) if told.isdecimal() and is_alive(int(told)) else os.getppid()


def is_alive(pid: int) -> bool:
    """Tell whether a process is there, and no zombie; where there is no /proc, its child would know otherwise."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()[0]
    except OSError:
        return not Path("/proc/self/stat").exists()
    return state not in ("Z", "X")


def agents_of(parent: int) -> list[int]:
    """Return the processes of Ray's agents below a raylet; Linux alone tells."""
    return [pid for pid in _children(parent) if _is_agent(pid)]


def end_orphans(agents: list[int], parent: int) -> None:
    """End those agents whose raylet is gone."""
    orphans = set(agents) - set(_children(parent))
    for pid in orphans:
        if _is_agent(pid):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{parent}/task").iterdir())
        return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    except OSError:
        return []


def _is_agent(pid: int) -> bool:
    """Tell by the title, which Ray gives it."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return title.startswith(TITLES)
