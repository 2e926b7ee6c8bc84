"""The server that forks workers, beside the Ray that asks for them."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import tune
from tune.search.machines.scratch import ray_scratch

CODE = (
    "import sys; sys.path.insert(0, {root!r}); import tune; del sys.path[0]; "
    "from tune.trial.fork_server import main; main()"
)
"""The driver's own modules, whatever is installed; all else is found as workers find it."""
PATIENCE_S = 10
MOST_WAITING = 1024
"""Workers that ask while it imports."""


@contextlib.contextmanager
def fork_server() -> Iterator[str | None]:
    """Start it with this environment; give the path of its socket, or None where the system has none to give.

    It imports for seconds: who asks meanwhile waits. It ends with this or with its driver, for its standard input is
    closed then.
    """
    with ray_scratch() as folder:
        path = str(Path(folder) / "fork")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(path)
                listener.listen(MOST_WAITING)
                server = _started(listener)
        except OSError:  # a path that is too long for a socket, say
            yield None
            return
        try:
            yield path
        finally:
            assert server.stdin is not None
            server.stdin.close()
            try:
                server.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _started(listener: socket.socket) -> subprocess.Popen[bytes]:
    root = str(Path(tune.__file__).parent.parent)
    return subprocess.Popen(  # noqa: S603 - the command is ours
        [sys.executable, "-c", CODE.format(root=root), str(listener.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[listener.fileno()],
        start_new_session=True,  # Ctrl-C is the driver's to hear; and Linux may give each session its share of the CPU
    )
