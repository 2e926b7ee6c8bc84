"""Starts a worker of Ray's, as Ray's script of this name does, but without importing Ray: the worker does that again.

Run by the raylet, as a file: nothing of ours is imported. Where something is to be set up first, Ray's own script does.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

CONTEXT, LANGUAGE = "--serialized-runtime-env-context=", "--language="


def command_of(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the command, by the arguments that Ray's script has, and the variables to set for it.

    Two of the arguments are for the script. The first that is no flag of Python's is the file of the worker; beside it
    is Ray's script.
    """
    found = {key: [each.removeprefix(key) for each in arguments if each.startswith(key)] for key in (CONTEXT, LANGUAGE)}
    variables = _variables((found[CONTEXT] or ["{}"])[-1])
    if found[LANGUAGE] == ["PYTHON"] and variables is not None:
        return [sys.executable, *(each for each in arguments if not each.startswith((CONTEXT, LANGUAGE)))], variables
    worker = next(each for each in arguments if not each.startswith("-"))
    return [sys.executable, str(Path(worker).with_name("setup_worker.py")), *arguments], {}


def _variables(text: str) -> dict[str, str] | None:
    """Return a runtime environment's variables, of which Ray Tune has one; None where there is more to do than that."""
    context = json.loads(text)
    variables: dict[str, str] = context.pop("env_vars", None) or {}
    more = any(value for key, value in context.items() if (key, value) != ("py_executable", sys.executable))
    return None if more or any("$" in each for each in variables.values()) else variables


if __name__ == "__main__":
    command, variables = command_of(sys.argv[1:])
    os.environ.update(variables)
    os.execv(command[0], command)  # noqa: S606 - the command is Ray's
