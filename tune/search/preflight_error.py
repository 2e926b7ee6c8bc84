"""Why the baseline did not survive the pre-flight, in words, with the file that holds more."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from tune.errors import (
    MetricError,
    MutationError,
    PreflightError,
    ProgramError,
    PromotuneError,
    UnreadOptionError,
    did_you_mean,
)
from tune.experiment.records import (
    HUNG,
    NEVER_LOGGED,
    WORKER_DIED,
    Failure,
    TrialRecord,
)
from tune.invocation import join_words, this_command, without_option
from tune.paths import display_path
from tune.promotion.metric.find_metric import find_given_to_logger
from tune.promotion.metric.metric import choose_of_logged, mode_of
from tune.promotion.options.required_words import suggest_args
from tune.search.devices.device_faults import is_device_failure
from tune.search.spec import DRIVER_LOG, Search
from tune.trial.inputs.command_line import REFUSED
from tune.trial.process.channel import has_written_stack
from tune.trial.process.client import NO_PROCESS
from tune.trial.process.watched import find_crash_places


def _suggest_other_gpus(record: TrialRecord, search: Search) -> str | None:
    """Return what to do where a GPU may be what failed, and there are others; else None."""
    failed = (record.devices or "").split(",")
    others = [gpu for gpu in search.resources.gpus if gpu not in failed]
    if record.failure is None or not record.devices or not others or not is_device_failure(record.failure):
        return None
    words = f"--gpu {' '.join(others)}" if all(map(str.isdecimal, others)) else "--gpu"
    return f"GPU {record.devices} may be what failed: `{words}` leaves it out."


OF_WORDS = re.compile(r"required|Missing|unrecognized")
"""In what a parser says of words that it misses, or does not know."""
MISSING_VALUE = re.compile(r"Missing mandatory value: (\S+)")
"""OmegaConf's words for a value that is ``???`` where the program reads it."""
LAST_LINES = 20
LAST_BYTES = 2**16
"""Of a file that an error quotes, at most."""
FRAME = '  File "'
"""How a frame of a traceback begins."""
OWN_FOLDER = Path(__file__).parents[1]


def _tell_file(search: Search, names: str, quotes: str, file: Path) -> str:
    """Return what ``names`` a file for more; what ``quotes`` its end, where the search keeps no files."""
    if not search.rehearsal:
        return f"{names} {display_path(file)}"
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - LAST_BYTES))
            text = opened.read().decode(errors="replace")
    except OSError:
        return ""
    lines = _leave_out_own_frames([line for line in text.splitlines() if line.strip()])[-LAST_LINES:]
    return "\n    ".join([quotes, *lines]) if lines else ""


def _leave_out_own_frames(lines: list[str]) -> list[str]:
    """Return what a traceback holds behind the last frame of this package: how we call a program explains nothing."""
    frames = [number for number, line in enumerate(lines) if line.startswith(FRAME)]
    ours = [number for number in frames if lines[number].startswith(f"{FRAME}{OWN_FOLDER}/")]
    behind = [number for number in frames if ours and number > ours[-1]]
    return lines[behind[0] :] if behind else lines


def _suggest_metric(record: TrialRecord, search: Search) -> str | None:
    """Return what names a metric that the pre-flight logged, in the place of the one that it did not; None: nothing."""
    space = search.space
    if not _names_in_its_place(record, search):
        return None
    name = did_you_mean(space.metric, record.logged) or choose_of_logged(record.logged, "", record.logged_in).name
    mode = mode_of(name)
    if search.command is None or space.lines:
        is_opposite = mode is not None and mode != space.mode
        return f"Write there: `metric: {name}`" + (f" and `mode: {mode}`." if is_opposite else ".")
    words = without_option(without_option(shlex.split(search.command), "--metric"), "--mode")
    return f"Write: {join_words([*words, '--metric', name, *([] if mode else ['--mode', 'min'])])}"


def _names_in_its_place(record: TrialRecord, search: Search) -> list[str]:
    """Return what the pre-flight logged where a name of it may take the metric's place."""
    space = search.space
    is_elsewhere = space.metric in record.logged or find_given_to_logger(search.program, space.metric) is not None
    return [] if space.others or is_elsewhere else record.logged


