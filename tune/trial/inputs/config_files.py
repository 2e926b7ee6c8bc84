"""Trials read a program's config files as they were when the search began, as they execute its source.

Where a value of such a file varies, a trial reads a copy with its own value, which is kept with the trial.
"""

import builtins
import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tune.internals.private_apis import patch_attribute
from tune.paths import atomic_write
from tune.promotion.configs.config_file import SUFFIXES, ConfigPlace, rewrite_config
from tune.promotion.configs.hydra_values import config_files
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.snapshot import MANIFEST, Snapshot
from tune.space.dimensions import Value

FOLDER = "configs"
"""Of a version: the config files with the trial's values."""


class SnapshotConfigs:
    """The config files of one execution of the program."""

    def __init__(
        self, snapshot: Snapshot, options: Mapping[str, Option], values: Mapping[str, Value], folder: Path
    ) -> None:
        """``values``: of the options that vary. ``folder``: of the version, for files with other values."""
        self._snapshot = snapshot
        self._options = {key: option for key, option in options.items() if option.parser is OptionParser.FILE}
        self._values = {key: value for key, value in values.items() if key in self._options}
        self._folder = folder / FOLDER
        self._opened: set[str] = set()  # names of the files that were opened

    @contextlib.contextmanager
    def install_patches(self) -> Iterator[None]:
        """Let Python open our copy of a config file where it is read at its path."""
        copies = self._write_copies()
        with contextlib.ExitStack() as patches:
            for module in (builtins, io) if copies else ():
                patches.enter_context(patch_attribute(module, "open", self._wrap_open(module.open, copies)))
            yield

    @property
    def unopened_options(self) -> frozenset[str]:
        """The options that vary whose file was not opened."""
        return frozenset(key for key in self._values if self._config_place(key).name not in self._opened)

    @property
    def found_values(self) -> dict[str, dict[str, Any]]:
        """For trial.json, by option whose file was opened: ``value`` and ``where``."""
        held = {key: option.value for key, option in self._options.items()} | self._values
        opened = {key: self._config_place(key) for key in self._options if self._config_place(key).name in self._opened}
        return {key: {"value": held[key], "where": str(place)} for key, place in opened.items()}

    def _config_place(self, key: str) -> ConfigPlace:
        place = self._options[key].config
        assert place is not None, f"{key} is in no file"
        return place

    def _write_copies(self) -> dict[str, Path]:
        """Return the file to open, by the path that it is read at."""
        stored, root = self._snapshot.folder, self._snapshot.program.root
        paths = [path for path in config_files(stored, SUFFIXES) if path != stored / MANIFEST]
        copies = {os.path.realpath(root / path.relative_to(stored)): path for path in paths}
        by_file: dict[str, dict[ConfigPlace, Value]] = {}
        for key, value in self._values.items():
            by_file.setdefault(self._config_place(key).name, {})[self._config_place(key)] = value
        for name, values in by_file.items():
            _, raw = rewrite_config(stored / name, values)
            copy = self._folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(copy) as aside:
                aside.write_bytes(raw)
            copies[os.path.realpath(root / name)] = copy
        return copies

    def _wrap_open(self, before: Callable[..., Any], copies: dict[str, Path]) -> Callable[..., Any]:
        names = {
            os.path.realpath(self._snapshot.program.root / self._config_place(key).name): key for key in self._options
        }

        @functools.wraps(before)
        def replacement(file: Any, mode: Any = "r", *args: Any, **given: Any) -> Any:
            if not isinstance(file, str | os.PathLike):
                return before(file, mode, *args, **given)
            path = os.path.realpath(file)
            if set(mode) & set("wax+"):
                copies.pop(path, None)  # the program reads what it writes
            elif path in names and path in copies:
                self._opened.add(self._config_place(names[path]).name)
            return before(copies.get(path, file), mode, *args, **given)

        return replacement
