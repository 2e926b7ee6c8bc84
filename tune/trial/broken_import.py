"""What is wrong where an import fails: with the environment, most often, and not with the program."""

import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType

from tune.paths import display_path
from tune.trial.process.watched import is_ours

DISTRIBUTIONS: Mapping[str, str] = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dotenv": "python-dotenv",
    "hydra": "hydra-core",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What is installed for a module of another name."""

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
    frames = [each for each in traceback.extract_tb(trace) if not each.filename.startswith("<")]
    frames = [each for each in frames if not is_ours(Path(each.filename))] or frames
    return f"{display_path(Path(frames[-1].filename))}:{frames[-1].lineno}" if frames else None


def _torch_hint(message: str) -> str:
    if OF_ANOTHER_TORCH.search(message) is None:
        return ""
    return f"The package may be made for another torch than {metadata.version('torch')}: install it again to fit."
