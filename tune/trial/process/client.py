"""Processes for trials, from a node's process server; where forking is not safe, started ahead."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from tune.errors import StartError
from tune.trial.process.channel import drop_launcher_variables
from tune.trial.process.linux import CAN_FORK, kill_tree
from tune.trial.process.marker import LOCK, is_marked, mark_folder, remove_stale_folder
from tune.trial.process.packets import encode_line

NO_PROCESS = "no process for a trial"
SOCKET = "server"
"""The name of a server's socket in its folder."""
START_METHOD = "PROMOTUNE_START_METHOD"
"""``spawn`` in the environment: trials are not forked, for tests."""
CODE = (
    "import sys; sys.path.insert(0, {root!r}); import tune; del sys.path[0]; "
    "from tune.trial.process.{module} import main; main()"
)
"""The modules of whoever starts a process, whatever is installed; all else is found as ever."""
START_S = 120.0
"""For a process: the template may still import torch."""
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow, which pandas imports
}
"""Of a server's environment: libraries start no threads as they are imported, for those would be gone in a child."""
CONNECT_S = 10.0
LEFT_S = 60.0
"""A younger folder may be one whose server has not begun to listen."""
NODE_FOLDER = "promotune.node-"
"""How the name of the folder of a node's server begins; no driver takes it for its own."""
ACTOR_FOLDER = "promotune.actor-"
"""The same of an actor's folder, where trials are not forked."""
MOST_WAITING = 1024


class TrialProcess(Protocol):
    """A process that waits for a trial."""

    pid: int
    connection: Connection

    @property
    def readable_sockets(self) -> list[Any]:
        """Return what is readable when it has ended, for a selector; nothing where it has to be polled."""

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs; a negative one is a signal's number."""

    def close(self) -> None:
        """Give it up; one that runs is ended."""


class ForkedProcess:
    """A process that a server forked."""

    def __init__(self, server: Path) -> None:
        """Raise StartError where the server cannot give one, OSError where there is no server."""
        self._client = _connect_to_server(server)
        self._status: int | None = None
        try:
            self._client.settimeout(START_S)
            self._client.sendall(b'{"do": "start"}\n')
            text, descriptors, _, _ = socket.recv_fds(self._client, 65536, 1)
            first, _, rest = text.partition(b"\n")
            answer = json.loads(first)
            if "error" in answer:
                raise StartError(None, f"{NO_PROCESS}: {answer['error']}", "Nothing was trained.")
            self.pid = int(answer["pid"])
            self.connection = Connection(descriptors[0])
            if rest:
                self._status = int(json.loads(rest)["status"])
        except (ValueError, IndexError) as error:  # the server ended meanwhile
            self._client.close()
            raise ConnectionResetError("the process server ended") from error
        except BaseException:
            self._client.close()
            raise
        self._client.setblocking(False)

    @property
    def readable_sockets(self) -> list[Any]:
        """Return the connection to the server, which says how it ended."""
        return [self._client] if self._status is None else []

    def poll(self) -> int | None:
        """Return the exit status; that of a SIGKILL where the server is gone, which ends its processes."""
        if self._status is None:
            with contextlib.suppress(BlockingIOError):
                try:
                    text = self._client.recv(4096)
                except ConnectionError:
                    text = b""
                self._status = int(json.loads(text)["status"]) if text else self._end_itself()
        return self._status

    def _end_itself(self) -> int:
        kill_tree(self.pid)
        return -signal.SIGKILL

    def close(self) -> None:
        """Leave the server, which ends the process."""
        self.connection.close()
        self._client.close()


