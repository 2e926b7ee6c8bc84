"""The pre-flight: a batch or two of training and validation, before any budget is spent."""

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tune.errors import MetricError, MutationError, NoRoomError, ProgramError, UnreadOptionError
from tune.experiment.counted_fits import CountedFits
from tune.experiment.gpu_records import GpuMemoryReport
from tune.promotion.metric.find_metric import find_given_to_logger
from tune.promotion.options.option import OptionParser, option_words
from tune.promotion.options.option_reads import may_read
from tune.space.dimensions import Value
from tune.trial.describe_exception import ChildFailure, create_failure
from tune.trial.effects.effect_check import check_effects
from tune.trial.effects.trained_state import TrainedState
from tune.trial.fits import FitSummary, select_counted_fits
from tune.trial.gpu.gpu_reader import GpuReading
from tune.trial.gpu.measure_share import measure_share
from tune.trial.inputs.command_line import OptionReads
from tune.trial.lightning.model_signature import ModelSignature, find_difference
from tune.trial.messages import Job, ProgramRun

MOST = 5_000
"""Files beyond which a working directory is not looked through: it would take longer than it is worth."""


EXPERIMENT = {".lock", "space.yaml"}
"""What each experiment's folder has: other searches may write while this one looks."""


Stamp = tuple[int, int]
"""When a file was written, in nanoseconds, and its size in bytes."""


def list_working_files(folder: Path, but: Path) -> dict[str, Stamp] | None:
    """Return the files below ``folder``, less hidden ones, experiments, and ``but``; None where there are too many."""
    found: dict[str, Stamp] = {}
    for place, folders, names in os.walk(folder):
        if {*names} >= EXPERIMENT:
            folders.clear()
            continue
        folders[:] = [
            name for name in folders if not name.startswith((".", "__pycache__")) and Path(place, name) != but
        ]
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - thousands
            with contextlib.suppress(OSError):  # gone, or a link that leads nowhere
                state = os.stat(path)  # noqa: PTH116
                found[os.path.relpath(path, folder)] = state.st_mtime_ns, state.st_size
        if len(found) > MOST:
            return None
    return found


def find_written_files(before: dict[str, Stamp] | None, after: dict[str, Stamp] | None) -> list[str]:
    """Return the files that are new, and those that were written again; nothing where one of the looks was given up."""
    if before is None or after is None:
        return []
    return sorted(name for name, stamp in after.items() if before.get(name) != stamp)


SCRATCH = ".preflight"
STAGE_WORDS = {"train": "training", "test": "Trainer.test"}
MOST_NAMED = 3  # of the files that a program writes into the working directory
N_BATCHES = 2
"""Of training, and of validation."""
MOST_TRIED = 3
"""Of the other values of a constant that the program seems not to read."""


def shorten_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Trainer's arguments for an epoch of a batch or two; nothing becomes more than the program asks for."""
    limits = {
        name: _limit_number(arguments.get(name), N_BATCHES)
        for name in ("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches")
    }
    overfits = bool(arguments.get("overfit_batches"))
    return {
        **arguments,
        **limits,
        **({"overfit_batches": _limit_number(arguments["overfit_batches"], N_BATCHES)} if overfits else {}),
        "max_epochs": _limit_number(arguments.get("max_epochs"), 1),
        "min_epochs": None,
        "max_steps": arguments["max_steps"] if arguments.get("max_steps") in (0, 1) else -1,
        "min_steps": None,
        "check_val_every_n_epoch": 1,
        "val_check_interval": None,
    }


