"""An exception of the program as data: what it says, and the user's own last line in it.

Where an import fails, something is wrong with the environment, most often, and not with the program.
"""

import contextlib
import importlib.util
import itertools
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import TracebackType

from tune.errors import PromotuneError
from tune.experiment.records import Failure
from tune.paths import display_path
from tune.promotion.execute import IN_FORCE
from tune.promotion.program import Program
from tune.trial.disk_space import walk_exception_chain
from tune.trial.messages import MEMORY_KINDS, Job
from tune.trial.process.watched import is_ours

DISTRIBUTIONS: Mapping[str, str] = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dotenv": "python-dotenv",
    "hydra": "hydra-core",
    "pkg_resources": "'setuptools<81'",
    "pl_bolts": "lightning-bolts",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What is installed for a module of another name. Setuptools advises below 81: ``pkg_resources`` is gone from 82 on."""

OF_ANOTHER_TORCH = re.compile(
    r"operator torch\w+::|undefined symbol|from 'torch[.']|module 'torch[.'\w]* has no attribute"
    r"|lib(?:torch|c10|cud|cublas|nccl|nvrtc)[\w.+-]*: cannot open shared object file"
)
"""What is said by a package that was built or written for another torch than the installed one."""


def import_hint(error: BaseException, inner: TracebackType | None) -> str | None:
    """Return where an import failed, and what to do; None where it was no import that failed.

    ``inner``: the traceback below the program's own last frame.
    """
    if isinstance(error, ModuleNotFoundError) and error.name and _is_missing(error.name):
        top = error.name.partition(".")[0]
        command = f"{display_path(Path(sys.executable))} -m pip install {DISTRIBUTIONS.get(top, top)}"
        return f"{_raised_in(inner)}It is neither in the project nor installed: `{command}`, if it is a package."
    if inner is None or not (isinstance(error, ImportError) or inner.tb_frame.f_code.co_name == "<module>"):
        return None
    return f"{_raised_in(inner)}{_torch_hint(str(error))}".strip()


def describe_raised(error: BaseException) -> str:
    """Return an exception in one line, with the place where it was raised."""
    place = _find_last_place(error.__traceback__)
    said = f"{type(error).__name__}: {error}" + ("" if place is None else f" ({place})")
    hint = _torch_hint(said)
    return f"{said}. {hint}" if hint else said


def _is_missing(name: str) -> bool:
    """Whether no package of a module's name is there."""
    try:
        return importlib.util.find_spec(name.partition(".")[0]) is None
    except (ImportError, ValueError):
        return False


def _raised_in(trace: TracebackType | None) -> str:
    place = _find_last_place(trace)
    return "" if place is None else f"It is raised in {place}. "


def _find_last_place(trace: TracebackType | None) -> str | None:
    """Return the innermost line that is neither ours nor the standard library's."""
    frames = [each for each in traceback.extract_tb(trace, limit=-MOST_FRAMES) if not each.filename.startswith("<")]
    frames = [each for each in frames if not is_ours(Path(each.filename))] or frames
    return f"{display_path(Path(frames[-1].filename))}:{frames[-1].lineno}" if frames else None


def _torch_hint(message: str) -> str:
    if OF_ANOTHER_TORCH.search(message) is None:
        return ""
    return f"The package may be made for another torch than {metadata.version('torch')}: install it again to fit."


CUDA_ERROR = re.compile("(CUDA|HIP) error: ")
"""What stands in each error of the GPU's but for a full memory, behind which it works on."""
AT_A_LATER_LINE = (
    "CUDA may report it at a later line than the one that caused it. "
    "Run the search with CUDA_LAUNCH_BLOCKING=1 to see that line."
)
CUDA_HINTS = {
    "device-side assert": AT_A_LATER_LINE,
    "illegal memory access": AT_A_LATER_LINE,
    "invalid device ordinal": "A trial sees only the GPUs that it was given. The first of them is cuda:0.",
}
"""What to do, by what an error says."""
NO_TERMINAL = {"BdbQuit": "", "EOFError": "EOF when reading a line"}
"""How a debugger and ``input()`` end in a trial, whose standard input is empty: the exception, and what it says."""
TERMINAL_HINT = "A trial has no terminal. Run the program without a search to debug it, or to type something in."
MADE_BEFORE = (
    "The run of the program before this one, or one beside it, has made it: with `--own-folder` each trial writes to a "
    "folder of its own."
)
LEFT_BEHIND = (
    "It lies where the search was started: with `--own-folder` a trial starts in a folder of its own. "
    "Name it by an absolute path, or leave that option out."
)
TRACKERS = ("mlflow", "wandb", "comet_ml", "trackio")
"""Packages that send what a program logs to a server."""
COLOR = re.compile(r"\x1b\[[0-9;]*m")
"""What sets the color of a terminal's text: messages of `torch.load` hold some."""
MOST_FRAMES = 1000
"""Of a traceback: a program that allows a million has its text written in minutes."""
MOST_CAUSES = 50
"""Errors of a chain that are looked at."""
TRACEBACK = "Traceback (most recent call last):\n"
FRAME = re.compile(r' +File "(?P<path>.+)", line (?P<line>\d+), in ')
MOST_CHARACTERS = 2000
"""Of a message, as data: whoever looks through it, or shows it, is not to do so for minutes."""