def _suggest_words(message: str, search: Search) -> str | None:
    """Return the command with the words that the program's parser missed, as far as its source tells; else None."""
    if REFUSED not in message or not OF_WORDS.search(message):
        return None
    args, files = suggest_args(search.program, search.space.args, message)
    if not args:
        return None
    lying = f"The config files there: {', '.join(files)}.\n  " if len(files) > 1 else ""
    return f"{lying}{_add_words(search, args)}"


def _add_words(search: Search, args: Sequence[str]) -> str:
    """Return the command, or the line of the space file, with which the program gets these words."""
    if search.command is None or search.space.lines:
        return f"Write there: `args: {join_words(args)}`."
    words = without_option(shlex.split(search.command), "--args")
    return f"Write: {join_words([*words, '--args', join_words(args)])}"


def create_preflight_error(record: TrialRecord | None, search: Search, death: str | None) -> PromotuneError:
    """Return the error; ``record``: the baseline's, ``death``: how its process died, where it did."""
    failure = record.failure if record else None
    if record is None or failure is None:
        log = search.paths.folder / DRIVER_LOG
        hint = _tell_file(search, "More may be in", "The last lines of the driver's log:", log)
        if death is not None and death.startswith(NO_PROCESS):
            places = find_crash_places(log) if has_written_stack(death.rpartition(": ")[2]) else []
            return PreflightError(f"{display_path(places[0][0])}:{places[0][1]}" if places else None, death, hint)
        how = f": {death}" if death else ""
        if not search.rehearsal:
            again = f"To begin again: {this_command()} resume {search.paths.cli_argument}"
            hint = "\n  ".join(line for line in (hint, again) if line)
        return PreflightError(None, f"{WORKER_DIED} before the pre-flight{how}", hint)
    version = search.paths.version(record.version)
    if failure.ours and failure.kind in (MetricError.__name__, NEVER_LOGGED):
        words = _suggest_metric(record, search)
        hint = "\n  ".join(line for line in (failure.hint, words) if line)
        logged = _names_in_its_place(record, search)
        return MetricError(search.space.place_of_entry("metric"), failure.message, hint or None, logged)
    for kind in (MutationError, UnreadOptionError):
        if failure.is_a(kind.__name__):
            name, _, what = failure.message.partition(": ")
            return kind(search.space.place_of_entry(f"constants.{name}"), what, failure.hint)
    if failure.ours and failure.kind == ProgramError.__name__:
        words = _suggest_words(failure.message, search)
        hint = "\n  ".join(line for line in (words or failure.hint,) if line)
        return ProgramError(None, failure.message, hint or None)
    if failure.ours and failure.kind in (WORKER_DIED, HUNG):
        said = _tell_file(search, "All that the program printed:", "The program's last lines:", version.log)
        hint = "\n  ".join(line for line in (failure.hint, said) if line)
        if failure.kind == HUNG:
            return PreflightError(None, f"the pre-flight hung: {failure.message}", hint)
        how = f": {failure.message}" if failure.message else ""
        return PreflightError(failure.place, f"{WORKER_DIED} in the pre-flight{how}", hint)
    return _build_error_of_program(record, failure, search)


def _find_missing_value(failure: Failure) -> str | None:
    """Return the key of a config's value that is ``???``, where the program reads it."""
    found = MISSING_VALUE.match(failure.message) if failure.kind == "MissingMandatoryValue" else None
    return None if found is None else found[1]


def _build_error_of_program(record: TrialRecord, failure: Failure, search: Search) -> PreflightError:
    """Return the error that tells what the program itself raised."""
    if (missing := _find_missing_value(failure)) is not None:
        what = f"the config leaves {missing!r} to the command line"
        return PreflightError(failure.place, what, _add_words(search, [*search.space.args, f"{missing}=VALUE"]))
    version = search.paths.version(record.version)
    traceback = _tell_file(search, "The whole traceback:", "The last lines of the traceback:", version.error)
    gpus = _suggest_other_gpus(record, search)
    hint = "\n  ".join(line for line in (failure.code, failure.hint, gpus, traceback) if line)
    what = f"the baseline failed in the pre-flight: {failure.kind}: {failure.message}"
    return PreflightError(failure.place or search.program.name_of(search.program.path), what, hint)
