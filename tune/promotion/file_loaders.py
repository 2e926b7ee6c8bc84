"""Files of the project that a program loads by their path, not by an import statement: trials execute the snapshot."""

import contextlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.internals.private_apis import patch_attribute

CreateLoader = Callable[[str, Path], Any]
"""Returns what loads a file under a module's name; None where the file is not of the project's snapshot."""


@contextlib.contextmanager
def patch_file_loaders(create_loader: CreateLoader, own_name: str) -> Iterator[None]:
    """Let ``spec_from_file_location`` and ``runpy.run_path`` take the project's files from ``create_loader``.

    ``own_name``: what a loader adds to the names of a module, and the program does not see.
    """
    find_spec, run_path = importlib.util.spec_from_file_location, runpy.run_path

    def find_own_spec(name: str, location: Any = None, **given: Any) -> ModuleSpec | None:
        spec = find_spec(name, location, **given)
        if spec is not None and spec.origin is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = create_loader(name, Path(spec.origin).resolve()) or spec.loader
        return spec

    def run_own_path(
        path_name: Any, init_globals: dict[str, Any] | None = None, run_name: str | None = None
    ) -> dict[str, Any]:
        name = run_name or "<run_path>"
        path = Path(os.fsdecode(path_name))
        loader = create_loader(name, path.resolve()) if path.suffix == ".py" else None
        if loader is None:
            return run_path(path_name, init_globals, run_name)
        module = ModuleType(name)
        vars(module).update({**(init_globals or {}), "__name__": name, "__file__": os.fsdecode(path_name)})
        with _stand_for_program(module):
            loader.exec_module(module)
        return {key: value for key, value in vars(module).items() if key != own_name}

    with (
        patch_attribute(importlib.util, "spec_from_file_location", find_own_spec),
        patch_attribute(runpy, "run_path", run_own_path),
    ):
        yield


@contextlib.contextmanager
def _stand_for_program(module: ModuleType) -> Iterator[None]:
    """Let a module be found by its name, and ``sys.argv`` begin with its file, while it runs: as ``runpy`` does."""
    name, first = module.__name__, sys.argv[:1]
    before = sys.modules.get(name)
    sys.modules[name] = module
    sys.argv[:1] = [str(module.__file__)]
    try:
        yield
    finally:
        sys.argv[:1] = first
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