class ChildFailure(Exception):  # noqa: N818 - it carries the failure of another process
    """Another process of the trial failed, before this one did: ``failure`` says of what."""

    def __init__(self, failure: Failure, trace: str) -> None:
        """``trace``: the traceback, of that process."""
        super().__init__(failure, trace)
        self.failure = failure
        self.trace = trace


def _folder_hint(error: BaseException, job: Job) -> str | None:
    """Return what to do about a path in the folder that trials share: it was to be new, or is not in their own."""
    if not isinstance(error, OSError) or not isinstance(error.filename, str):
        return None
    path = Path(job.folder, error.filename)
    if isinstance(error, FileExistsError) and not job.own_folder and path.is_relative_to(job.folder):
        return MADE_BEFORE
    is_left = job.own_folder and not Path(error.filename).is_absolute() and path.exists()
    return LEFT_BEHIND if isinstance(error, FileNotFoundError) and is_left else None


def format_traceback(error: BaseException) -> str:
    """Return the traceback as text; of an endless recursion the innermost frames."""
    if isinstance(error, ChildFailure):
        return error.trace
    return "".join(traceback.format_exception(error, limit=-MOST_FRAMES))


def print_uncaught(error: BaseException) -> None:
    """Print an exception that ended the program as Python would: by the hook, which tells trackers of the failure."""
    with contextlib.suppress(Exception):  # the program may have closed the stream
        if isinstance(error, ChildFailure | SystemExit) or sys.excepthook is sys.__excepthook__:
            sys.stderr.write(format_traceback(error))
        else:
            sys.excepthook(type(error), error, error.__traceback__)


def create_failure(error: BaseException, job: Job) -> Failure:
    """Return an exception as data, with the user's own last frame."""
    if isinstance(error, ChildFailure):
        return error.failure
    # An error that we raised, also where Lightning raised another while it tore the Trainer down
    ours = next((each for each in walk_exception_chain(error) if isinstance(each, PromotuneError)), None)
    if ours is not None:
        message = f"{ours.where}: {ours.what}" if ours.where else ours.what
        return Failure(kind=type(ours).__name__, ours=True, message=message, hint=ours.hint)
    interrupt = (each for each in walk_exception_chain(error) if isinstance(each, KeyboardInterrupt))
    error = next(interrupt, error)  # of the program's own: Lightning makes another of it while it tears down
    error = _find_first_error(error)
    exit_frames = program_frames(error)
    # the exception whose handler called ``sys.exit(1)``, as ``hydra.main`` does; else the error itself
    cause = error.__cause__ or error.__context__
    exits = isinstance(error, SystemExit) and isinstance(error.code, int)
    error = cause if exits and isinstance(cause, Exception) else error
    kind, message, frames = type(error).__name__, _format_error(error), program_frames(error) or exit_frames
    if (origin := _find_origin(error)) is not None:
        kind = type(origin).__name__ if type(origin).__name__ in MEMORY_KINDS else kind
        message, frames = _join_messages(message, type(origin).__name__, _format_error(origin)), program_frames(origin)
        error = origin
    elif (told := _read_told_traceback(error, job.program)) is not None:
        if told.place is not None:
            return replace(told, kind=kind)
        message = told.message
    elif (cause := error.__cause__) is not None and (told := _read_told_traceback(cause, job.program)) and told.place:
        return replace(told, kind=kind, message=message)  # of a pool's process: the cause is its traceback alone
    terminal_hint = TERMINAL_HINT if NO_TERMINAL.get(type(error).__name__) == _format_error(error) else None
    if not frames:
        return Failure(kind=kind, message=message, hint=terminal_hint)
    place, line = frames[-1]
    name = _name_file(place.tb_frame.f_code.co_filename, job.program)
    code = traceback.extract_tb(place, limit=1)[0].line
    beyond = frames[-1][0].tb_next
    # What to do about a CUDA error whose own text does not say it
    cuda_hint = next((hint for what, hint in CUDA_HINTS.items() if what in message), None)
    hint = import_hint(error, beyond) or cuda_hint or _tracker_hint(error, beyond) or terminal_hint
    hint = hint or _folder_hint(error, job)
    return Failure(kind=kind, message=message, place=f"{name}:{line}", code=code or None, hint=hint)


