"""What a trial's process and its actor send each other: tuples, whose first word says what they are."""

import contextlib
import math
import os
import re
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from tune.nvml import NVML_ORDER
from tune.trial.lightning.profiler import State
from tune.trial.messages import EpochReport, TrialTask

EPOCHS, DONE, NO_ROOM, READY, DIED = "epochs", "done", "no room", "ready", "died"
"""To the actor. ``epochs`` is answered with True where the trial is to stop; ``ready``: the pre-flight passed."""
TRAINING, TRAINED, EPOCH, BATCH = "training", "trained", "epoch", "batch"
"""To the actor: that the trial makes progress, and between which moments it has to."""
TOGETHER_S = 0.5
"""An epoch that ends later than this after the last message is told at once, with those that wait."""
BATCH_S = 0.5
"""A batch that ends sooner after the last one that was told is not told."""
SHAPES: Mapping[str, tuple[type, ...]] = {
    EPOCHS: (list,),
    DONE: (list, tuple),
    NO_ROOM: (tuple,),
    READY: (Mapping, Mapping),
    DIED: (str,),
    TRAINING: (),
    TRAINED: (),
    EPOCH: (object,),
    BATCH: (),
}
"""What follows the first word of each message to the actor."""
SAID, LOST = 70, 71
"""Exit statuses of a process that cannot go on: it has said why; its connection is gone."""
EXIT_CALLED = "the program called os._exit"
CONNECTION_CLOSED = "the program closed its connection to the search"
FATAL = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT})
"""Signals of a process's own mistakes."""


class Channel:
    """The process's end. A child that the program forked is not the trial: it ends where it would speak for it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pid = os.getpid()
        self._batch_at = 0.0

    def send_message(self, what: str, *content: Any) -> None:
        """Send a message; end where the actor is gone."""
        if os.getpid() != self._pid:
            os._exit(0)
        try:
            self._connection.send((what, *content))
        except OSError:
            os._exit(LOST)

    def send_epochs(self, epochs: Sequence[EpochReport]) -> bool:
        """Report epochs; return whether the trial is to stop."""
        self.send_message(EPOCHS, [tuple(each) for each in epochs])
        try:
            return bool(self._connection.recv())
        except (EOFError, OSError):
            os._exit(LOST)

    def send_done(self, epochs: Sequence[EpochReport], lap_ended: tuple[float, float]) -> None:
        """Tell that the trial is through, with the epochs that were not reported; its record says how it ended."""
        self.send_message(DONE, [tuple(each) for each in epochs], lap_ended)

    def exit_with_reason(self, how: str) -> NoReturn:
        """End the process, and say how."""
        self.send_message(DIED, how)
        os._exit(SAID)

    def send_epoch_end(self, *, last: bool) -> None:
        """Tell that an epoch ended; ``last``: what follows is no epoch."""
        self.send_message(EPOCH, last)

    def send_batch_end(self) -> None:
        """Tell that a batch ended, if none was told lately."""
        now = time.monotonic()
        if now - self._batch_at >= BATCH_S:
            self._batch_at = now
            self.send_message(BATCH)

    @contextlib.contextmanager
    def announce_training(self) -> Iterator[None]:
        """Let the actor take silence for a hang meanwhile."""
        self.send_message(TRAINING)
        try:
            yield
        finally:
            self.send_message(TRAINED)


def is_message(message: object) -> bool:
    """Tell whether a trial's process sent what an actor understands: a program can write into the connection, too."""
    if not isinstance(message, tuple) or not message or not isinstance(message[0], str):
        return False
    what, *content = message
    kinds = SHAPES.get(what)
    if kinds is None or len(content) != len(kinds) or not all(map(isinstance, content, kinds)):
        return False
    if what == DONE and [type(each) for each in content[1]] != [float, float]:
        return False
    return what not in (EPOCHS, DONE) or all(map(_is_epoch, content[0]))


def _is_epoch(told: object) -> bool:
    try:
        epoch = EpochReport(*told)  # type: ignore[misc]
    except TypeError:
        return False
    return isinstance(epoch.epoch, int) and isinstance(epoch.value, float | int)


