"""The checkpoints that a program writes itself: into its trial's version, and found at the path that the program gave.

Trials share a working directory. With one path for all of them, a trial would read what another wrote, or an earlier
run of the program. So the folder of each ``ModelCheckpoint`` becomes one in the version, and what Python opens or looks
for at the path that the program gave it is taken from there. Other files beside them stay what they are.
"""

# ruff: noqa: PTH100, PTH109, PTH117, PTH118 - this is within each `open`: paths are compared as text

import builtins
import contextlib
import functools
import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.trial.replaced import replaced

DEFAULT = "checkpoints"
"""The name of Lightning's folder for a callback that is given none."""
FIELD = re.compile(r"\\\{[^}]*\}")
"""In the name of a checkpoint, escaped: what a metric's value takes the place of."""
SUFFIX = r"(-v?\d+)?\.(ckpt|pt|pth)"


class ProgramCheckpoints:
    """Which paths of a program stand for which of its trial."""

    def __init__(self, folder: Path) -> None:
        """``folder``: of the version, for these checkpoints alone."""
        self._folder = folder
        self._patterns: dict[str, list[re.Pattern[str]]] = {}  # names of files that are the trial's, by folder
        self._directories: dict[str, str] = {}  # those of the trial, by folder
        self._patches = contextlib.ExitStack()

    def redirect_callback(self, callback: Any) -> None:
        """Give a ``ModelCheckpoint`` a folder of the trial's in the place of its own."""
        dirpath = callback.dirpath
        if dirpath is None:
            callback.dirpath = str(self._folder / DEFAULT)
            return
        if "://" in str(dirpath) or Path(dirpath).is_relative_to(self._folder):
            return
        names = [callback.filename, getattr(callback, "CHECKPOINT_NAME_LAST", "last")]
        callback.dirpath = self._redirect(str(dirpath), [_pattern_of(name) for name in names])

    def redirect_file(self, path: Any) -> Any:
        """Return where a file that the program saves belongs; one inside the version stays."""
        absolute = os.path.abspath(os.fspath(path))
        if "://" in str(path) or Path(absolute).is_relative_to(self._folder.parent.parent):
            return path
        folder, name = os.path.split(absolute)
        return os.path.join(self._redirect(folder, [re.compile(re.escape(name))]), name)

    def _redirect(self, folder: str, patterns: list[re.Pattern[str]]) -> str:
        version = self._folder.parent.parent
        inside = os.path.relpath(folder, version if Path(folder).is_relative_to(version) else None)
        name = inside if not inside.startswith("..") else os.path.join("elsewhere", *Path(folder).parts[1:])
        target = os.path.normpath(self._folder / name)
        if not self._patterns:
            self._patches.enter_context(_reads_redirected(self))
        for each in {folder, os.path.realpath(folder)}:
            self._patterns.setdefault(each, []).extend(patterns)
            self._directories[each] = target
        return target

    def close(self) -> None:
        """Let Python read what the paths say."""
        self._patches.close()

    def find(self, path: Any) -> Any:
        """Return the path of the trial's that a path stands for; the path itself where it stands for none."""
        if not self._patterns or not isinstance(path, str | os.PathLike):
            return path
        text = os.fspath(path)
        if not isinstance(text, str):
            return path
        absolute = os.path.normpath(text if os.path.isabs(text) else os.path.join(os.getcwd(), text))
        folder, name = os.path.split(absolute)
        if any(pattern.fullmatch(name) for pattern in self._patterns.get(folder, ())):
            return os.path.join(self._directories[folder], name)
        return path

    def find_folder(self, path: Any) -> Any:
        """Return the same for a folder whose content is wanted."""
        if not self._directories or not isinstance(path, str | os.PathLike):
            return path
        return self._directories.get(os.path.abspath(os.fspath(path)), path)


def _pattern_of(name: str | None) -> re.Pattern[str]:
    """Return what the files are called that Lightning makes of a template; without one it is epoch and step."""
    template = re.escape(name) if name else r"epoch=\d+\-step=\d+"
    return re.compile(FIELD.sub("[^/]*", template) + SUFFIX)


@contextlib.contextmanager
def checkpoints_redirected(package: ModuleType, checkpoints: ProgramCheckpoints) -> Iterator[None]:
    """Redirect what the program writes by Lightning's means, and what Python reads of it."""
    callback, trainer = package.callbacks.ModelCheckpoint, package.Trainer
    with contextlib.ExitStack() as patches:
        for owner, name, wrap in (
            (callback, "__init__", _redirected_after),
            (callback, "setup", _redirected_before),
            (trainer, "save_checkpoint", _saved_elsewhere),
        ):
            patches.enter_context(replaced(owner, name, wrap(getattr(owner, name), checkpoints)))
        patches.callback(checkpoints.close)
        yield


@contextlib.contextmanager
def _reads_redirected(checkpoints: ProgramCheckpoints) -> Iterator[None]:
    """Let Python open, and look for, what is at a path of the program's where it is."""
    abilities = (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks)
    with contextlib.ExitStack() as patches:
        for owner, name, wrap in (
            (builtins, "open", _found),
            (io, "open", _found),
            (os, "stat", _found_either),
            (os, "listdir", _found_folder),
            (os, "scandir", _found_folder),
        ):
            before = getattr(owner, name)
            replacement = wrap(before, checkpoints)
            for able in abilities:  # sets of functions
                if before in able:
                    able.add(replacement)
                    patches.callback(able.discard, replacement)
            patches.enter_context(replaced(owner, name, replacement))
        yield


def _redirected_after(init: Callable[..., None], checkpoints: ProgramCheckpoints) -> Callable[..., None]:
    @functools.wraps(init)
    def replacement(callback: Any, *args: Any, **given: Any) -> None:
        init(callback, *args, **given)
        if callback.dirpath is not None:
            checkpoints.redirect_callback(callback)

    return replacement


def _redirected_before(setup: Callable[..., None], checkpoints: ProgramCheckpoints) -> Callable[..., None]:
    @functools.wraps(setup)
    def replacement(callback: Any, *args: Any, **given: Any) -> None:
        checkpoints.redirect_callback(callback)
        setup(callback, *args, **given)

    return replacement


def _saved_elsewhere(save: Callable[..., None], checkpoints: ProgramCheckpoints) -> Callable[..., None]:
    @functools.wraps(save)
    def replacement(trainer: Any, filepath: Any, *args: Any, **given: Any) -> None:
        save(trainer, checkpoints.redirect_file(filepath), *args, **given)

    return replacement


def _found(function: Callable[..., Any], checkpoints: ProgramCheckpoints) -> Callable[..., Any]:
    @functools.wraps(function)
    def replacement(path: Any, *args: Any, **given: Any) -> Any:
        return function(checkpoints.find(path), *args, **given)

    return replacement


def _found_either(function: Callable[..., Any], checkpoints: ProgramCheckpoints) -> Callable[..., Any]:
    """Find files, and folders that are nowhere but in the trial."""

    @functools.wraps(function)
    def replacement(path: Any, *args: Any, **given: Any) -> Any:
        found = checkpoints.find(path)
        if found is path and checkpoints.find_folder(path) is not path and not os.path.lexists(path):
            found = checkpoints.find_folder(path)
        return function(found, *args, **given)

    return replacement


def _found_folder(function: Callable[..., Any], checkpoints: ProgramCheckpoints) -> Callable[..., Any]:
    @functools.wraps(function)
    def replacement(path: Any = ".", *args: Any, **given: Any) -> Any:
        return function(checkpoints.find_folder(path), *args, **given)

    return replacement
