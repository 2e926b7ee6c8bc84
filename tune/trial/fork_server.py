"""Workers that are there at once: forked from a process that has imported torch and Lightning while Ray starts.

A worker's import takes seconds of CPU, and the memory of what is imported; here both are spent once a search. Ray's
raylet starts ``setup_worker.py``, the porter: it asks for a worker by a socket, with its own arguments, environment,
folder and streams, and stays until that has ended. The server ends with its standard input, which its driver holds: see
``tune/search/machines/forks.py``, which starts it.

A search goes on without it: who gets no answer starts his worker himself. Not where trials have a GPU: a process that
has touched CUDA cannot be forked.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tune.promotion.pause import collector_paused
from tune.trial.warm import warm_up

READY = b"ready\n"
"""The first word of the server's to a porter, which knows it without importing anything of ours."""
OF_RAY_TUNE = ("pandas", "pyarrow", "pydantic", "jsonschema", "requests")
"""What takes long to import of what a worker imports for Ray Tune. Not Ray: it reads variables that are set later."""
N_STREAMS = 3
MOST_BYTES = 2**20
"""Of a request: an environment, mostly."""
PATIENCE_S = 5.0
"""So long a porter has for his request: others wait meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a worker is to be."""

    arguments: list[str]
    """Its file first."""
    environment: Mapping[str, str]
    folder: str
    streams: list[int]
    """File descriptors of its standard input, output and error."""
    standing: "Standing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What Ray gives a worker after it was started, or before: here, to its porter."""

    niceness: int
    files: tuple[int, int]
    """How many it may open, softly and hard."""
    expendable: str
    """How soon the system ends it where memory is short: ``oom_score_adj``."""
    blocked: frozenset[int]
    """Signals."""


def main() -> None:
    """Serve who connects to the socket whose file descriptor is given; in a forked process, be what was asked for."""
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        warm_up()
        _warm_up_more()
        import torch

        touched = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        request = None if touched else _Server(listener).serve()
    if request is None:
        os._exit(0)  # its driver waits, and to take torch down takes a quarter of a second
    become(request)


def _warm_up_more() -> None:
    with collector_paused():
        for name in OF_RAY_TUNE:
            with contextlib.suppress(Exception):  # whatever is wrong with it, a worker will say
                importlib.import_module(name)
        gc.freeze()


def become(request: Request) -> None:
    """Run the worker's file in this process, as Python would."""
    for stream, descriptor in enumerate(request.streams):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    _stand(request.standing)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    file = request.arguments[0]
    sys.argv = list(request.arguments)
    sys.path[0] = str(Path(file).parent)
    runpy.run_path(file, run_name="__main__")


def _stand(standing: Standing) -> None:
    """Have what the porter has, as far as the system lets us."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, standing.niceness)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, standing.files)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(standing.expendable)
    signal.pthread_sigmask(signal.SIG_SETMASK, standing.blocked)


class _Server:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._porters: dict[int, socket.socket] = {}  # by the process that was forked for them
        self._awake, self._wake = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._before = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGINT)}

    def serve(self) -> Request | None:
        """Fork a worker for each request, until the driver is gone; return the request in the process forked for it."""
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to hear
        for readable in (sys.stdin.fileno(), self._listener, self._awake):
            self._selector.register(readable, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in self._selector.select()]
            if sys.stdin.fileno() in ready:
                return None
            if self._awake in ready:
                self._awake.recv(4096)
                self._reap()
            for pid, porter in [*self._porters.items()]:
                if porter in ready:
                    self._end(pid)
            if self._listener in ready and (request := self._fork()) is not None:
                return request

    def _fork(self) -> Request | None:
        """Fork a worker for who comes, and return his request there; whatever goes wrong is his to mend."""
        try:
            porter, _ = self._listener.accept()
        except OSError:  # he is gone, or too many files are open
            return None
        request = _received(porter)
        try:
            pid = -1 if request is None else os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            os.setpgid(0, 0)  # Ray ends the whole group of a worker that is gone
            self._let_go()
            porter.close()
            return request
        for descriptor in request.streams if request is not None else ():
            os.close(descriptor)
        if pid == -1:
            porter.close()
            return None
        self._porters[pid] = porter
        self._selector.register(porter, selectors.EVENT_READ)
        _tell(porter, pid)
        return None

    def _let_go(self) -> None:
        """Leave to the server what is the server's."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._selector.close()
        for each in (self._awake, self._wake, *self._porters.values()):
            each.close()

    def _end(self, pid: int) -> None:
        """End a worker whose porter is gone: that is how Ray ends one that it does not know yet."""
        porter = self._porters.pop(pid)
        self._selector.unregister(porter)
        porter.close()
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Tell porters how their workers ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            porter = self._porters.pop(pid, None)
            if porter is not None:
                self._selector.unregister(porter)
                _tell(porter, os.waitstatus_to_exitcode(status))
                porter.close()


def _received(porter: socket.socket) -> Request | None:
    """Return what somebody asks for; None where he is gone, or says nothing that we understand."""
    streams: list[int] = []
    text = b""
    try:
        porter.settimeout(PATIENCE_S)
        porter.sendall(READY)
        while not text.endswith(b"\n") and len(text) < MOST_BYTES:
            more, descriptors, _, _ = socket.recv_fds(porter, 65536, N_STREAMS)
            streams.extend(descriptors)
            if not more:
                break
            text += more
        asked = json.loads(text)
        request = Request(
            arguments=[str(each) for each in asked["arguments"]],
            environment={str(name): str(value) for name, value in asked["environment"].items()},
            folder=str(asked["folder"]),
            streams=streams,
            standing=_standing_of(porter, asked["blocked"]),
        )
        if request.arguments and len(streams) == N_STREAMS:
            return request
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error):
        pass
    for descriptor in streams:
        os.close(descriptor)
    return None


def _standing_of(porter: socket.socket, blocked: list[int]) -> Standing:
    pid, _, _ = struct.unpack("3i", porter.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return Standing(
        niceness=os.getpriority(os.PRIO_PROCESS, pid),
        files=resource.prlimit(pid, resource.RLIMIT_NOFILE),
        expendable=Path(f"/proc/{pid}/oom_score_adj").read_text(),
        blocked=frozenset(map(int, blocked)),
    )


def _tell(porter: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # he is gone
        porter.sendall(f"{number}\n".encode())
