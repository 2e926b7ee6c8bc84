"""Where a worker's time went: its parts, and a lap for each trial."""

from dataclasses import dataclass

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
