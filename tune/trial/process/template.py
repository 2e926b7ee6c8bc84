"""The template that trials are forked from: it has imported torch and Lightning once, and has one thread.

A template serves one server (``server.py``) over a socket, one JSON message a packet. It forks a process for a trial,
or the next template, which has also imported what the program imports and compiled the program's source. What breaks
a forked child (a second thread, CUDA) is looked for after each import, and where that costs nothing before each fork.
"""

import contextlib
import faulthandler
import gc
import importlib
import importlib.util
import json
import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import warnings
import weakref
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tune.experiment.environment import find_environment_changes
from tune.trial.describe_exception import describe_raised
from tune.trial.process.linux import count_threads, kill_all, reap_children
from tune.trial.process.packets import receive_packet, send_packet
from tune.trial.process.program_imports import names_math_variables
from tune.trial.process.watched import log_os_exits

if TYPE_CHECKING:
    from tune.trial.process.trial_process import PreparedJob

GPU_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Files of which one is there where a GPU may be: NVIDIA's, that of Windows' Linux, AMD's."""


def run_first_template(server: socket.socket) -> NoReturn:
    """Import torch and Lightning, and serve; for a process that the server forked."""
    before = dict(os.environ)
    faulthandler.enable()
    log_os_exits()
    with _report_failure(server):
        gc.disable()
        from tune.trial.process.trial_process import PreparedJob
    _serve_forks(server, PreparedJob(variables=_find_changed_variables(before)))


def _serve_forks(server: socket.socket, prepared: "PreparedJob", left_out: Mapping[str, str] | None = None) -> NoReturn:
    """Fork what the server asks for, until it is gone."""
    _freeze_objects()
    awake, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    for each in (server, awake):
        selector.register(each, selectors.EVENT_READ)
    own = (server, awake, wake)
    trials: set[int] = set()
    send_packet(server, {"ready": True, "left_out": dict(left_out or {})})
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if awake in ready:
            awake.recv(4096)
            _reap_trials(server, trials)
        if server not in ready:
            continue
        message, descriptors = receive_packet(server)
        if message is None:  # the server is gone, and whoever would end the trials with it
            kill_all(trials)
            os._exit(0)
        if message["do"] == "end":
            os._exit(0)
        if (reason := _describe_fork_obstacle()) is not None:
            send_packet(server, {"unfit": reason})
            os._exit(0)
        if message["do"] == "fork":
            trials.add(_fork_trial(server, prepared, selector, own))
        else:
            _fork_template(message, socket.socket(fileno=descriptors[0]), server, prepared, selector, own)


def _freeze_objects() -> None:
    """Leave what was imported out of the collector's sight, and out of what is done at a child's end."""
    for finalizer in list(getattr(weakref.finalize, "_registry", ())):
        finalizer.atexit = False  # of libraries: 30 ms at the end of each process, for memory that goes with it
    gc.collect()
    gc.freeze()  # what was imported is shared with the children, and is not looked through by their collectors
    gc.enable()


def _describe_fork_obstacle() -> str | None:
    """Return why this process cannot be forked; None: it can."""
    if (number := count_threads()) > 1:
        return f"{number - 1} threads were started"
    torch: Any = sys.modules["torch"]
    return "CUDA was initialised" if torch.cuda.is_initialized() else None


def _may_use_gpus() -> bool:
    """Return whether torch was built for GPUs, and a driver of one is there; neither CUDA nor NVML is asked.

    Where NVML does not answer (MIG, many containers, ROCm), ``torch.cuda.is_available()`` counts by CUDA itself, and no
    process that is forked later can use CUDA.
    """
    version: Any = sys.modules["torch"].version
    return (version.cuda or version.hip) is not None and any(map(os.path.exists, GPU_DRIVERS))


def _find_bad_fork() -> str | None:
    """Return why CUDA would refuse to work in a child of this process; None: it would not, or there is no GPU.

    A call that only asks CUDA for its GPUs is enough for that, and torch says so in a forked child alone.
    """
    if not _may_use_gpus():
        return None
    torch: Any = sys.modules["torch"]
    pid = os.fork()
    if pid == 0:
        os._exit(getattr(torch.cuda, "_is_in_bad_fork", bool)())
    return "CUDA was called" if os.waitpid(pid, 0)[1] else None


def _fork_trial(
    server: socket.socket, prepared: "PreparedJob", selector: selectors.BaseSelector, own: Sequence[socket.socket]
) -> int:
    """Fork a process that waits for a trial, and send the server the other end of its connection."""
    theirs, ours = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        theirs.close()
        _close_descriptors(selector, own)
        from tune.trial.process.trial_process import run_child

        run_child(Connection(ours.detach()), prepared)
    ours.close()
    with theirs:
        socket.send_fds(server, [json.dumps({"forked": pid}).encode()], [theirs.fileno()])
    return pid


