"""The process of one trial: set up as a process of its own would be, it runs the program in its main thread, and ends.

It was forked from a template, or started where forking is not safe. An actor tells it what to do, hears its epochs, and
answers whether the trial goes on (``channel.py``).
"""

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import torch
from setproctitle import setproctitle
from threadpoolctl import threadpool_limits

from tune.errors import NoRoomError
from tune.experiment.counted_fits import read_counted_fits
from tune.experiment.records import IDLE, IMPORT
from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.promotion.snapshot import Snapshot
from tune.trial.disk_space import translate_disk_full
from tune.trial.lightning.profiler import create_stopwatch
from tune.trial.messages import Job
from tune.trial.process.channel import COMPILE_THREADS, NO_ROOM, READY, Channel, EpochClock, EpochReporter, TrialStart
from tune.trial.process.linux import OOM_SCORE_ADJ, become_subreaper
from tune.trial.process.watched import log_os_exits
from tune.trial.trial_runner import TrialRunner

_status = 0
_has_begun = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedJob:
    """What a trial's process finds in memory."""

    file: str | None = None
    """The file of ``job``; None: no job was prepared."""
    job: Job | None = None
    executor: Executor | None = None
    """Holds the program's compiled source."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that imported packages have set."""


def load_job(file: str) -> tuple[Job, Executor]:
    """Return the job in a file and what executes its program."""
    job: Job = pickle.loads(Path(file).read_bytes())  # noqa: S301 - our own file, in a folder of ours alone
    sites = {key: constant.sites for key, constant in job.constants.items()}
    return job, Executor(Snapshot(job.snapshot, job.program), sites, job.symbols)


def run_child(connection: Connection, prepared: PreparedJob) -> NoReturn:
    """Run the trial that the first message names; end without a word where none comes."""
    global _status
    try:
        start: TrialStart = connection.recv()
    except (EOFError, OSError):
        os._exit(0)
    _status = 1
    _become_own_process(start, prepared.variables)
    link = Channel(connection)
    try:
        _run_trial(start, prepared, link)
    except BaseException as error:  # none of the program's; or it has replaced what its end is written with
        with contextlib.suppress(BaseException):
            traceback.print_exception(error)
        what = "the trial's end could not be written down" if _has_begun else "the trial could not begin"
        link.exit_with_reason(f"{what}: {type(error).__name__}: {error}")
    _status = 0
    raise SystemExit(0)  # as any program ends: threads that are no daemons are waited for, exit functions are called


def _prepare_trial(start: TrialStart, prepared: PreparedJob, link: Channel) -> tuple[TrialRunner, EpochReporter]:
    """Enter the trial's version; return what runs the trial, and what tells its epochs."""
    job, executor = (prepared.job, prepared.executor) if start.job == prepared.file else load_job(start.job)
    assert job is not None
    assert executor is not None
    task = start.task
    version = VersionPaths(Path(task.version))
    setproctitle(f"promotune: {version.folder.name}")
    with translate_disk_full(version.folder):
        enter_version(version, job)
    sys.argv[:] = [str(job.program.path)]
    stopwatch = create_stopwatch(job.session, start.stopwatch, IMPORT if prepared.file is None else IDLE)
    samples = None if start.gpu_samples is None else Path(start.gpu_samples)
    counted = read_counted_fits(start.counted)
    trial = TrialRunner(job, task, executor, link, stopwatch, start.worker, counted, samples)
    clock = EpochClock(start.before, counts=task.attempt == 1)
    return trial, EpochReporter(link.send_epochs, None if job.objective.others else task.judged_at, epochs=clock)


def _run_trial(start: TrialStart, prepared: PreparedJob, link: Channel) -> None:
    """Run a trial, and tell the actor its epochs, and that it is through."""
    global _has_begun
    try:
        trial, mail = _prepare_trial(start, prepared, link)
        _has_begun = True
        trial.run_trial(mail.report_epoch, lambda packages, counted: link.send_message(READY, packages, counted))
    except NoRoomError as error:
        link.send_message(NO_ROOM, error.args)
        return
    link.send_done([] if mail.stopped else mail.held, trial.stopwatch.lap_ended)


def enter_version(version: VersionPaths, job: Job) -> None:
    """Send standard output and error to the version's log, and go to the trial's working directory."""
    version.folder.mkdir(parents=True, exist_ok=True)
    log = os.open(version.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    if job.own_folder:
        version.working_folder.mkdir(exist_ok=True)
    os.chdir(version.working_folder if job.own_folder else job.folder)
    torch.set_num_threads(job.n_threads)
    if job.n_threads > 1:
        threadpool_limits(job.n_threads)  # of NumPy's and SciPy's libraries: the template has one thread


def _become_own_process(start: TrialStart, variables: Mapping[str, str]) -> None:
    """Be what a process that was just started is: a session, signals, streams, limits and an environment of its own."""
    with contextlib.suppress(OSError):
        os.setsid()
    become_subreaper()  # what it starts stays below it, and ends with it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # SLURM may send it to every process: the search then ends the trial
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, start.niceness)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJ))
    os.environ.clear()
    os.environ.update({**variables, **start.environment})
    _limit_compiler()
    if start.temporary is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", find_compiler_cache())  # as in any run: for all trials
        os.environ["TMPDIR"] = start.temporary
        tempfile.tempdir = None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    multiprocessing.set_start_method(None, force=True)
    faulthandler.disable()  # a fit of the template took its handlers away: Lightning restores those that Python knows
    faulthandler.enable()
    log_os_exits()


def _limit_compiler() -> None:
    """Have models compiled by as many processes as the environment says: the template has read its own."""
    config = sys.modules.get("torch._inductor.config")
    number = os.environ.get(COMPILE_THREADS, "")
    if config is not None and number.isdecimal():
        config.compile_threads = int(number)  # type: ignore[attr-defined]


def find_compiler_cache() -> str:
    """Return the folder that torch takes for compiled code, by the temporary folder of all."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container knows no name for its user; torch names the folder so then
        user = f"uid_{os.getuid()}"
    return str(Path(tempfile.gettempdir()) / f"torchinductor_{user}")


def exit_now() -> None:
    """End the process behind all other exit functions: to take torch down would take a quarter of a second."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(_status)
