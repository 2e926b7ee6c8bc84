"""``pytorch_lightning`` and ``lightning.pytorch`` are two class trees; a program uses one, and so must all that we add."""

import importlib
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
    """Tell whether ``candidate`` is a class below the loaded packages' ``LightningModule``, ``LightningDataModule``..."""
    if not isinstance(candidate, type):
        return False
    roots: list[Any] = [getattr(sys.modules[package], name) for package in PACKAGES if package in sys.modules]
    return any(issubclass(candidate, root) and candidate is not root for root in roots)


def warm() -> None:
    """Import what every trial needs, before the first needs it."""
    for name in ("torch", "torch.utils.tensorboard", PACKAGES[0]):
        importlib.import_module(name)
