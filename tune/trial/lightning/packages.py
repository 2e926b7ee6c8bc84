"""``pytorch_lightning`` and ``lightning.pytorch`` are two class trees: what we add comes from the program's own."""

import contextlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGES = ("pytorch_lightning", "lightning.pytorch")


def package_of(module_class: type) -> ModuleType:
    """Return the Lightning package whose LightningModule ``module_class`` descends from."""
    for name in PACKAGES:
        package = sys.modules.get(name)
        if package is not None and issubclass(module_class, package.LightningModule):
            return package
    raise AssertionError(f"{module_class!r} is no LightningModule")


def is_lightning_subclass(candidate: object, name: str) -> bool:
    """Tell whether ``candidate`` is a class below Lightning's ``LightningModule``, ``LightningDataModule``..."""
    if not isinstance(candidate, type):
        return False
    roots: list[Any] = [getattr(sys.modules[package], name) for package in PACKAGES if package in sys.modules]
    return any(issubclass(candidate, root) and candidate is not root for root in roots)


Patch = Callable[[ModuleType], contextlib.AbstractContextManager[None]]
"""Changes a package for as long as it is entered."""


@contextlib.contextmanager
def patch_lightning_packages(patch: Patch) -> Iterator[None]:
    """Patch each Lightning package that is imported, and each that is imported meanwhile, by whomever."""
    with patch_packages(PACKAGES, patch):
        yield


@contextlib.contextmanager
def patch_packages(names: Sequence[str], patch: Patch) -> Iterator[None]:
    """Patch each of these packages that is imported, and each that is imported meanwhile, by whomever."""
    with contextlib.ExitStack() as patches:
        for name in names:
            if name in sys.modules:
                patches.enter_context(patch(sys.modules[name]))
        finder = _Finder(names, lambda package: patches.enter_context(patch(package)))
        sys.meta_path.insert(0, finder)
        patches.callback(sys.meta_path.remove, finder)
        yield


class _Finder(importlib.abc.MetaPathFinder):
    """Calls a function with each of some packages once it is imported; others find it."""

    def __init__(self, names: Sequence[str], then: Callable[[ModuleType], object]) -> None:
        self._names = names
        self._then = then
        self._searched: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return what the other finders do, with a loader that calls the function last."""
        if name not in self._names or name in self._searched:
            return None
        self._searched.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searched.discard(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_patch(module: ModuleType) -> None:
                execute(module)
                self._then(module)

            spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec
