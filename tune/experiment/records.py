"""What a trial writes of itself into ``trial.json``, and what a retraining was to be, in ``retrain.json``."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePath
from typing import Any, Literal

from tune.experiment.counted_fits import CountedFits, read_counted_fits
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths, VersionPaths, atomic_write, read_json, read_regular
from tune.promotion.program import Program
from tune.space.dimensions import is_number

WORKER_DIED = "the worker died"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRequest:
    """One training of a recorded configuration."""

    trial: int
    """The number of the trial whose configuration it is."""
    seed: int
    fresh: bool
    """Whether the seed is in force whatever the program seeds itself with; False: as the search ran its trials."""
    again: bool = False
    """Whether it repeats another one in everything, to see if the program is deterministic."""
    trainer: dict[str, Any]
    """Arguments of the Trainer that the space or the command line give."""
    source: str
    """The folder of the source that it ran, below the experiment's."""
    digest: str
    """Of that source."""

    @property
    def key(self) -> str:
        """The same for two requests of the same training."""
        return json.dumps(asdict(self), sort_keys=True, default=str)

    def write_request(self, version: VersionPaths) -> None:
        """Write the file."""
        with atomic_write(version.retrain_request) as aside:
            aside.write_text(json.dumps(asdict(self), indent=2, default=str) + "\n", encoding="utf-8")


def read_request(version: VersionPaths) -> RetrainRequest | None:
    """Return what a version was to be, or None where it was no retraining."""
    try:
        request = RetrainRequest(**read_json(read_regular(version.retrain_request)))
    except (OSError, ValueError, TypeError):
        return None
    return request if _is_our_request(request) else None


def _is_our_request(request: RetrainRequest) -> bool:
    """Tell whether its fields are what we write; its source becomes a path below the experiment's folder."""
    source = PurePath(request.source) if isinstance(request.source, str) and "\0" not in request.source else None
    return (
        source is not None
        and not source.is_absolute()
        and ".." not in source.parts
        and isinstance(request.trainer, dict)
        and all(type(each) is int for each in (request.trial, request.seed))
        and isinstance(request.digest, str)
    )


def digest_of(program: Program) -> str:
    """Return what tells two states of a program's source apart."""
    found = hashlib.sha256()
    for name, source in sorted(program.sources.items()):
        found.update(f"{name}\0{len(source.raw)}\0".encode())
        found.update(source.raw)
    return found.hexdigest()[:16]


START, IMPORT, CHECKING, PROGRAM, DATA = "start", "import", "pre-flight", "program", "data"


TRAINING, VALIDATION, LOGGING, CHECKPOINTS = "training", "validation", "logging", "checkpoints"


WAITING, TIDYING, IDLE = "waiting", "tidying", "idle"


PARTS = {
    START: "until there is a process for a trial: Ray's start, and the imports before a fork",
    IMPORT: "of torch and Lightning, where a trial's process is not forked: on macOS",
    CHECKING: "the baseline's, or waiting for it",
    PROGRAM: "executing it, and setting up its Trainer",
    DATA: "building datasets and loaders, and the next batch",
    TRAINING: "steps, and Lightning's loop around them",
    VALIDATION: "the same of validation, sanity checks included",
    LOGGING: "TensorBoard, hparams.yaml, trial.json",
    CHECKPOINTS: "writing them",
    WAITING: "for the driver, to hear whether the trial goes on",
    TIDYING: "between the program's end and the trial's",
    IDLE: "no trial: one had ended, and the next was not there",
}
"""All parts, in the order of their time, and what each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """A worker's time from the end of its last trial, or from its own start, to the end of this one."""

    worker: str
    """``host:pid``."""
    session: float
    """When the driver's command began, in seconds since the epoch: tells the drivers of one experiment apart."""
    began: float
    """Seconds since the epoch."""
    ended: float
    """Seconds since the epoch."""
    parts: dict[str, float]
    """Seconds, by part."""


HUNG = "hang"
"""The kind of a trial that made no progress."""
NAN, INFINITE = "NaN", "inf"
"""The kinds of a metric that is no number that counts."""
NEVER_LOGGED = "metric"
"""The kind of a failure: the trial came to its end and the metric was never logged."""

FLOAT = "float"

Stage = Literal["preflight", "running", "complete", "stopped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a trial failed: data, not an exception."""

    kind: str
    """The exception's type: ``ValueError``; or one of our words, such as HUNG, or ``NaN`` for a metric."""
    ours: bool = False
    """Whether ``kind`` is a word or an error of ours: a program may have a MetricError of its own."""
    message: str
    """Its text."""
    hint: str | None = None
    """What to do, where the error says."""
    place: str | None = None
    """The user's own last frame: ``lit/digits.py:41``; None when none of it is the program's."""
    code: str | None = None
    """The line of code there."""

    def is_a(self, *kinds: str) -> bool:
        """Tell whether it is of one of our kinds."""
        return self.ours and self.kind in kinds

    @property
    def reason(self) -> str:
        """One line that says it all."""
        text = f"{self.kind}: {self.message}" if self.message else self.kind
        return f"{text} ({self.place})" if self.place else text


OF_GPUS = frozenset({"gpu_share", "outgrown_shares", "gpu_memory", "gpu"})
"""The fields that only a trial on a GPU writes."""
NOT_EMPTY = OF_GPUS | {"others", "validated_on", "weights"}
"""The fields that are written where they hold something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """The file ``trial.json``."""

    number: int
    version: str
    """The folder's name."""
    constants: dict[str, Any]
    """The promoted constants as they were in force."""
    seed: int
    stage: Stage
    pid: int
    """Of the trial's own process."""
    host: str
    worker: str = ""
    """``host:pid`` of the actor whose place the trial took: trials with the same one ran one after the other."""
    log_start: int = 0
    """Bytes of the log that earlier attempts wrote."""
    attempt: int = 1
    """Counts the processes that the trial had; above 1 it was continued."""
    devices: str | None
    """``CUDA_VISIBLE_DEVICES`` as the trial saw it."""
    gpu_share: float = 0
    """Of one GPU, that the trial trains on; 0: none, 1 or more: whole ones."""
    outgrown_shares: list[float] = field(default_factory=list)
    """The shares on which it ran out of memory before: it ran again on a larger one."""
    started: float
    """Seconds since the epoch."""
    ended: float | None = None
    """Seconds since the epoch."""
    fit_s: float | None = None
    """Seconds inside ``Trainer.fit``; the rest is what the search adds."""
    curve: list[tuple[int, float]] = field(default_factory=list)
    """``(epoch, value)`` of the metric; epochs count from 1."""
    others: list[tuple[int, list[float]]] = field(default_factory=list)
    """``(epoch, values)`` of the further metrics, where there are several."""
    ready: bool = False
    """Whether the pre-flight passed; False where there was none."""
    counted: dict[str, Any] = field(default_factory=dict)
    """The fits that the score comes from, as ``CountedFits.as_json`` says; nothing where that is not known."""
    fits: list[dict[str, Any]] = field(default_factory=list)
    """Of a program that fits several times each fit that logged the metric: its ``number``, ``curve`` and ``score``."""
    standard_error: float | None = None
    """Of a score that is the mean of several fits."""
    warnings: list[str] = field(default_factory=list)
    """What makes the score doubtful."""
    validated_on: list[str] = field(default_factory=list)
    """By fit a digest of the samples of a split that it was validated on; empty where it was not, or nothing is split.
    """
    weights: str = ""
    """A digest of the weights that its last fit ended with; empty where none ended, or the model has none."""
    test: dict[str, float] | None = None
    """Of a retrained run what the program's test logged, by name, of several fits the mean; empty where it has none.
    None: it was not looked at, as in a search."""
    holdout: dict[str, float] | None = None
    """Of a retrained run the metrics on the part of the validation set that the search did not see, likewise."""
    held_out_parts: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """The same of ten parts of these data, under ``test`` and ``holdout``, a value for each part: how much depends on
    the samples. Nothing of a test that the program runs itself, or whose loaders cannot be made anew."""
    holdout_of: list[dict[str, Any]] = field(default_factory=list)
    """That part, an entry for each validation loader of the last fit: the ``loader``, the ``length`` of its dataset,
    how many samples are ``kept``, and the ``digest`` of their indices."""
    logged: list[str] = field(default_factory=list)
    """Every name that the program logged, as the pre-flight saw it."""
    logged_in: dict[str, list[str]] = field(default_factory=dict)
    """What the last fit of it logged, by stage: ``train``, ``val``, ``validate``, ``test``."""
    wrote: list[str] = field(default_factory=list)
    """Some of the files that the pre-flight left in the working directory."""
    n_workers: int = 0
    """The most workers that a DataLoader of the program has, as the pre-flight saw it."""
    gpu_memory: dict[str, Any] = field(default_factory=dict)
    """What the pre-flight measured of the GPU, as ``GpuMemoryReport.as_json`` says; nothing where it did not."""
    gpu: dict[str, Any] | None = None
    """What it used of its GPU, as the fields of ``GpuUsage``; None: it had none, or has not ended."""
    taken: dict[str, int] = field(default_factory=dict)
    """How often each promoted expression was executed: proof that the values were in force."""
    in_force: dict[str, Any] = field(default_factory=dict)
    """The same by value: what was found in force, and ``where``."""
    ranks: list[dict[str, Any]] = field(default_factory=list)
    """Of a trial in several processes the others: ``rank``, ``pid``, and their ``taken`` and ``in_force``."""
    mutations: list[dict[str, Any]] = field(default_factory=list)
    """How the constants changed: after which ``epoch``, from which ``donor``, to which ``constants``."""
    surroundings: dict[str, str] = field(default_factory=dict)
    """What it ran on, where that is not what the experiment's file of that name says."""
    laps: list[Lap] = field(default_factory=list)
    """Where the time went, one for each attempt; none where nobody asked for it."""
    failure: Failure | None = None

    @property
    def counted_fits(self) -> CountedFits | None:
        """The fits that the score comes from; None where that is not known."""
        return read_counted_fits(self.counted)

    @property
    def n_fits(self) -> int | None:
        """Where the curve is the running mean over fits: how many count."""
        counted = self.counted_fits
        return len(counted.numbers) if counted is not None and counted.is_mean else None

    @property
    def has_passed_preflight(self) -> bool:
        """Whether the baseline came past the pre-flight and logged its metric, for without that no trial will."""
        return self.ready and not (self.failure is not None and self.failure.is_a(NEVER_LOGGED))

    def write_record(self, version: VersionPaths) -> None:
        """Replace the file; a reader never sees half of it."""
        with atomic_write(version.record) as aside:
            held = {each.name: getattr(self, each.name) for each in fields(self)}  # `asdict` would copy every number
            held = {name: value for name, value in held.items() if value or name not in NOT_EMPTY}
            lines = (
                f"  {json.dumps(name)}: {json.dumps(value, default=str, allow_nan=False)}"
                for name, value in _to_strict_json(held).items()
            )
            aside.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_record(version: VersionPaths) -> TrialRecord | None:
    """Return a version's record, or None where there is none that we wrote."""
    try:
        data = read_json(read_regular(version.record), object_hook=_parse_number)
        failure = Failure(**data.pop("failure")) if data.get("failure") else None
        curve = [(int(epoch), float(value)) for epoch, value in data.pop("curve")]
        others = [(int(epoch), [float(each) for each in values]) for epoch, values in data.pop("others", ())]
        laps = [Lap(**lap) for lap in data.pop("laps", ())]
        record = TrialRecord(**{**data, "failure": failure, "curve": curve, "others": others, "laps": laps})
        return record if _is_our_record(record) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def read_baseline_fits(paths: ExperimentPaths, outcomes: Sequence[TrialResult]) -> CountedFits | None:
    """Return the fits that the score comes from, as the baseline of an experiment says; None where no record does.

    Where the baseline's record is lost, it is the next trial's: all trials have them of the pre-flight.
    """
    records = (read_record(paths.version(outcome.version)) for outcome in outcomes)
    return next((found for record in records if record is not None and (found := record.counted_fits)), None)


def read_baseline_record(paths: ExperimentPaths, outcomes: Sequence[TrialResult]) -> TrialRecord | None:
    """Return what the baseline of an experiment says of itself; None where it says nothing."""
    return read_record(paths.version(outcomes[0].version)) if outcomes else None


def _is_our_record(record: TrialRecord) -> bool:
    """Tell whether the fields that become paths, commands and text are what we write; the file may be anybody's."""
    whole = all(type(each) is int for each in (record.number, record.pid, record.attempt, record.log_start))
    named = (
        all(isinstance(each, str) for each in (record.worker, record.version, record.weights))
        and "/" not in record.version
        and record.version not in ("", ".", "..")
    )
    failure = record.failure
    texts = [] if failure is None else [failure.kind, failure.message, *_list_optional_texts(failure)]
    mappings = (
        record.constants,
        record.taken,
        record.in_force,
        record.surroundings,
        record.counted,
        record.held_out_parts,
        record.gpu_memory,
        record.logged_in,
    )
    all_texts = (record.logged, record.wrote, record.warnings, record.validated_on)
    lists = (*all_texts, record.mutations, record.fits, record.holdout_of, record.outgrown_shares)
    return (
        whole
        and named
        and all(isinstance(each, dict) for each in mappings)
        and all(isinstance(each, list) for each in lists)
        and (record.gpu is None or isinstance(record.gpu, dict))
        and all(isinstance(each, list) for each in record.logged_in.values())
        and all(isinstance(each, str) for group in (texts, *all_texts, *record.logged_in.values()) for each in group)
        and all(isinstance(each, dict) for each in record.holdout_of)
        and all(_is_values(each) for each in (record.test, record.holdout))
        and all(_is_parts(each) for each in record.held_out_parts.values())
        and all(map(is_number, (record.n_workers, record.gpu_share, *record.outgrown_shares)))
        and type(record.seed) is int
        and all(map(is_number, (record.started, record.ended or 0.0)))
        and (record.fit_s is None or is_number(record.fit_s))
        and all(map(_is_lap, record.laps))
    )


def _is_values(found: object) -> bool:
    """Tell whether it is numbers by name, or None."""
    return found is None or (isinstance(found, dict) and all(map(is_number, found.values())))


def _is_parts(found: object) -> bool:
    """Tell whether it is lists of numbers by name."""
    return isinstance(found, dict) and all(
        isinstance(each, list) and all(map(is_number, each)) for each in found.values()
    )


def _is_lap(lap: Lap) -> bool:
    seconds = (lap.session, lap.began, lap.ended, *lap.parts.values())
    return (
        isinstance(lap.worker, str)
        and all(is_number(each) for each in seconds)
        and all(each in PARTS for each in lap.parts)
    )


def _list_optional_texts(failure: Failure) -> list[str]:
    return [each for each in (failure.place, failure.code, failure.hint) if each is not None]


def _to_strict_json(value: Any) -> Any:
    """Return what JSON has: it knows no NaN and no infinity, such a number is ``{"float": "nan"}``."""
    match value:
        case float() if not math.isfinite(value):
            return {FLOAT: str(value)}
        case dict():
            return {key: _to_strict_json(item) for key, item in value.items()}
        case list() | tuple():
            return [_to_strict_json(item) for item in value]
        case Failure() | Lap():
            return _to_strict_json(asdict(value))
        case _:
            return value


def _parse_number(found: dict[str, Any]) -> Any:
    """Return the number that such a mapping stands for; any other as it is."""
    return float(found[FLOAT]) if found.keys() == {FLOAT} else found


def device_name(host: str, devices: str | None) -> str:
    """Return how a trial's devices are called here; ``devices`` as CUDA_VISIBLE_DEVICES has them."""
    return f"{host}:{devices or ''}"
