"""``pytorch_lightning`` and ``lightning.pytorch`` are two class trees: what we add comes from the program's own."""

import sys
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


def descends(candidate: object, name: str) -> bool:
    """Tell whether ``candidate`` is a class below Lightning's ``LightningModule``, ``LightningDataModule``..."""
    if not isinstance(candidate, type):
        return False
    roots: list[Any] = [getattr(sys.modules[package], name) for package in PACKAGES if package in sys.modules]
    return any(issubclass(candidate, root) and candidate is not root for root in roots)
