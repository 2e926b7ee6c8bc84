"""Starts a worker of Ray's, as Ray's script of this name does, but without importing Ray: the worker does that again.

Run by the raylet, as a file: nothing of ours is imported. Where something is to be set up first, Ray's own script does.
Where there is a server that forks workers, ``tune/trial/fork_server.py``, it gives one, and this waits for its end.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

CONTEXT, LANGUAGE = "--serialized-runtime-env-context=", "--language="
SERVER = "PROMOTUNE_FORK_SERVER"
PATIENCE_S = 25
"""So long a server may take to import what it imports; Ray itself gives up a worker after a minute."""
READY = "ready\n"
LATE = frozenset({"PL_DISABLE_FORK"})
"""Variables of a runtime environment that are read while a worker runs. Ray Tune sets this for each of its trials."""


def main() -> None:
    """Start the worker."""
    command, variables = command_of(sys.argv[1:])
    server = os.environ.pop(SERVER, None)
    os.environ.update(variables or {})
    if variables is not None and variables.keys() <= LATE and server is not None and not command[1].startswith("-"):
        status = forked(server, command[1:])
        if status is not None:
            sys.exit(status if status >= 0 else 128 - status)
    os.execv(command[0], command)  # noqa: S606 - the command is Ray's


def command_of(arguments: Sequence[str]) -> tuple[list[str], dict[str, str] | None]:
    """Return the command, by the arguments that Ray's script has, and the variables to set; None: it does that itself.

    Two of the arguments are for the script. The first that is no flag of Python's is the file of the worker; beside it
    is Ray's script.
    """
    found = {key: [each.removeprefix(key) for each in arguments if each.startswith(key)] for key in (CONTEXT, LANGUAGE)}
    variables = _variables((found[CONTEXT] or ["{}"])[-1])
    if found[LANGUAGE] == ["PYTHON"] and variables is not None:
        return [sys.executable, *(each for each in arguments if not each.startswith((CONTEXT, LANGUAGE)))], variables
    worker = next(each for each in arguments if not each.startswith("-"))
    return [sys.executable, str(Path(worker).with_name("setup_worker.py")), *arguments], None


def _variables(text: str) -> dict[str, str] | None:
    """Return a runtime environment's variables; None where there is more to do than to set them as they are."""
    context = json.loads(text)
    variables: dict[str, str] = context.pop("env_vars", None) or {}
    more = any(value for key, value in context.items() if (key, value) != ("py_executable", sys.executable))
    return None if more or any("$" in each for each in variables.values()) else variables


def forked(server: str, arguments: Sequence[str]) -> int | None:
    """Let the server fork a worker, wait for it, and return its exit status; None: no worker was forked."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            asked = {
                "arguments": [*arguments],
                "environment": dict(os.environ),
                "folder": str(Path.cwd()),
                "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
            }
            line.settimeout(PATIENCE_S)
            line.connect(server)
            answers = line.makefile()
            if answers.readline() != READY:
                return None
            text = json.dumps(asked).encode() + b"\n"
            sent = socket.send_fds(line, [text], [0, 1, 2])
            line.sendall(text[sent:])
            answer = answers.readline()
        except OSError:
            return None
        if not answer:  # it could not fork, or is gone
            return None
        pid = int(answer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: os.kill(pid, number))
        try:
            line.settimeout(None)
            return int(answers.readline())
        except (OSError, ValueError):  # the server went first: how the worker ended nobody knows
            return 1


if __name__ == "__main__":
    main()
