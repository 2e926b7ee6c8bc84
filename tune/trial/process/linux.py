"""What Linux knows of processes: children, orphans, threads, memory pressure. Elsewhere the answers are empty."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

CAN_FORK = sys.platform == "linux"
"""Whether a process that has imported torch may be forked. On macOS system libraries break in a forked child."""
PR_SET_CHILD_SUBREAPER = 36
CLEANERS = (b"multiprocessing.resource_tracker", b"loky.backend.resource_tracker", b"torch_shm_manager")
"""Stand in the commands of the processes that remove what ``multiprocessing``, that of joblib (scikit-learn's
``n_jobs``), and torch's, left in shared memory."""
CLEANER_S = 10.0
"""How long one has for that. torch's waits two seconds for a further client before it cleans, and ends."""
OOM_SCORE_ADJ = 1000
"""Most likely to be ended by the system where memory is short: a trial, before the driver and Ray."""

CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where control groups are, of either version, and which of them this process is in."""

LOOK_S, MOST_LOOKS = 0.02, 100
"""Between two looks at processes that are ended, and how often that is done."""


def become_subreaper() -> None:
    """Make this process the parent of its descendants whose own parents end; no-op where the system cannot."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie; True where there is no /proc."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()[0]
    except OSError:
        return not Path("/proc/self/stat").exists()
    return state not in ("Z", "X")


def find_raylet() -> int:
    """Return the raylet of this actor; in a container of its own it does not see the one that Ray tells of."""
    told = os.environ.get("RAY_RAYLET_PID", "")
    return int(told) if told.isdecimal() and is_alive(int(told)) else os.getppid()


def read_cpu_quota() -> float | None:
    """Return how many cores' time the control groups of this process leave it; None where they set no limit.

    Docker's ``--cpus``, a pod's limit, and CPUQuota of systemd are such limits, and the affinity does not tell of them.
    A container sees its own group at the mount, whatever path ``/proc`` names. Source: cgroups(7), cgroup-v2.rst.
    """
    quotas = [quota for folder in _list_cpu_groups() if (quota := _read_quota(folder)) is not None]
    return min(quotas, default=None)


def _list_cpu_groups() -> Iterator[Path]:
    """Yield the folders of the control groups that limit this process's time on the cores: its own, and those above."""
    try:
        lines = OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = CGROUPS / controllers  # of version 2, which names no controllers, the folder itself
        group = Path(os.path.normpath("/" + path.lstrip("/"))).relative_to("/")
        yield from (mount / each for each in (group, *group.parents))


def _read_quota(group: Path) -> float | None:
    """Return how many cores' time one control group allows; None where it sets no limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text().split()  # "max 100000" raises ValueError below
        return int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        quota, period = ((group / f"cpu.cfs_{what}_us").read_text() for what in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    return None


def children_of(pid: int) -> list[int]:
    """Return the child processes of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def command_of(pid: int) -> bytes:
    """Return the command line of a process, its words separated by NUL; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_cleaner(pid: int) -> bool:
    """Return whether a process removes shared memory behind another one, and then ends by itself."""
    command = command_of(pid)
    return any(name in command for name in CLEANERS)


def count_threads() -> int:
    """Return how many threads this process has, those of libraries included."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 1


def reap_children() -> Iterator[tuple[int, int]]:
    """Yield each child that has ended, with its exit status; a negative one is a signal's number."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])


def kill_all(pids: Iterable[int]) -> None:
    """Send SIGKILL to processes; one that is gone is no error."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def kill_tree(pid: int) -> None:
    """End a process and its descendants; it has to be their subreaper, else those of a dead child escape."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGSTOP)  # it starts no further process
    while descendants := [each for each in descendants_of(pid) if is_alive(each)]:
        kill_all(descendants)
    kill_all([pid])


def kill_sessions(sessions: Collection[int]) -> None:
    """End all processes of sessions, whoever their parents are by now."""
    for _ in range(MOST_LOOKS):  # one that is ended may have started another meanwhile
        found = [pid for pid in all_processes() if _session_of(pid) in sessions and is_alive(pid)]
        if not found:
            return
        kill_all(found)
        time.sleep(LOOK_S)


def all_processes() -> list[int]:
    """Return the processes of this machine."""
    with contextlib.suppress(OSError):
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]
    return []


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def descendants_of(pid: int) -> list[int]:
    """Return all processes below a process."""
    found = children_of(pid)
    return [each for child in found for each in (child, *descendants_of(child))]


def count_oom_kills() -> int:
    """Return how many processes of this process's cgroup the system has ended for memory so far."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        for _, controllers, path in groups:
            files = {
                "": f"/sys/fs/cgroup{path}/memory.events",
                "memory": f"/sys/fs/cgroup/memory{path}/memory.oom_control",
            }
            for file in (files.get(controllers), "/sys/fs/cgroup/memory.events"):
                if file is not None and Path(file).is_file():
                    words = [line.split() for line in Path(file).read_text().splitlines()]
                    return sum(int(number) for name, number in words if name == "oom_kill")
    return 0
