"""The checkpoints that a program writes itself: into its trial's version, and found at the path that the program gave.

Trials share a working directory. With one path for all of them, a trial would read what another wrote, or an earlier
run of the program. So the folder of each ``ModelCheckpoint`` becomes one in the version, and what Python opens or looks
for at the path that the program gave it is taken from there. Other files beside them stay what they are. The same holds
for ``lightning_logs/version_0/checkpoints``, where Lightning writes by itself, once the trial has written such a file.
"""

# ruff: noqa: PTH100, PTH103, PTH109, PTH112, PTH113, PTH118 - this is within each `open`: paths are compared as text

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

from tune.internals.private_apis import patch_attribute

DEFAULT = "checkpoints"
"""The name of Lightning's folder for a callback that is given none."""
OF_A_VERSION = re.compile(r".*/version_\d+/checkpoints", re.DOTALL)
"""That folder, in a plain run."""
FIELD = re.compile(r"\\\{([^}:]*?)(:[^}]*?)?\\\}")
"""In the name of a checkpoint, escaped: what a metric's value takes the place of."""
SUFFIX = r"(-v?\d+)?"
"""What Lightning adds to a name that is taken."""


class ProgramCheckpoints:
    """Which paths of a program stand for which of its trial."""

    def __init__(self, folder: Path) -> None:
        """``folder``: of the version, for these checkpoints alone."""
        self._folder = Path(os.path.normpath(folder))
        self._patterns: dict[str, list[re.Pattern[str]]] = {}  # names of files that are the trial's, by folder
        self._directories: dict[str, str] = {}  # those of the trial, by folder
        self._listed: set[str] = set()  # the folders whose checkpoints are the trial's
        self._default: str | None = None  # the trial's folder in the place of Lightning's own
        self._patches = contextlib.ExitStack()
        self._patches_reads = False

    def redirect_callback(self, callback: Any) -> None:
        """Give a ``ModelCheckpoint`` a folder of the trial's in the place of its own."""
        dirpath = callback.dirpath
        if dirpath is None:
            callback.dirpath = self._default = str(self._folder / DEFAULT)
            self._patch_reads()
            return
        if "://" in str(dirpath) or Path(dirpath).is_relative_to(self._folder):
            return
        names = [callback.filename, getattr(callback, "CHECKPOINT_NAME_LAST", "last")]
        folder = os.path.abspath(str(dirpath))
        callback.dirpath = self._redirect_folder(folder, [_pattern_of(name, callback) for name in names])
        self._listed |= {folder, os.path.realpath(folder)}

    def redirect_file(self, path: Any) -> Any:
        """Return where a file that the program saves belongs; one inside the version stays."""
        absolute = os.path.abspath(os.fspath(path))
        if "://" in str(path) or Path(absolute).is_relative_to(self._folder.parent.parent):
            return path
        folder, name = os.path.split(absolute)
        return os.path.join(self._redirect_folder(folder, [re.compile(re.escape(name))]), name)

    def _redirect_folder(self, folder: str, patterns: list[re.Pattern[str]]) -> str:
        version = self._folder.parent.parent
        inside = os.path.relpath(folder, version if Path(folder).is_relative_to(version) else None)
        name = inside if not inside.startswith("..") else os.path.join("elsewhere", *Path(folder).parts[1:])
        target = os.path.normpath(self._folder / name)
        self._patch_reads()
        for each in {folder, os.path.realpath(folder)}:
            self._patterns.setdefault(each, []).extend(patterns)
            self._directories[each] = target
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)  # as saving there would
        return target

    def _patch_reads(self) -> None:
        if not self._patches_reads:
            self._patches_reads = True
            self._patches.enter_context(_redirect_reads(self))

    def close(self) -> None:
        """Let Python read what the paths say."""
        self._patches.close()

    def find_path(self, path: Any) -> Any:
        """Return the path of the trial's that a path stands for; the path itself where it stands for none."""
        if not isinstance(path, str | os.PathLike):
            return path
        text = os.fspath(path)
        if not isinstance(text, str):
            return path
        if not self._patterns and not text.endswith(".ckpt"):
            return path
        folder, name = os.path.split(os.path.normpath(os.path.join(os.getcwd(), text)))
        if self._default is not None and OF_A_VERSION.fullmatch(folder):
            own = os.path.join(self._default, name)
            return own if os.path.isfile(own) else path
        if folder not in self._patterns and any(self._is_redirected(each, name) for each in self._patterns):
            folder = os.path.realpath(folder)
        return os.path.join(self._directories[folder], name) if self._is_redirected(folder, name) else path

    def _is_redirected(self, folder: str, name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in self._patterns.get(folder, ()))

    def find_folder(self, path: Any) -> str | None:
        """Return the folder of the trial's for one whose content is wanted; None where it has none."""
        if not isinstance(path, str | os.PathLike):
            return None
        folder = os.path.abspath(os.fsdecode(os.fspath(path)))
        if self._default is not None and OF_A_VERSION.fullmatch(folder):
            return self._default if os.path.isdir(self._default) else None
        return self._directories[folder] if folder in self._listed else None

    def list_folder(self, function: Callable[..., Any], path: Any) -> list[Any]:
        """Return what a folder holds: the trial's checkpoints, and what else is there."""
        folder, target = os.path.abspath(os.fsdecode(os.fspath(path))), self.find_folder(path)
        entries: list[Any] = []
        if target is not None and os.path.isdir(target):
            entries += function(os.fsencode(target) if isinstance(path, bytes) else target)
            if target == self._default or not os.path.lexists(folder):
                return entries
        taken = {_name_of(entry) for entry in entries}
        for entry in function(path):
            if _name_of(entry) not in taken and not self._is_redirected(folder, _name_of(entry)):
                entries.append(entry)
        return entries