def _fork_template(
    message: Mapping[str, Any],
    channel: socket.socket,
    server: socket.socket,
    prepared: "PreparedJob",
    selector: selectors.BaseSelector,
    own: Sequence[socket.socket],
) -> None:
    """Fork the next template, which serves the server over a channel of its own."""
    pid = os.fork()
    if pid == 0:
        _close_descriptors(selector, own)
        _become_next_template(channel, message, prepared)
    channel.close()
    send_packet(server, {"made": pid})


def _close_descriptors(selector: selectors.BaseSelector, own: Sequence[socket.socket]) -> None:
    """Close the template's descriptors, and take its signal handler back; for a forked child."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    selector.close()
    for each in own:
        each.close()


def _reap_trials(server: socket.socket, trials: set[int]) -> None:
    """Tell the server of each child that ended, with its exit status; a negative one is a signal's number."""
    for pid, status in reap_children():
        trials.discard(pid)
        send_packet(server, {"ended": pid, "status": status})


def _become_next_template(server: socket.socket, message: Mapping[str, Any], prepared: "PreparedJob") -> NoReturn:
    """Import packages, compile the program, train a toy model if that is asked for, and serve."""
    os.environ.update(prepared.variables)
    before, left_out = dict(os.environ), {}
    from tune.trial.process.random_generators import describe_generators
    from tune.trial.process.trial_process import PreparedJob, load_job

    with _report_failure(server):
        gc.disable()
        generators = describe_generators()
        for name, origin in message["packages"].items():
            if name in sys.modules:
                continue
            if (reason := _import_package(name, origin)) is not None:
                left_out[name] = reason
            broken = _describe_fork_obstacle() or _find_bad_fork()
            if broken is None and describe_generators() != generators:
                broken = "random numbers were drawn, or a seed was set"  # a trial does that behind its own seed
            if broken is not None:
                send_packet(server, {"spoilt": name, "reason": broken})
                os._exit(0)
        variables = {**prepared.variables, **_find_changed_variables(before)}
        file = message["job"]
        job, executor = (prepared.job, prepared.executor) if file == prepared.file else load_job(file)
        if job is not None and executor is not None:
            find_environment_changes(job.surroundings, job.n_threads, gpus="")  # remembers the versions of packages
            with contextlib.suppress(Exception):  # the trial says what is wrong with the source
                executor.compile_all()
        if message["warm"] and (job is None or not names_math_variables(job.program)):
            _train_toy(Path(file).parent)
    _serve_forks(server, PreparedJob(file=file, job=job, executor=executor, variables=variables), left_out)


def _import_package(name: str, origin: str | None) -> str | None:
    """Import a module that the program imports; return why it was not imported, None where it was.

    ``origin``: the file that the program's import found, where that is known; another one is not the same module.
    """
    try:
        if origin is not None and "." not in name:
            spec = importlib.util.find_spec(name)
            if spec is None or spec.origin != origin:
                return "found elsewhere"
        importlib.import_module(name)
    except BaseException as error:  # the program meets it where it imports the package
        return f"{type(error).__name__}: {error}"
    return None


def _train_toy(place: Path) -> None:
    """Train a small model once, so that what torch and Lightning make at first use is there in each trial's process.

    The first training of a process takes 80 ms longer than the second (two cores, torch 2.13). Where a GPU may be it is
    left out: the backward pass would start a thread for each, and Lightning's Trainer counts them.

    Its files lie in ``place``, the server's folder, which is removed even where this process is killed meanwhile.
    """
    if _may_use_gpus():
        return
    from tune.trial.lightning.packages import PACKAGES
    from tune.trial.lightning.toy_fit import train_toy

    logging.disable(logging.CRITICAL)
    environment = dict(os.environ)
    try:
        for name in (each for each in PACKAGES if each in sys.modules):  # ours imports one, the program perhaps another
            with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="toy-", dir=place) as folder:
                warnings.simplefilter("ignore")
                train_toy(Path(folder), sys.modules[name])
    except Exception as error:
        sys.stderr.write(f"the template could not train: {type(error).__name__}: {error}\n")
    finally:
        logging.disable(logging.NOTSET)
        os.environ.clear()
        os.environ.update(environment)


def _find_changed_variables(before: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if before.get(name) != text}


@contextlib.contextmanager
def _report_failure(server: socket.socket) -> Any:
    """Tell the server of an exception, and end."""
    try:
        yield
    except BaseException as error:
        send_packet(server, {"failed": describe_raised(error)})
        os._exit(1)
