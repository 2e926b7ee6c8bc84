"""How the user calls Promotune: usage, errors and the commands that come next say it in the same words."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tune.paths import display_path

SCRIPT = "promotune"
"""The console script that an installation brings."""

PACKAGE = Path(__file__).parent


def this_command() -> str:
    """Return what the user types before a command's own words: ``promotune``, ``python -m tune``."""
    called = Path(sys.argv[0] if sys.argv else "")
    if called.name == "run_search.py":
        return "python run_search.py"
    if called.name == "__main__.py" and called.parent == PACKAGE:
        return "python -m tune"
    return SCRIPT if called.stem != SCRIPT or _is_on_path(called) else _shorten_path(called)


def typed_command() -> str:
    """Return the whole command line, as the user can type it again."""
    return f"{this_command()} {shlex.join(sys.argv[1:])}"


def join_words(words: Iterable[str]) -> str:
    """Return words as they may be typed, in quotes that people can read: ``"CFG['lr']"``."""
    return " ".join(_quote_word(word) for word in words)


def _quote_word(word: str) -> str:
    quoted = shlex.quote(word)
    return f'"{word}"' if quoted != word and "'" in word and not set(word) & set('"$`\\!') else quoted


def _is_on_path(called: Path) -> bool:
    found = shutil.which(called.name)
    return not called.is_file() or (found is not None and Path(found).resolve() == called.resolve())


def _shorten_path(called: Path) -> str:
    """Return the path of a script that the shell does not find by its name."""
    path = called.absolute()
    return shlex.quote(min(os.path.relpath(path), display_path(path), key=len))


def without_option(words: Sequence[str], option: str) -> list[str]:
    """Return a command line without an option and its value."""
    kept: list[str] = []
    is_value = False
    for word in words:
        if not is_value and word != option and not word.startswith(f"{option}="):
            kept.append(word)
        is_value = word == option
    return kept
