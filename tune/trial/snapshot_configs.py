"""Trials read a program's config files as they were when the search began, as they execute its source."""

import builtins
import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator, Mapping
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


def _reading_copies(before: Callable[..., Any], copies: Mapping[str, Path]) -> Callable[..., Any]:
    @functools.wraps(before)
    def replacement(file: Any, mode: Any = "r", *args: Any, **given: Any) -> Any:
        is_read = isinstance(file, str | os.PathLike) and isinstance(mode, str) and not set(mode) & set("wax+")
        return before(copies.get(os.path.realpath(file), file) if is_read else file, mode, *args, **given)

    return replacement
