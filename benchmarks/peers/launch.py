"""One search of one contestant, from the command to the prompt."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.peers.assignment import ROOT, Assignment
from benchmarks.peers.contestants import Contestant

POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A search that has ended."""

    began: float
    """Seconds since the epoch, when the command was given."""
    ended: float
    """Seconds since the epoch, when its process was gone."""
    folder: Path
    """What it wrote."""


class LaunchError(Exception):
    """A contestant ended with an error; the text has the end of what it said."""


@contextmanager
def launched(
    contestant: Contestant,
    assignment: Assignment,
    timeout_s: float,
    look: Callable[[int, Path], bool] = lambda pid, folder: False,
) -> Iterator[Launch]:
    """Run a search in an empty folder, which is deleted in the end.

    ``look`` is called all the time with the process and the folder; where it returns True the search is ended.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as place:
        folder = Path(place) / "results"
        folder.mkdir()
        file = Path(place) / "assignment.json"
        replace(assignment, folder=str(folder)).write(file)
        command = contestant.command(file)
        log = Path(place) / "output.txt"
        with log.open("wb") as output:
            began = time.time()
            process = subprocess.Popen(
                command, cwd=place, env=_environment(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                status = _wait(process, began + timeout_s, lambda: look(process.pid, folder))
            finally:
                ended = time.time()
                _end(process)
        if status not in (0, None):
            said = log.read_text(errors="replace")[-3000:]
            raise LaunchError(f"{contestant.name} ended with status {status}:\n{said}")
        yield Launch(began=began, ended=ended, folder=folder)


def _wait(process: subprocess.Popen[bytes], deadline: float, look: Callable[[], bool]) -> int | None:
    """Return the exit status; None where the search was ended from outside."""
    while (status := process.poll()) is None:
        if time.time() > deadline or look():
            return None
        time.sleep(POLL_S)
    return status


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs of it, its own process group alone; Ray's processes leave with their driver."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment() -> dict[str, str]:
    """Return a process's environment: one thread a trial for all, since all run as many trials as there are workers."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_DEDUP_LOGS": "0"}