class StartedProcess:
    """A process that was started, and imports for itself."""

    def __init__(self) -> None:
        theirs, ours = socket.socketpair()
        root = str(Path(__file__).parents[3])
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                [sys.executable, "-P", "-c", CODE.format(root=root, module="spawned"), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=drop_launcher_variables(os.environ),
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.connection = Connection(ours.detach())

    @property
    def readable_sockets(self) -> list[Any]:
        """Return nothing: it is polled."""
        return []

    def poll(self) -> int | None:
        """Return the exit status."""
        status = self._process.poll()
        if status is not None:
            self._end_group()
        return status

    def close(self) -> None:
        """End it, and its process group."""
        self.connection.close()
        self._end_group()
        self._process.kill()
        self._process.wait()

    def _end_group(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)


class ForkSource:
    """Processes of a node's server."""

    def __init__(self, server: Path | None, name: str) -> None:
        """``server``: the socket of the driver's; None, and where that is gone: this node's, which is started.

        ``name``: what tells this search from others of the same user, and this node of Ray's from others of the
        machine: one that dies takes its server with it.
        """
        self._server = server
        self._driver_folder = None if server is None else server.parent
        self._name = name
        self._lease: socket.socket | None = None

    @property
    def folder(self) -> Path:
        """Where temporary files may lie."""
        return Path(tempfile.gettempdir()) if self._server is None else self._server.parent

    def take_process(self, spec: Callable[[Path], tuple[Path, Mapping[str, str | None]]]) -> TrialProcess:
        """Return a process; raise StartError where there is none to be had.

        ``spec``: gives the file of a job, in a folder, and packages: what the template of a new server is to prepare.
        """
        if self._server is not None:
            with contextlib.suppress(OSError):
                return ForkedProcess(self._server)
        self._server = self._start_node_server()
        prepare_template(self._server, *spec(self.folder), warm=True)
        return ForkedProcess(self._server)

    def request_template(self, job: Path, packages: Mapping[str, str | None]) -> None:
        """Have a template made that has also imported these modules, and has trained once."""
        with contextlib.suppress(OSError):
            if self._server is not None:
                prepare_template(self._server, job, packages, warm=True)

    def _start_node_server(self) -> Path:
        """Start the server of this node, if there is none, and keep it for as long as this process lives."""
        own = f"{NODE_FOLDER}{os.getuid()}-"
        folder = Path(tempfile.gettempdir()) / f"{own}{self._name}"
        _remove_stale_folders(folder.parent.glob(f"{own}*"))
        if self._driver_folder is not None and self._driver_folder.is_dir():
            folder = self._driver_folder / "node"  # it goes with the driver's
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise StartError(str(folder), "the folder belongs to another user", "Remove it, or set TMPDIR.")
        mark_folder(folder)
        path = folder / SOCKET
        with _lock_folder(folder):
            try:
                self._lease = _connect_to_server(path)
            except OSError:
                path.unlink(missing_ok=True)
                start_server(path, None)
                self._lease = _connect_to_server(path)
            self._lease.sendall(b'{"do": "lease"}\n')
        return path

    def close(self) -> None:
        """Let the server end, if it is this node's and nobody else needs it."""
        if self._lease is not None:
            self._lease.close()


@contextlib.contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Let no other actor start a server meanwhile; raise StartError where one that does has stopped."""
    lock = FileLock(folder / ".lock", timeout=START_S)
    try:
        lock.acquire()
    except Timeout as error:
        what = f"{NO_PROCESS}: another process has started the server in {folder} for {START_S:.0f} s"
        raise StartError(None, what, "Nothing was trained.") from error
    try:
        yield
    finally:
        lock.release()


def _remove_stale_folders(folders: Iterable[Path]) -> None:
    """Remove the folders of servers that were killed: nobody answers there."""
    for folder in folders:
        with contextlib.suppress(OSError):
            if not is_marked(folder) or time.time() - folder.stat().st_mtime < LEFT_S:
                continue
            try:
                _connect_to_server(folder / SOCKET).close()
            except (ConnectionRefusedError, FileNotFoundError):
                shutil.rmtree(folder, ignore_errors=True)


class StartSource:
    """Processes that are started ahead: one imports while the trial before it trains."""

    def __init__(self) -> None:
        for left in Path(tempfile.gettempdir()).glob(f"{ACTOR_FOLDER}*"):
            remove_stale_folder(left)  # of an actor that was killed
        self.folder = Path(tempfile.mkdtemp(prefix=ACTOR_FOLDER))
        self._lock = FileLock(self.folder / LOCK, thread_local=False)
        self._lock.acquire()
        mark_folder(self.folder)  # behind the lock: a folder that is marked and not locked has no actor
        self._spare = StartedProcess()

    def take_process(self, spec: Callable[[Path], tuple[Path, Mapping[str, str | None]]]) -> TrialProcess:
        """Return a process, and start the next one."""
        taken, self._spare = self._spare, StartedProcess()
        return taken

    def request_template(self, job: Path, packages: Mapping[str, str | None]) -> None:
        """Do nothing: each process imports for itself."""

    def close(self) -> None:
        """End the spare process."""
        self._spare.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()


def may_fork() -> bool:
    """Return whether trials are forked."""
    return CAN_FORK and os.environ.get(START_METHOD) != "spawn"


def prepare_template(
    server: Path, job: Path, packages: Mapping[str, str | None], *, warm: bool, wait_s: float = 0.0
) -> None:
    """Ask a server for a template, and wait for it so long; raise OSError where there is no server.

    ``warm``: it trains once, and what the template before it prepared is kept.
    """
    with _connect_to_server(server) as client:
        request = {"do": "prepare", "job": str(job), "packages": packages, "warm": warm}
        client.sendall(encode_line(request))
        if wait_s:
            client.settimeout(wait_s)
            client.recv(65536)


def send_session(server: Path, session: int) -> None:
    """Have the processes of a session ended with the server's driver; raise OSError where there is no server."""
    with _connect_to_server(server) as client:
        client.sendall(encode_line({"do": "note", "session": session}))


def start_server(path: Path, driver: int | None) -> subprocess.Popen[bytes]:
    """Start a process server at a socket's path; ``driver``: a descriptor whose end is its own."""
    root = str(Path(__file__).parents[3])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(MOST_WAITING)
        given = [listener.fileno(), *([] if driver is None else [driver])]
        return subprocess.Popen(  # noqa: S603 - the command is ours
            [
                sys.executable,
                "-P",
                "-c",
                CODE.format(root=root, module="server"),
                str(given[0]),
                *map(str, given[1:] or "-"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=given,
            env={**drop_launcher_variables(os.environ), **ONE_THREAD},  # Lightning reads its rank as it is imported
            start_new_session=True,  # Ctrl-C is the driver's
        )


@contextlib.contextmanager
def process_server(folder: Path) -> Iterator[Path | None]:
    """Run a process server for as long as this is entered; give its socket, or None where there can be none.

    It ends with its driver, too, whose end closes a pipe. While it imports, clients wait.
    """
    if not may_fork():
        yield None
        return
    _remove_stale_folders(Path(tempfile.gettempdir()).glob(f"{NODE_FOLDER}{os.getuid()}-*"))
    path = folder / SOCKET
    theirs, ours = os.pipe()
    try:
        server = start_server(path, theirs)
    except OSError:  # a path that is too long for a socket, say
        os.close(ours)
        yield None
        return
    finally:
        os.close(theirs)
    try:
        yield path
    finally:
        os.close(ours)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(CONNECT_S)
        server.kill()
        server.wait()


def _connect_to_server(server: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(CONNECT_S)
    try:
        client.connect(str(server))
    except OSError:
        client.close()
        raise
    return client
