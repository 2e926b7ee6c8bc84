"""Commands of Promotune as processes of their own: their output is read, and a search outlives whoever started it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import tune
from tune.experiment.lock import read_lock_holder
from tune.paths import ExperimentPaths
from tune.results.experiments import list_experiments

COMMAND_S = 120.0
"""How long a command may take that answers at once: it reads an experiment, or waits for a driver's answer."""
START_S = 180.0
"""How long a search may take to its ledger: Ray starts."""
POLL_S = 0.2
MOST_SAID = 4000
"""Characters of what a command said that are passed on: the last ones, where the error stands."""


class CommandError(Exception):
    """A command did not do what it was asked for; the text is what it said."""


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What a command said."""

    exit_status: int
    text: str
    """Its standard output."""
    errors: str
    """Its standard error."""


def run_command(words: Sequence[str], good: Sequence[int] = (0,)) -> CommandOutput:
    """Run a command to its end; raise CommandError with what it said where its exit status is none of ``good``."""
    command = _build_command(words)
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"`{words[0]}` did not answer within {COMMAND_S:.0f} s: ask again later") from error
    except (OSError, ValueError) as error:
        raise _create_refusal(words, error) from error
    text, errors = (each.decode(errors="replace") for each in (done.stdout, done.stderr))
    if done.returncode not in good:
        raise _create_error(words, done.returncode, errors.strip() or text.strip())
    return CommandOutput(exit_status=done.returncode, text=text, errors=errors)


class StartedCommand:
    """A command that goes on when this process ends: it has a session and files of its own."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._output: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - the command writes into it as long as it runs
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                _build_command(words),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._output.close()
            raise _create_refusal(words, error) from error

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is over; it is waited for by asking."""
        return self._process.poll() is not None

    def wait_for_experiment(self, storage: Path) -> ExperimentPaths:
        """Return the experiment that it writes, once that has a ledger, or the time is over.

        Raises CommandError with what it said where it ended before, and where it holds no experiment in time.
        """
        try:
            found = self._wait_until(time.monotonic() + START_S, storage)
            if self.has_ended and self._process.returncode != 0:
                raise _create_error(self._words, self._process.returncode, self._read_output())
            if found is None:
                what = f"no experiment in {storage} after {START_S:.0f} s"
                raise CommandError(f"{what}; it said: {self._read_output()[-MOST_SAID:]}")
        finally:
            self._output.close()  # what it says from now on nobody reads; it has the file all the same
        return found

    def _wait_until(self, ends_at: float, storage: Path) -> ExperimentPaths | None:
        """Return the experiment as soon as it has a ledger, at the end of the time or of the process what there is."""
        found: ExperimentPaths | None = None
        while time.monotonic() < ends_at:
            is_over = self.has_ended
            found = found or self._find_experiment(storage)
            if is_over or (found is not None and found.journal.is_file()):
                break
            time.sleep(POLL_S)
        return found

    def _find_experiment(self, storage: Path) -> ExperimentPaths | None:
        return next((each for each in list_experiments(storage) if read_lock_holder(each) == self.pid), None)

    def _read_output(self) -> str:
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace").strip()


def _build_command(words: Sequence[str]) -> list[str]:
    root = Path(tune.__file__).parents[1]
    isolated = [] if Path.cwd() == root else ["-P"]  # else a tune.py of the project would take the package's place
    return [sys.executable, *isolated, "-m", "tune", *words]


def _create_error(words: Sequence[str], exit_status: int, said: str) -> CommandError:
    return CommandError(said[-MOST_SAID:] or f"`{words[0]}` ended with exit status {exit_status}, and said nothing")


def _create_refusal(words: Sequence[str], error: Exception) -> CommandError:
    """Return the error where the system starts no command: one of its words is too long, or holds what no word can."""
    return CommandError(f"`{words[0]}` cannot be given these words: {error}")
