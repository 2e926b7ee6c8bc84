"""Searches as processes of their own, what they say, and what is left of them."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import psutil
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

ROOT = Path(__file__).parents[2]
MOST_S = float(os.environ.get("ATTACK_MOST_S", "60"))
"""Nothing may wait longer; on a machine that others use, what takes more is to be tried again alone."""
GONE_S = MOST_S / 6
"""So soon after a kill nothing is left, processes or temporary files; Ray's agents may take a minute."""
MARK = "PROMOTUNE_ATTACK"
"""The variable by which all processes of one search are found, whoever adopted them."""
SPACE = """\
system: line.py
metric: Score/Val
mode: max
constants:
  LR: {{loguniform: [1.0e-3, 1]}}
trials: {trials}
concurrency: 2
trainer: {{max_epochs: {epochs}}}
"""


class StoppedError(BaseException):
    """The attack is to end now; commands that run in this process take a Ctrl-C for theirs."""


stop_asked = threading.Event()
"""Set with it: what is raised within a call of Ray's comes out as something else."""
made: list["Findings"] = []
"""All of this process, in their order: an attack that is interrupted has some, too."""


@dataclass
class Findings:
    """What one kind of attack came to."""

    attack: str
    n: int = 0
    """How often it was tried."""
    slowest_s: float = 0.0
    """The longest that anything took."""
    problems: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    """What came of it where nothing went wrong, and how often."""

    def __post_init__(self) -> None:
        made.append(self)

    def note(self, what: str) -> None:
        """Count one outcome."""
        self.notes[what] = self.notes.get(what, 0) + 1

    def check(self, is_right: bool, problem: str) -> None:
        """Note a problem where something is not right."""
        if not is_right:
            self.problems.append(problem)
            print(f"  {self.attack}: {problem}", flush=True)

    def check_output(self, said: "Said", about: str, statuses: Sequence[int]) -> None:
        """Check what a command said: its status, that it was done in time, and that nothing acts on a terminal."""
        if stop_asked.is_set():
            raise StoppedError
        self.slowest_s = max(self.slowest_s, said.took_s)
        self.check(said.took_s < MOST_S, f"{about}: it took {said.took_s:.0f} s")
        self.check(said.status in statuses, f"{about}: status {said.status}\n{said.text[-1500:]}")
        self.check("Traceback" not in said.text, f"{about}: a traceback\n{said.text[-3000:]}")
        raw = sorted({letter for letter in said.text if is_control(letter)})
        self.check(not raw, f"{about}: control characters {raw}")


def is_control(letter: str) -> bool:
    """Tell whether a character acts on a terminal; a tab and a newline may."""
    is_code = ord(letter) < 32 or 127 <= ord(letter) < 160
    return letter not in "\n\t" and (is_code or letter in "\u202a\u202e\u2066\u2028")


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    status: int
    text: str
    took_s: float