def limit_reads(connection: Connection, seconds: float) -> None:
    """Have a read raise BlockingIOError that gets nothing for so long: who writes may stop within a message."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", *divmod(int(seconds * 1e6), 10**6)))


class EpochClock:
    """The clock of one trial; the processes of a machine share the monotonic one."""

    def __init__(
        self, before: float | None = None, clock: Callable[[], float] = time.monotonic, *, counts: bool = True
    ) -> None:
        """``before``: when the last epoch of the actor's trial before ended; None: this is its first trial.

        ``counts``: False for a trial that goes on from a checkpoint: it reports what it has behind it.
        """
        self._before = before
        self._clock = clock
        self._counts = counts

    def read_times(self) -> tuple[float | None, float | None]:
        """Return when an epoch ended, which is now, and when the last one of the trial before did, in seconds."""
        return (self._clock(), self._before) if self._counts else (None, None)


class EpochReporter:
    """Sends the epochs of one trial.

    The driver needs milliseconds for a message, and the trial waits for its answer: with short epochs both would do
    little else. So epochs that no decision waits for travel together, and a short trial is one message. With a
    checkpoint each epoch nothing is lost by that: an epoch is in its checkpoint before it is reported. With fewer, it
    trains again.
    """

    def __init__(
        self,
        send: Callable[[list[EpochReport]], bool],
        judged_at: Sequence[int] | None,
        clock: Callable[[], float] = time.monotonic,
        epochs: EpochClock | None = None,
    ) -> None:
        """``send`` reports epochs, waits for the answer, and returns whether the trial is to stop.

        ``judged_at``: the epochs at which the driver may end the trial, the first being the next; None: any. Each of
        them makes one epoch matter: the first that comes to it and that no earlier one made matter.

        ``epochs``: when epochs end; None: that is not reported.
        """
        self._epochs = epochs
        self._judged_at = None if judged_at is None else deque(judged_at)
        self._send = send
        self._clock = clock
        self._sent_at = clock()
        self.held: list[EpochReport] = []
        """Epochs that were not told yet."""
        self.stopped = False
        """Whether an answer was a stop."""

    def report_epoch(self, epoch: EpochReport) -> bool:
        """Tell an epoch, now or later; return True when the trial is to stop."""
        matters = self._needs_decision(epoch.epoch, epoch.value)
        at, before = (None, None) if self._epochs is None else self._epochs.read_times()
        self.held.append(epoch._replace(at=at, before=before))
        if self.stopped:
            return True
        if matters or self._clock() - self._sent_at >= TOGETHER_S:
            self.send_held()
        return self.stopped

    def send_held(self) -> None:
        """Tell the epochs that wait."""
        if self.held:
            self.held, held = [], self.held
            self.stopped = self._send(held)
            self._sent_at = self._clock()

    def _needs_decision(self, epoch: int, value: float) -> bool:
        """Tell whether the driver may end the trial with this epoch."""
        if self._judged_at is None or not math.isfinite(value):
            return True
        if not self._judged_at or epoch < self._judged_at[0]:
            return False
        self._judged_at.popleft()
        return True


def has_written_stack(how: str) -> bool:
    """Tell whether a process that ended so, in words of ``describe_end``, has written its stack."""
    return how.startswith(EXIT_CALLED) or how in {signal.strsignal(number) for number in FATAL}


def describe_end(status: int) -> str:
    """Return how a process ended that did not say so, by its exit status; a negative one is a signal's number."""
    if status == LOST:
        return f"{CONNECTION_CLOSED}, or called os._exit({LOST})"
    if status >= 0:
        return f"{EXIT_CALLED}({status})"
    number = signal.Signals(-status)
    if number in FATAL:
        return signal.strsignal(number) or number.name
    return f"killed by {number.name}"


OF_LAUNCHERS = re.compile(
    r"RANK|LOCAL_RANK|NODE_RANK|GROUP_RANK|ROLE_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|GROUP_WORLD_SIZE|ROLE_WORLD_SIZE"
    r"|MASTER_(ADDR|PORT)|TORCHELASTIC_.*|PET_(NNODES|NPROC_PER_NODE|NODE_RANK|STANDALONE|RDZV_.*|(MASTER|LOCAL)_.*)"
    r"|OMPI_.*|MV2_COMM_.*|PMI_.*|PMIX_.*|MPI_(RANK|RANKID|LOCALRANKID|LOCALNRANKS)"
    r"|SLURM_(PROCID|LOCALID|NODEID|NTASKS.*|NPROCS|STEP_.*|TASKS_PER_NODE|GTIDS)"
    r"|JSM_NAMESPACE_.*|FLUX_TASK_(RANK|LOCAL_ID)|PALS_(RANKID|LOCAL_RANKID|LOCAL_SIZE)"
    r"|HOROVOD_(LOCAL_|CROSS_)?(RANK|SIZE)"
)
"""Variables of torchrun, Kubernetes' PyTorchJob, MPI, SLURM, jsrun, Flux, PALS and Horovod: which of several processes
one is. Others that begin so are a user's: a study of PET images has ``PET_ROOT``, and Open MPI lies in ``MPI_HOME``.

Lightning reads them as it is imported, too: a process whose rank is not 0 writes no event files (``rank_zero_only``).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStart:
    """The first message of an actor to a process of the same user: it is pickled."""

    environment: dict[str, str]
    niceness: int
    temporary: str | None
    """A folder for temporary files, which is removed behind the trial; None: that of all."""
    job: str
    """The file of the job."""
    task: TrialTask
    counted: Mapping[str, Any] | None
    """The fits that the score comes from, as JSON has them; None where no pre-flight has found them."""
    before: float | None
    """When the last epoch of the actor's trial before ended, by the monotonic clock; None: there was none."""
    worker: str
    """``host:pid`` of the actor."""
    stopwatch: State
    gpu_samples: str | None = None
    """The file of the node's GPU sampler; None: the trial has no GPU."""


COMPILE_THREADS = "TORCHINDUCTOR_COMPILE_THREADS"


def drop_launcher_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as one process has it that no launcher started."""
    return {name: text for name, text in variables.items() if OF_LAUNCHERS.fullmatch(name) is None}


def trial_environment(of_actor: Mapping[str, str], n_threads: int, *, sees_gpus: bool) -> dict[str, str]:
    """Return a trial's environment: that of its actor, as one process that nobody launched.

    Ray leaves CUDA_VISIBLE_DEVICES as it is for an actor without a GPU: such a trial would see those of all others.
    It sets PYTHONBREAKPOINT to a debugger that needs an actor: in a trial, ``breakpoint()`` is pdb's.
    A model is compiled by as many processes as a trial has threads: torch starts up to 32 by itself.
    """
    hidden = {} if sees_gpus else {"CUDA_VISIBLE_DEVICES": ""}
    threads = str(n_threads)
    defaults = {**NVML_ORDER, COMPILE_THREADS: threads}
    kept = drop_launcher_variables(of_actor)
    if kept.get("PYTHONBREAKPOINT", "").startswith("ray."):
        del kept["PYTHONBREAKPOINT"]
    return {**defaults, **kept, "OMP_NUM_THREADS": threads, **hidden}
