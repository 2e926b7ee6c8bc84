"""Looks whether the processes of our own Ray are alive: without them Ray waits, for a minute or for ever, silently.

A Ray that lost one cannot be shut down either, for that waits for it too. Its other processes are ended then, and this
process has to end without Ray's exit functions.
"""

import _thread
import atexit
import contextlib
import faulthandler
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import ray
from ray._private import worker

from tune.cluster.connection import read_start_limit
from tune.errors import SearchError
from tune.trial.process.channel import describe_end
from tune.trial.process.linux import children_of, command_of, is_alive
from tune.trial.process.output import user_streams, write_to_log

LOOK_S = 0.5
MOST_SINCE_S = 4 * LOOK_S
"""What passes between two looks counts so far: more is a process that was stopped, or a machine that slept."""
GRACE_S = 2 * LOOK_S
"""For the watch to see, after an actor died, that Ray is what died."""
RETRY_S = 5.0
"""For the main thread to see that a process died while Ray starts, and to start Ray once more."""
STUCK_S = 5.0
"""For the main thread to come back from Ray."""
NEEDED = ("raylet", "gcs_server")
"""The processes without which nothing goes on, as Ray calls them."""
AGENTS = (b"ray::DashboardAgent", b"ray::RuntimeEnvAgent")
"""How the titles of the raylet's agents begin."""
LOGS = ("{}.err", "{}.out", "dashboard_agent.log", "runtime_env_agent.log")
"""Ray's logs that tell why a process of this name ended: agents take the raylet with them."""
LAST_BYTES = 4000
"""Of each, for our own log; Ray's go with the search."""
ERROR = re.compile(
    r"^\[[^]]* [CEF] \d+ \d+\] \(\w+\) [\w.]+:\d+: *(?:An unexpected system state .* fix it\. )?(.+)$", re.MULTILINE
)
"""An error in such a log; C: a check of Ray's own that failed, such as a wait that took too long."""
LONGEST = 200
"""Characters of one, in a message."""

_lost = threading.Event()
_ending = threading.Event()
"""Set while Ray's processes are ended on purpose."""
_started: dict[str, Any] = {}
"""The processes of the Ray that this process started last, by the names of their programs."""


def is_lost() -> bool:
    """Tell whether this process's Ray lost one of its processes."""
    return _lost.is_set()


def forget_loss() -> None:
    """Begin with another Ray."""
    _lost.clear()


def forget_processes() -> None:
    """Watch the processes no longer that ``note_process`` was given: their Ray has ended."""
    _started.clear()


def note_process(process: Any) -> None:
    """Watch a ``Popen`` of the Ray that starts, before Ray has a list of its processes."""
    _started[Path(process.args[0]).name] = process


def wait_for_loss() -> bool:
    """Return whether Ray lost a process, for an actor that died. A raylet ends its actors before it ends."""
    return bool(_needed_processes()) and _lost.wait(GRACE_S)


class StartLimit:
    """Counts how long Ray is waited for; time in which this process was stopped, or slept, is none."""

    def __init__(self, what: str, most_s: float | None = None) -> None:
        """Begin to wait for ``what`` of Ray's, a word in a message; None: for as long as for its start."""
        self._what = what
        self._most_s = self._left_s = read_start_limit() if most_s is None else most_s
        self.is_waiting = True
        """Whether what passes now is waited in vain."""

    def count_look(self, since_s: float) -> str | None:
        """Count one look, so long after the last; return what did not come, and for how long, if that was too long."""
        if self.is_waiting:
            self._left_s -= min(since_s, MOST_SINCE_S)
        return f"no {self._what} came from Ray for {self._most_s:g} s" if self._left_s < 0 else None


