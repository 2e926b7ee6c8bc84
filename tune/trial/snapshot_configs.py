"""Trials read a program's config files as they were when the search began, as they execute its source."""

import builtins
import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tune.promotion.configs.hydra_values import config_files
from tune.promotion.snapshot import Snapshot
from tune.trial.replaced import replaced


@contextlib.contextmanager
def configs_of_snapshot(snapshot: Snapshot) -> Iterator[None]:
    """Let Python open the copy of a config file in the snapshot where it is read at its path."""
    copies = {
        os.path.realpath(snapshot.program.root / path.relative_to(snapshot.folder)): path
        for path in config_files(snapshot.folder)
    }
    with contextlib.ExitStack() as patches:
        for module in (builtins, io) if copies else ():
            patches.enter_context(replaced(module, "open", _reading_copies(module.open, copies)))
        yield


def _reading_copies(before: Callable[..., Any], copies: dict[str, Path]) -> Callable[..., Any]:
    @functools.wraps(before)
    def replacement(file: Any, mode: Any = "r", *args: Any, **given: Any) -> Any:
        if not isinstance(file, str | os.PathLike):
            return before(file, mode, *args, **given)
        path = os.path.realpath(file)
        if set(mode) & set("wax+"):
            copies.pop(path, None)  # the program reads what it writes
        return before(copies.get(path, file), mode, *args, **given)

    return replacement