class _Listing:
    """What ``os.scandir`` returns: an iterator that can be closed."""

    def __init__(self, entries: list[Any]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> "_Listing":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration."""
        self._entries = iter(())


def _name_of(entry: Any) -> str:
    return os.fsdecode(getattr(entry, "name", entry))


def _pattern_of(name: str | None, callback: Any) -> re.Pattern[str]:
    """Return what the files are called that Lightning makes of a template; without one it is epoch and step."""
    template = re.escape(name) if name else r"\{epoch\}\-\{step\}"
    field = r"\1=[^/]*" if getattr(callback, "auto_insert_metric_name", True) else "[^/]*"
    extension = re.escape(getattr(callback, "FILE_EXTENSION", ".ckpt"))
    return re.compile(FIELD.sub(field, template) + SUFFIX + extension)


@contextlib.contextmanager
def redirect_checkpoints(package: ModuleType, checkpoints: ProgramCheckpoints) -> Iterator[None]:
    """Redirect what the program writes by Lightning's means, and what Python reads of it."""
    callback, trainer = package.callbacks.ModelCheckpoint, package.Trainer
    with contextlib.ExitStack() as patches:
        for owner, name, wrap in (
            (callback, "__init__", _wrap_init),
            (callback, "setup", _wrap_setup),
            (trainer, "save_checkpoint", _wrap_save_checkpoint),
        ):
            patches.enter_context(patch_attribute(owner, name, wrap(getattr(owner, name), checkpoints)))
        patches.callback(checkpoints.close)
        yield


@contextlib.contextmanager
def _redirect_reads(checkpoints: ProgramCheckpoints) -> Iterator[None]:
    """Let Python open, and look for, what is at a path of the program's where it is."""
    abilities = (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks)
    with contextlib.ExitStack() as patches:
        for owner, name, wrap in (
            (builtins, "open", _wrap_file_function),
            (io, "open", _wrap_file_function),
            (os, "stat", _wrap_stat),
            (os, "lstat", _wrap_file_function),
            (os, "access", _wrap_file_function),
            (os, "remove", _wrap_file_function),
            (os, "unlink", _wrap_file_function),
            (os, "rename", _wrap_file_function),
            (os, "replace", _wrap_file_function),
            (os, "listdir", _wrap_listdir),
            (os, "scandir", _wrap_scandir),
        ):
            before = getattr(owner, name)
            replacement = wrap(before, checkpoints)
            for able in abilities:  # sets of functions
                if before in able:
                    able.add(replacement)
                    patches.callback(able.discard, replacement)
            patches.enter_context(patch_attribute(owner, name, replacement))
        yield


def _wrap_init(init: Callable[..., None], checkpoints: ProgramCheckpoints) -> Callable[..., None]:
    @functools.wraps(init)
    def replacement(callback: Any, *args: Any, **given: Any) -> None:
        init(callback, *args, **given)
        if callback.dirpath is not None:
            checkpoints.redirect_callback(callback)

    return replacement


def _wrap_setup(setup: Callable[..., None], checkpoints: ProgramCheckpoints) -> Callable[..., None]:
    @functools.wraps(setup)
    def replacement(callback: Any, *args: Any, **given: Any) -> None:
        checkpoints.redirect_callback(callback)
        setup(callback, *args, **given)

    return replacement


def _wrap_save_checkpoint(save: Callable[..., None], checkpoints: ProgramCheckpoints) -> Callable[..., None]:
    @functools.wraps(save)
    def replacement(trainer: Any, filepath: Any, *args: Any, **given: Any) -> None:
        save(trainer, checkpoints.redirect_file(filepath), *args, **given)

    return replacement


def _wrap_file_function(function: Callable[..., Any], checkpoints: ProgramCheckpoints) -> Callable[..., Any]:
    return _wrap_path_function(function, checkpoints.find_path)


def _wrap_stat(function: Callable[..., Any], checkpoints: ProgramCheckpoints) -> Callable[..., Any]:
    """Find files, and folders that are nowhere but in the trial."""

    def find(path: Any) -> Any:
        found = checkpoints.find_path(path)
        folder = checkpoints.find_folder(path) if found is path else None
        return found if folder is None or os.path.lexists(path) else folder

    return _wrap_path_function(function, find)


def _wrap_path_function(function: Callable[..., Any], find: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of one path, or of two in `rename` and `replace`, that is given what each stands for."""
    positions = 2 if function.__name__ in {"rename", "replace"} else 1
    keywords = ("src", "dst") if positions > 1 else ("file", "path")

    @functools.wraps(function)
    def replacement(*args: Any, **given: Any) -> Any:
        if any(given.get(name) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            return function(*args, **given)
        paths = [find(path) for path in args[:positions]]
        given |= {name: find(given[name]) for name in keywords if name in given}
        return function(*paths, *args[positions:], **given)

    return replacement


def _wrap_listdir(listdir: Callable[..., Any], checkpoints: ProgramCheckpoints) -> Callable[..., Any]:
    @functools.wraps(listdir)
    def replacement(path: Any = ".") -> Any:
        if checkpoints.find_folder(path) is None:
            return listdir(path)
        return checkpoints.list_folder(listdir, path)

    return replacement


def _wrap_scandir(scandir: Callable[..., Any], checkpoints: ProgramCheckpoints) -> Callable[..., Any]:
    @functools.wraps(scandir)
    def replacement(path: Any = ".") -> Any:
        if checkpoints.find_folder(path) is None:
            return scandir(path)
        return _Listing(checkpoints.list_folder(scandir, path))

    return replacement