@contextlib.contextmanager
def watch_ray(
    on_death: Callable[[str], None],
    on_stuck: Callable[[str], None],
    limit: StartLimit | None = None,
    *,
    grace_s: float = 0.0,
) -> Iterator[None]:
    """Interrupt the main thread as Ctrl-C does where a process of Ray's dies; ``on_death`` is told how it died, first.

    ``limit``: what does not come within it is as dead. ``on_stuck`` is told where the main thread does not come back:
    it waits in Ray for the process. Both are called in another thread. ``grace_s``: the main thread has so long to see
    a death itself and to start another Ray.
    """
    over = threading.Event()
    watching = (over, on_death, on_stuck, limit, grace_s)
    threading.Thread(target=_watch_processes, args=watching, name="ray", daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextlib.contextmanager
def end_if_stuck() -> Iterator[None]:
    """End this process with the stack, and status 1, where Ray waits and holds Python's lock: no thread of ours runs.

    Ray does so while a driver registers with its raylet: no threads of ours tell then that a process died, or the time.
    """
    _, errors = user_streams()
    faulthandler.dump_traceback_later(2 * read_start_limit(), exit=True, file=errors)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def is_ray_ours() -> bool:
    """Tell whether the Ray of this process is one that it started."""
    return bool(_needed_processes())


def _needed_processes() -> Mapping[str, Any]:
    """Return the ``Popen`` of each needed process of a Ray that this process started; of another Ray, nothing."""
    known: Mapping[str, Any] = getattr(getattr(worker, "_global_node", None), "all_processes", {})
    noted = {name: _started[name] for name in NEEDED if name in _started}
    return noted or {name: info.process for name in NEEDED for info in known.get(name, ())}


class RayDiedError(Exception):
    """A process of Ray's died while Ray starts; the message says which, and how.

    No RuntimeError: Ray catches those, and goes on waiting.
    """


def check_ray_alive() -> None:
    """Raise RayDiedError where a process of the Ray that starts has died."""
    if (dead := _find_death(_needed_processes(), set())) is not None:
        raise RayDiedError(dead)


def _watch_processes(
    over: threading.Event,
    on_death: Callable[[str], None],
    on_stuck: Callable[[str], None],
    limit: StartLimit | None,
    grace_s: float,
) -> None:
    agents: set[int] = set()
    raylet = None
    looked = alive = time.monotonic()
    while not over.wait(LOOK_S):
        since_s = time.monotonic() - looked
        looked += since_s
        late = None if limit is None else limit.count_look(since_s)
        if (current := _needed_processes().get("raylet")) is not raylet:
            raylet = current
            agents.clear()  # of a Ray that did not start
        dead = None if _ending.is_set() else _find_death(_needed_processes(), agents)
        if dead is None:
            alive = looked
        elif looked - alive < grace_s:
            dead = None
        what = dead or late
        if what is None or over.is_set():
            continue
        on_death(what)
        _lost.set()
        until = time.monotonic() + STUCK_S
        while not over.wait(LOOK_S):
            _thread.interrupt_main(signal.SIGINT)
            if time.monotonic() > until:
                on_stuck(what)
        return


def _find_death(processes: Mapping[str, Any], agents: set[int]) -> str | None:
    """Return which of Ray's processes died, and how; ``agents`` fills with the raylet's, which it does not outlive."""
    for name, process in processes.items():
        if (status := process.poll()) is not None:
            return f"Ray's {name} died: {_explain_end(name, process, status)}"
    if "raylet" in processes:
        children = children_of(processes["raylet"].pid)
        agents.update(pid for pid in children if command_of(pid).startswith(AGENTS))
    return None if all(map(is_alive, agents)) else "an agent of Ray's died"


def _explain_end(name: str, process: Any, status: int) -> str:
    """Return how a process ended, with the last error in its log; the ends of the logs are kept in ours."""
    words = (str(word) for word in process.args)
    folder = next((Path(word.partition("=")[2]) for word in words if word.startswith("--log_dir=")), None)
    texts = {} if folder is None else {log: _read_end(folder / log) for log in (each.format(name) for each in LOGS)}
    for log, text in texts.items():
        if text:
            write_to_log(f"Ray's {log} ends:\n{text}")
    if status < 0:
        return describe_end(status)
    errors = ERROR.findall(texts.get(f"{name}.err", ""))
    return f"exit status {status}" + (f": {errors[-1][:LONGEST]}" if errors else "")


def _read_end(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_bytes()[-LAST_BYTES:].decode(errors="replace")
    return ""


def discard_ray() -> None:
    """End the processes of a Ray that did not start, and forget them: another one is started next."""
    with expect_ends():
        processes = [*_started.values()]
        kill_ray_processes()
        for process in processes:
            process.wait()
        with contextlib.suppress(Exception):  # what a Ray raises that is half there
            ray.shutdown()
        forget_processes()


@contextlib.contextmanager
def expect_ends() -> Iterator[None]:
    """Take the end of a process of Ray's for no death meanwhile."""
    _ending.set()
    try:
        yield
    finally:
        _ending.clear()


def read_last_words(session: Path) -> list[str]:
    """Return the last line of each of Ray's logs in a session, with the log's name; their ends are kept in ours."""
    found = []
    for name in (each.format(needed) for needed in NEEDED for each in ("{}.out", "{}.err")):
        text = _read_end(session / "logs" / name).strip()
        if text:
            write_to_log(f"Ray's {name} ends:\n{text}")
            found.append(f"{name}: {text.splitlines()[-1][:LONGEST]}")
    return found


def kill_ray_processes() -> None:
    """End what is left of a Ray that lost a process, without asking it."""
    node = getattr(worker, "_global_node", None)
    known = [info.process for infos in getattr(node, "all_processes", {}).values() for info in infos]
    for process in {*known, *_started.values()}:
        with contextlib.suppress(OSError):
            process.kill()
    atexit.unregister(worker.shutdown)
    atexit.unregister(ray.shutdown)
    for name in ("kill_all_processes", "_cleanup_on_exit"):
        if (function := getattr(node, name, None)) is not None:
            atexit.unregister(function)


def end_process(error: SearchError) -> NoReturn:
    """End this process, whose main thread waits for a Ray that is dead, with the error for the user."""
    _, errors = user_streams()
    with contextlib.suppress(OSError):
        os.write(errors, f"{error}\n".encode(errors="replace"))
    kill_ray_processes()
    os._exit(error.exit_status)