class Project:
    """A folder with a program, a storage and a place for temporary files of its own."""

    def __init__(self, folder: Path, *, trials: int, epochs: int, pace_s: float = 0.0) -> None:
        self.folder, self.storage, self.temporary = folder, folder / "storage", folder / "t"
        self.mark = uuid.uuid4().hex
        self.environment: Mapping[str, str] = {
            **os.environ,
            MARK: self.mark,
            "PACE_S": str(pace_s),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(ROOT),
        }
        self.temporary.mkdir(parents=True)
        (folder / "p").mkdir()
        shutil.copy(Path(__file__).with_name("line.py"), folder / "p")
        (folder / "p" / "s.yaml").write_text(SPACE.format(trials=trials, epochs=epochs))

    def start(self, *words: str, name: str = "out.txt") -> subprocess.Popen[bytes]:
        """Start a command; what it says is added to a file of that name."""
        with (self.folder / name).open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "tune", *words, "--storage", str(self.storage)],
                cwd=self.folder / "p",
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def run(self, *words: str) -> Said:
        """Run a command to its end; one that does not come is killed, and took longer than is allowed."""
        (self.folder / "run.txt").unlink(missing_ok=True)
        began = time.monotonic()
        process = self.start(*words, name="run.txt")
        return self.end_of(process, began, "run.txt")

    def end_of(self, process: subprocess.Popen[bytes], began: float, name: str = "out.txt") -> Said:
        """Wait for a command that was started."""
        try:
            status = process.wait(timeout=MOST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        text = (self.folder / name).read_bytes().decode(errors="backslashreplace")
        return Said(status, text, time.monotonic() - began)

    def family(self) -> list[psutil.Process]:
        """Return the processes that were started by a command of this project, and by those.

        A process that writes its title writes it over the variables that others see: such a one has its parent, or its
        working directory.
        """
        everyone = list(psutil.process_iter(["ppid"]))
        pids = {each.pid for each in everyone if self._is_ours(each.pid)}
        while more := {each.pid for each in everyone if each.info["ppid"] in pids} - pids:
            pids |= more
        return [each for each in everyone if each.pid in pids]

    def _is_ours(self, pid: int) -> bool:
        try:
            if f"{MARK}={self.mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                return True
            return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(self.folder)
        except OSError:  # it is gone
            return False

    def wait_until_gone(self, seconds: float) -> list[str]:
        """Return what is left of all commands after so long at most: processes, and temporary files."""
        until = time.monotonic() + seconds
        while left := [*map(describe, living(self.family())), *self.temporary_files()]:
            if time.monotonic() > until:
                break
            time.sleep(0.1)
        return left

    def temporary_files(self) -> list[str]:
        """Return what lies in the place for temporary files, but for the folder that torch makes in every program."""
        return [path.name for path in self.temporary.iterdir() if not path.name.startswith("torchinductor_")]

    def close(self) -> None:
        """End what is left, and remove the folder."""
        for each in living(self.family()):
            with contextlib.suppress(psutil.Error):
                each.send_signal(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def living(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those that run."""
    found = []
    for each in processes:
        with contextlib.suppress(psutil.Error):
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def describe(process: psutil.Process) -> str:
    """Return what a process is called."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())[:80] or process.name()
    return "?"


def find_one(project: Project, starts: str, name: str = "") -> psutil.Process | None:
    """Return the first process whose title begins so, or that has this name."""
    for each in project.family():
        with contextlib.suppress(psutil.Error):
            title = " ".join(each.cmdline())
            is_titled = starts and title.startswith(starts) and ("Agent" in starts or "Agent" not in title)
            if is_titled or (name and each.name().startswith(name)):
                return each
    return None


def wait_for(seen: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = MOST_S) -> bool:
    """Wait until something is seen; return whether the process still runs then."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        if seen():
            return True
        time.sleep(0.01)
    return False


def read_trials(experiment: Path) -> list[FrozenTrial]:
    """Return the trials of a ledger; none where there is no study in it yet."""
    journal = experiment / "study.journal"
    if not journal.is_file() or not journal.stat().st_size:
        return []
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return [trial for study in storage.get_all_studies() for trial in storage.get_all_trials(study._study_id)]  # noqa: SLF001


Curve = tuple[str, dict[int, float], list[float] | None]


def ended_trials(experiment: Path) -> dict[int, Curve]:
    """Return state, curve and values of each trial that ended."""
    found = {}
    with contextlib.suppress(KeyError, IndexError, ValueError, OSError):  # a record is being written
        for each in read_trials(experiment):
            if each.state.is_finished():
                found[each.number] = (each.state.name, dict(each.intermediate_values), each.values)
    return found


def reports_twice(experiment: Path) -> list[str]:
    """Return the epochs that stand twice in a ledger."""
    lines = (experiment / "study.journal").read_text().splitlines()
    seen, twice = set(), []
    for line in lines:
        if found := re.search(r'"op_code":7.*"trial_id":(\d+).*"step":(\d+)', line):
            twice += [found[0]] if found.groups() in seen else []
            seen.add(found.groups())
    return twice


@contextlib.contextmanager
def projects(place: Path, seed: int) -> Iterator[Callable[..., Project]]:
    """Give what makes projects in a folder of this attack; all are closed at its end."""
    made: list[Project] = []

    def make(**settings: float) -> Project:
        made.append(Project(place / f"{seed}-{len(made)}", **settings))
        return made[-1]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield make
    finally:
        for each in made:
            each.close()