def _limit_number(given: Any, limit: int) -> Any:
    """Return a number of batches or epochs that is no more than the given one; a share of all is a float."""
    return (
        given
        if isinstance(given, int | float) and not isinstance(given, bool) and given in (0, *range(limit))
        else limit
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunResult:
    """What one execution of the program did: plain data, for it was another process's."""

    fits: list[FitSummary]
    n_workers: int
    """The most that a DataLoader of it has."""
    measure: ModelSignature
    """What it builds; nothing where that was not asked for."""
    packages: dict[str, str | None]
    """The modules of installed packages that it imported, with their files."""
    reads: OptionReads = field(default_factory=OptionReads)
    """What it read of its command line."""
    read_instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What it read in the place of the values of attributes, as ``PromotedValueCheck`` has it."""
    state: TrainedState = field(default_factory=dict)
    """What it trained with; nothing where that was not asked for."""
    gpu: GpuReading | None = None
    """What it took of its GPU; None where that was not asked for."""


DryRun = Callable[[ProgramRun], DryRunResult]
"""Executes the program once, to its end, in a process of its own, and returns what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """What the baseline did."""

    done: DryRunResult
    wrote: list[str]
    """Files that it wrote into the working directory of all trials, a few of them."""

    @property
    def logged_names(self) -> list[str]:
        """The names of what it logs, sorted."""
        return sorted({name for fit in self.done.fits for names in fit.logged.values() for name in names})

    @property
    def logged_in(self) -> dict[str, list[str]]:
        """What the last fit logs, by stage, sorted."""
        return {stage: sorted(names) for fit in self.done.fits[-1:] for stage, names in fit.logged.items()}


class Preflight:
    """Looks at the program as it stands, and says what no trial of it would survive."""

    def __init__(self, job: Job, run: ProgramRun, rehearse: DryRun) -> None:
        """``run``: as it would be in the version; each execution changes it, and logs into a folder of its own."""
        self._job = job
        self._run = run
        self._task = run.task
        self._version = run.folder
        self._rehearse = rehearse

    def run_baseline(self, *, shortens: bool) -> PreflightReport:
        """Train and validate; raise what the program raises. ``shortens``: no more than an epoch of it."""
        experiment = self._version.parent
        before = list_working_files(Path.cwd(), but=experiment)
        done = self._run_program(self._task.values, self._select_options(self._task.values), shortens=shortens)
        wrote = find_written_files(before, list_working_files(Path.cwd(), but=experiment))
        return PreflightReport(done=done, wrote=[] if self._job.own_folder else wrote[:MOST_NAMED])

    def check_baseline(self, seen: PreflightReport) -> CountedFits:
        """Return the fits that the score comes from; raise MetricError where a metric is never logged.

        Raises ProgramError where a hold-out is asked for and the metric is not one of validation.
        Raises UnreadOptionError where the program does not take an option, or never reads it, and MutationError where a
        constant that is to change while trials train changes what they build.
        """
        counted, *_ = [self._select_counted_fits(seen.done.fits, metric) for metric in self._job.objective.metric_names]
        if self._job.holdout is not None and counted.stage not in ("val", "validate"):
            what = f"{self._job.objective.metric} is logged in {STAGE_WORDS[counted.stage]}, where nothing is held out"
            raise ProgramError("holdout", what, "Leave it out, or let `metric` be one that is logged in validation.")
        if self._task.hardcoded and self._job.options:
            self._check_options(seen.done.reads)
        self._check_attributes(seen.done.read_instead)
        self._check_starred_parameters()
        check_effects(self._job, self._task, seen.done.state, self._find_state)
        self._check_mutants()
        return counted

    def _select_counted_fits(self, fits: list[FitSummary], metric: str) -> CountedFits:
        if fits and not any(fit.has_metric(metric) for fit in fits):
            place = find_given_to_logger(self._job.program, metric)
            if place is not None:
                what = f"{metric!r} is given to a logger alone ({place})"
                raise MetricError(None, what, f"Write `self.log({metric!r}, ...)` there: a search reads no logger.")
        return select_counted_fits(fits, metric, self._job.fits)

    def measure_share(self) -> GpuMemoryReport:
        """Return what the job's loads take of the GPU."""

        def train(values: Mapping[str, Value], for_seconds: bool) -> GpuReading:
            values = {**self._task.values, **values}
            options = self._select_options(values)
            found = self._run_program(values, options, shortens=not for_seconds, weighs=True).gpu
            assert found is not None
            return found

        return measure_share(self._job.loads, train, lambda error: create_failure(error, self._job))

    def _check_mutants(self) -> None:
        if not self._job.mutants:
            return
        as_it_is = self._measure_signature(self._task.values)
        for name, values in self._job.mutants.items():
            for value in values:
                other = self._measure_signature({**self._task.values, name: value})
                if (part := find_difference(as_it_is, other)) is not None:
                    what = f"pbt changes constants while a trial trains, and {name} = {value!r} changes {part}"
                    raise MutationError(name, what, "Take it out of the space, or take another scheduler.")

    def _measure_signature(self, values: Mapping[str, Value]) -> ModelSignature:
        """Return what the program builds with these values."""
        return self._run_program(values, self._select_options(values), measures=True).measure

    def _select_options(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """Return what stands on the command line: of the baseline what is not its own."""
        own = self._task.values if self._task.hardcoded else {}
        return {key: value for key, value in values.items() if key not in own or own[key] != value}

    def _check_options(self, baseline: OptionReads) -> None:
        """Raise UnreadOptionError where an option's value certainly cannot reach what the program trains."""
        for key, option in self._job.options.items():
            is_unused = key in baseline.unused and not may_read(option.dest, self._job.program)
            # A namespace of argparse's is watched as the program runs: what reads it need not name it
            is_unread = not option.is_read and option.parser is not OptionParser.ARGPARSE
            if is_unused or is_unread:
                takes = "holds" if option.config is not None else "takes"
                raise UnreadOptionError(
                    key,
                    f"the program {takes} {key} and never reads it ({option.where})",
                    f"Use {option.dest} where the program trains, or take {key} out of the space.",
                )
        values, reads, refusal = self._probe_all(tuple(self._job.options))
        if refusal is not None:
            alone = ((key, self._probe_all((key,))[2]) for key in values)
            refused = ((key, said) for key, said in alone if said is not None)
            key, said = next(refused, (next(iter(values)), refusal))  # it may be what they are together
            word = " ".join(option_words({key: self._job.options[key]}, values))
            what = f"the program ends when it is given {word}: {said}"
            name = f"--{key.strip('+~=')}" if key.endswith("=") else "a value that its parser takes"
            hint = f"Write {name}, or take it out of the space."
            if "unrecognized arguments" in said and not key.endswith("="):
                hint = "Another parser of the program reads this line, too: search what takes the value in its place."
            raise UnreadOptionError(key, what, hint)
        for key in values:
            if key in reads.unopened:
                option = self._job.options[key]
                raise UnreadOptionError(
                    key,
                    f"{key} stands in {option.where}, and the program never opens that file",
                    "Search a value of the file that it reads; `args` can name it.",
                )
            if key in reads.unread and not baseline.by_others:
                raise UnreadOptionError(
                    key,
                    f"{key} stands on the command line, and the program never reads it",
                    "Search a constant of the program, or let the program parse its command line.",
                )
            held = baseline.overwritten.get(key)  # what was made of the option would differ where that does
            if held is not None and all(each.overwritten.get(key) == held for each in self._reads_with(key)):
                raise UnreadOptionError(
                    key,
                    f"{key} is not in force: the program assigns it again before it reads it",
                    "Search what it is assigned from, or take it out of the space.",
                )

    def _check_attributes(self, read_instead: Mapping[str, tuple[str, ...]]) -> None:
        """Raise ProgramError where objects that are read hold another value, and the same whatever a trial's is."""
        for key, held in read_instead.items():
            ours = self._task.values[key]
            others = [value for value in self._job.others.get(key, ()) if value != ours][:MOST_TRIED]
            if others and all(self._find_read_instead(key, value) == held for value in others):
                raise ProgramError(
                    self._job.constants[key].where,
                    f"{key} is not in force: the search set {ours!r}, and the program reads {held[0]}",
                    "Something fills the object, or assigns the attribute again. Search what it comes from.",
                )

    def _check_starred_parameters(self) -> None:
        """Raise what other values show: a star may pass a parameter what its default is, and the same in each trial.

        Of a float the baseline's own run has shown it: equal numbers are different objects.
        """
        tried = {
            key: next((value for value in self._job.others.get(key, ()) if value != ours), ours)
            for key, constant in self._job.constants.items()
            if constant.starred and not isinstance(ours := self._task.values.get(key), float)
        }
        if not tried:
            return
        values = {**self._task.values, **tried}
        try:
            self._run_program(values, self._select_options(values))
        except NoRoomError:
            raise
        except (ChildFailure, ProgramError) as error:
            failure = create_failure(error, self._job)
            if failure.is_a(ProgramError.__name__) and any(
                f"{key} is not in force" in failure.message for key in tried
            ):
                raise
        except (Exception, SystemExit):  # of the values: they have reached something
            return

    def _find_read_instead(self, key: str, value: Value) -> tuple[str, ...] | None:
        """Return what is read in the place of a constant that has another value; None where nothing tells."""
        values = {**self._task.values, key: value}
        try:
            return self._run_program(values, self._select_options(values)).read_instead.get(key)
        except NoRoomError:
            raise
        except (Exception, SystemExit):  # of the value: it has reached something
            return None

    def _find_state(self, values: Mapping[str, Value]) -> TrainedState | None:
        """Return what the program trains with where it has other values; None where nothing tells."""
        try:
            return self._run_program(values, self._select_options(values)).state or None
        except NoRoomError:
            raise
        except (Exception, SystemExit):  # of the value: it has reached something
            return None

    def _reads_with(self, key: str) -> Iterator[OptionReads]:
        """Yield what the program reads with each of the values that are tried of an option."""
        for values in self._job.probes:
            if key in values:
                yield self._probe_options(values)[0]

    def _probe_all(self, keys: Collection[str]) -> tuple[Mapping[str, Value], OptionReads, str | None]:
        """Return values that the program's parser takes, what was read of them, and why it refused them, if it did."""
        tried: list[tuple[Mapping[str, Value], OptionReads, str | None]] = []
        for values in self._job.probes:
            options = {key: value for key, value in values.items() if key in keys}
            reads, refusal = self._probe_options(options)
            if refusal is None:
                return options, reads, None
            tried.append((options, reads, refusal))
        return tried[0] if tried else ({}, OptionReads(), None)

    def _probe_options(self, options: Mapping[str, Value]) -> tuple[OptionReads, str | None]:
        """Build the program with other values of its options; return what it read, or why its parser refused them."""
        try:
            return self._run_program(self._task.values, options, measures=True).reads, None
        except (ChildFailure, UnreadOptionError) as error:
            failure = create_failure(error, self._job)
            return OptionReads(), failure.message if failure.is_a(UnreadOptionError.__name__) else None
        except NoRoomError:
            raise
        except (Exception, SystemExit):  # by a value, as a trial's may: it is no word that the program does not take
            return OptionReads(), None

    def _run_program(
        self,
        values: Mapping[str, Value],
        options: Mapping[str, Value],
        *,
        shortens: bool = True,
        measures: bool = False,
        weighs: bool = False,
    ) -> DryRunResult:
        scratch = self._version / SCRATCH
        run = replace(self._run, folder=scratch, values=values, options=options)
        try:
            return self._rehearse(replace(run, shortens=shortens, measures=measures, weighs=weighs))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