def _find_origin(error: BaseException, depth: int = MOST_CAUSES) -> BaseException | None:
    """Return the deepest error with a frame of the program that this one was raised ``from``, or is a group of."""
    group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for each in (*group, error.__cause__) if depth else ():
        if each is not None:
            found = _find_origin(each, depth - 1) or (each if program_frames(each) else None)
            if found is not None:
                return found
    return None


def _read_told_traceback(error: BaseException, program: Program) -> Failure | None:
    """Return what an error says that holds the traceback of another process, as one of a DataLoader's worker does."""
    before, begin, trace = _text_of(error).rpartition(TRACEBACK)
    lines = trace.splitlines()
    frames = [(number, match) for number, line in enumerate(lines) if (match := FRAME.match(line)) is not None]
    if not begin or not frames:
        return None
    said = list(itertools.dropwhile(lambda line: line.startswith(" "), lines[frames[-1][0] :]))
    kind, _, message = "\n".join(said).strip().partition(": ")
    message = _join_messages(before.strip().partition("\n")[0], kind, message)[:MOST_CHARACTERS]
    own = [(number, match) for number, match in frames if program.is_project_file(Path(match["path"]))]
    if not own:
        return Failure(kind=kind, message=message)
    number, match = own[-1]
    code = lines[number + 1].strip() if number + 1 < len(lines) else None
    place = f"{_name_file(match['path'], program)}:{match['line']}"
    return Failure(kind=kind, message=message, place=place, code=code or None)


def _name_file(name: str, program: Program) -> str:
    path = Path(name)
    return program.name_of(path) if path.is_relative_to(program.root) else name


def _join_messages(text: str, kind: str, origin: str) -> str:
    """Return what an error says, with what it came from: of several lines that repeat that the first alone."""
    first, _, more = text.partition("\n")
    if origin and origin in text:
        if not more:
            return text
        text = first
    said = f"{kind}: {origin}" if origin else kind
    return f"{text.rstrip(' .:')}, from {said}" if text else said


def _find_first_error(error: BaseException) -> BaseException:
    """Return the program's error that this one only follows from, as what Lightning's teardown raises; else this one.

    Behind a CUDA error the GPU answers nothing but that, so of several the first is meant.
    """
    chain = list(walk_exception_chain(error))
    if CUDA_ERROR.search(_format_error(error)):
        chain = [each for each in reversed(chain) if CUDA_ERROR.search(_format_error(each))]
    elif program_frames(error) or error.__suppress_context__:  # what is raised `from` another says more than that one
        return error
    return next((each for each in chain if program_frames(each)), error)


def _tracker_hint(error: BaseException, beyond: TracebackType | None) -> str | None:
    """Return what to do where a tracker that the program called cannot be reached; ``beyond``: the program's frames."""
    names = {trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] for trace, _ in _walk_frames(beyond)}
    called = [name for name in TRACKERS if name in names]
    if not called or not any(isinstance(each, OSError) for each in walk_exception_chain(error)):
        return None
    return f"The tracker {called[0]} could not be reached: the configuration is not what failed."


def _format_error(error: BaseException) -> str:
    """Return what it says, if that does not raise another; of a long text the beginning, `error.txt` has it whole."""
    text = _text_of(error)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


def _text_of(error: BaseException) -> str:
    try:
        return COLOR.sub("", str(error))
    except Exception:
        return ""


def program_frames(error: BaseException) -> list[tuple[TracebackType, int]]:
    """Return the frames of a traceback that are the program's, each with its line, the outermost first."""
    return [frame for frame in _walk_frames(error.__traceback__) if IN_FORCE in frame[0].tb_frame.f_globals]


def _walk_frames(trace: TracebackType | None) -> Iterator[tuple[TracebackType, int]]:
    while trace is not None:
        yield trace, trace.tb_lineno
        trace = trace.tb_next
