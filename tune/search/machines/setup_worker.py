"""Starts a worker of Ray's, as Ray's script of this name does, but without importing Ray: the worker does that again.

Run by the raylet, as a file: nothing of ours is imported. Where something is to be set up first, Ray's own script does.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

CONTEXT, LANGUAGE = "--serialized-runtime-env-context=", "--language="


def command_of(arguments: Sequence[str]) -> list[str]:
    """Return the command, by the arguments that Ray's script has: the worker's own, among them two for the script.

    The first that is no flag of Python's is the file of the worker; beside it is Ray's script.
    """
    found = {key: [each.removeprefix(key) for each in arguments if each.startswith(key)] for key in (CONTEXT, LANGUAGE)}
    if found[LANGUAGE] == ["PYTHON"] and not _sets_up(found[CONTEXT] or ["{}"]):
        return [sys.executable, *(each for each in arguments if not each.startswith((CONTEXT, LANGUAGE)))]
    worker = next(each for each in arguments if not each.startswith("-"))
    return [sys.executable, str(Path(worker).with_name("setup_worker.py")), *arguments]


def _sets_up(contexts: Sequence[str]) -> bool:
    """Tell whether there is anything in a runtime environment but the Python that runs this."""
    context = json.loads(contexts[-1])
    return any(value for key, value in context.items() if (key, value) != ("py_executable", sys.executable))


if __name__ == "__main__":
    command = command_of(sys.argv[1:])
    os.execv(command[0], command)  # noqa: S606 - the command is Ray's
