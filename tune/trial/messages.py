"""What is sent to run trials (Job for the search, TrialTask for one trial), and what they report."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tune.errors import UnsharedError
from tune.experiment.counted_fits import CountedFits, FitsRule
from tune.experiment.gpu_records import CONTEXT_BYTES
from tune.experiment.trial_result import Mode
from tune.promotion.constant import Constant
from tune.promotion.options.option import Option
from tune.promotion.program import Program
from tune.promotion.snapshot import MANIFEST
from tune.space.dimensions import Value
from tune.space.space import Shape
from tune.trial.checkpoints.checkpoint_state import CheckpointState

MEMORY_KINDS = frozenset({"OutOfMemoryError", "MemoryError"})
MEMORY_WORDS = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|bad_alloc"
    r"|CU(BLAS|DNN)_STATUS_ALLOC_FAILED|unable to find an engine",
    re.IGNORECASE,
)
"""What is said where memory is wanting, the GPU's or the host's; cuDNN finds no engine that has room to work in."""


def is_out_of_memory(kind: str, text: str) -> bool:
    """Return whether a failure is one of memory, by its exception's type and what it says."""
    return kind in MEMORY_KINDS or MEMORY_WORDS.search(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialObjective:
    """What is reported."""

    metric: str
    mode: Mode
    others: tuple[str, ...] = ()
    """Further metrics, reported with the first."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """All metrics, the first one first."""
        return self.metric, *self.others


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The part of a search that all its trials share."""

    program: Program
    snapshot: Path
    """The folder of the snapshot; trials execute it, never the program's own files."""
    shape: Shape
    """How the program is run."""
    constants: Mapping[str, Constant]
    """The promoted constants, by their names in the space file."""
    symbols: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    """Of those of them whose values are names of the source, such as ``nn.ReLU``, all options."""
    options: Mapping[str, Option]
    """The promoted options of a script, likewise."""
    hardcoded: Mapping[str, Value]
    """The program's other constants, for hparams.yaml."""
    objective: TrialObjective
    """What its trials report."""
    fits: FitsRule | None = None
    """Which fits count where several log the metric; None: what such programs mean."""
    seeds_per_trial: int = 1
    """How often a program is executed for the score, each time with another seed."""
    counted: CountedFits | None = None
    """The fits that the score comes from, where an earlier driver's pre-flight found them."""
    checkpoints: str | float = "auto"
    """When a trial writes them: the setting of that name."""
    pauses_trials: bool = False
    """Whether the scheduler lets trials wait: that is possible where an epoch is over alone."""
    trainer: Mapping[str, Any]
    """Arguments of the Trainer."""
    epochs_constant: str | None
    """The program's constant that stands for ``max_epochs`` when ``trainer`` gives none."""
    n_threads: int
    """Of torch, in each process of a trial."""
    n_ranks: int = 1
    """Processes of a trial."""
    gpu_share: float = 0
    """Of one GPU, and of its memory; 0: none, 1 or more: whole ones."""
    context_bytes: int = CONTEXT_BYTES
    """What CUDA itself keeps of that memory; as it was measured, where it was."""
    trusts_checkpoints: bool = True
    """Whether a trial goes on from a checkpoint that holds more than plain data; reading such a one may run code."""
    folder: Path
    """The working directory: the user's."""
    own_folder: bool = False
    """Whether each trial has a working directory of its own, in its version."""
    surroundings: Mapping[str, str] = field(default_factory=dict)
    """What the experiment's trials run on; a trial writes down what is otherwise with it."""
    probes: tuple[Mapping[str, Value], ...] = ()
    """Other values of the options than the baseline's: whether the program takes them, and reads them, is tried."""
    others: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    """Values that what is searched may have: whether a program reads another one where they are others is tried."""
    replaced: Mapping[str, str] = field(default_factory=dict)
    """By searched values what the source may put in the place of one; whether it does is tried with ``others``."""
    gate: str
    """The name of the gate that the pre-flight opens for the other trials."""
    loads: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """Configurations whose share of a GPU a pre-flight measures, by what they are called; the hardcoded one first."""
    mutants: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    """Where constants change while a trial trains: some of the values that each may take."""
    holdout: float | None = None
    """The share of the validation set that is kept out of validation; None: nothing is."""
    hang_after_s: float | None = None
    """A trial that has been silent for so long fails, if it is long for it; None: never."""
    session: float | None = None
    """When the driver's command began, in seconds since the epoch, if trials are to say where their time goes."""
    travels: bool = False
    """Whether the project came to the node with Ray; False: it is at its own place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """One trial."""

    number: int
    version: str
    """The version's folder, absolute."""
    seed: int
    reseed: bool = False
    """Whether the seeds that the program gives to the global generators are others too (``random_generators.py``)."""
    values: dict[str, Value] = field(default_factory=dict)
    """The promoted constants, by their names in the space file; one that is left out keeps its hardcoded value."""
    hardcoded: bool = False
    """Whether it runs what the program runs without a search: none of its options stands on the command line."""
    preflight: bool = False
    """Run the pre-flight first, and open the gate for the others."""
    evaluates: bool = False
    """Whether data that the search never saw are evaluated behind the training: those of a test, and a hold-out's."""
    rehearsal: bool = False
    """Run nothing but the pre-flight."""
    weighs: bool = False
    """Whether the pre-flight measures what trials take of a GPU."""
    gated: bool = False
    """Wait for the pre-flight of another trial first."""
    attempt: int = 1
    """Above 1 the trial goes on from its last checkpoint; what the process of an earlier one writes does not count."""
    judged_at: tuple[int, ...] | None = None
    """The epochs at which the driver may end the trial, those that it has behind it left out; None: any."""
    reported: int = 0
    """The last epoch that the ledger holds: it and those before it are not reported again."""
    mutations: list[dict[str, Any]] = field(default_factory=list)
    """How the constants changed so far: after which ``epoch``, from which ``donor``, to which ``constants``."""
    weights: str | None = None
    """The checkpoint of another trial from which the last mutation goes on."""
    gpu_share: float | None = None
    """Of one GPU, where that is not the job's; None: it is."""
    outgrown: tuple[float, ...] = ()
    """The shares of a GPU on which it ran out of memory before."""
    left_out: tuple[str, ...] = ()
    """Devices that failed other trials, ``host:device``: a place on one of them does not take the trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRun:
    """What is to be executed; it goes to every process of the trial."""

    task: TrialTask
    values: Mapping[str, Value]
    """The promoted constants; where the program is measured, not the task's."""
    options: Mapping[str, Value]
    """Those of them that stand on the command line."""
    folder: Path
    """Where it logs: the version, or a folder of the pre-flight's."""
    started: float
    """When the trial did, in seconds since the epoch."""
    reports: bool
    """Whether its epochs count."""
    mark: CheckpointState | None = None
    """The checkpoint from which it goes on; None: from the start."""
    counted: CountedFits | None = None
    """The fits that the score comes from; None: nobody knows yet."""
    shortens: bool = False
    """Whether a batch or two of each Trainer's are all."""
    measures: bool = False
    """Whether it ends when training begins: what it builds is wanted."""
    weighs: bool = False
    """Whether what it takes of the GPU is measured; if it is not shortened, it ends after some seconds of steps."""
    notes_reads: bool = False
    """Whether it is noted which words of the command line the program reads."""


class EpochReport(NamedTuple):
    """An epoch as the driver hears of it."""

    epoch: int
    """From 1."""
    value: float
    """Of the metric."""
    last: bool = False
    """Whether the trial is through anyway."""
    others: tuple[float, ...] = ()
    """Further metrics."""
    at: float | None = None
    """When it ended, in seconds by the machine's monotonic clock; None: that says nothing of what an epoch takes."""
    before: float | None = None
    """When the last epoch of the actor's trial before ended, by the same clock; None: there was none."""
    n_fits: int | None = None
    """Where ``value`` is the mean of the first ``epoch`` fits: how many count; None: it is an epoch's."""


PROJECT = ".project"
"""The folder of the project below the actor's first working directory; hidden, so that nothing is imported by it."""


def localize_job(job: Job) -> Job:
    """Return a job as it is done on this node; to be called before anything changes the working directory.

    Trials run in the folder that the user was in, where that is one of the project or this node has it; else in the
    project's.
    """
    if not job.travels:
        return job if job.folder.is_dir() else replace(job, folder=job.program.root)
    there = job.program
    root = (Path.cwd() / PROJECT).resolve()
    below = job.folder.relative_to(there.root) if job.folder.is_relative_to(there.root) else Path()
    folder = root / below if (root / below).is_dir() else root
    return replace(job, program=there.moved_to(root), folder=folder)


def find_unshared_error(job: Job) -> UnsharedError | None:
    """Return what to tell where this node does not see the experiment; it may have come after all others were asked."""
    if (job.snapshot / MANIFEST).is_file():
        return None
    return UnsharedError(str(job.snapshot), f"the node {socket.gethostname()} does not see it")
