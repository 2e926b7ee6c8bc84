"""Many trials, in the driver.

What leads a search stands here. Which configuration comes next is in ``samplers``, what is known of it in ``study``,
and which trial stops in ``schedulers``. Where trials run is in ``tune.cluster``.

It can be called: ``tune.search(...)`` of the Python API has this package's name, and Python puts the package into its
place as soon as something of it is imported.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    def __call__(self, *args: Any, **given: Any) -> Any:
        """Search: see ``tune.api.search``."""
        return import_module("tune.api").search(*args, **given)


sys.modules[__name__].__class__ = _Package
