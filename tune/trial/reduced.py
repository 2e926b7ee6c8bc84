"""What a program logs for an epoch is that of all processes together, as if it had run in one.

Lightning reduces only what is logged with ``sync_dist=True``, which a program for one device has no reason to say:
without it the trial would be scored by the share of the data that rank 0 saw.
"""

import contextlib
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from tune.trial.replaced import replaced


@contextlib.contextmanager
def reduced_over_ranks(package: ModuleType) -> Iterator[None]:
    """Let ``LightningModule.log`` reduce what it keeps for an epoch; what rank 0 alone logs stays its own."""
    module_class = package.LightningModule
    with replaced(module_class, "log", _reducing(module_class.log, package)):
        yield


def _reducing(log: Callable[..., None], package: ModuleType) -> Callable[..., None]:
    signature = inspect.signature(log)
    connectors = f"{package.__name__}.trainer.connectors.logger_connector"
    levels = importlib.import_module(f"{connectors}.fx_validator")._FxValidator.functions  # noqa: SLF001 - the defaults

    @functools.wraps(log)
    def replacement(*args: Any, **given: Any) -> None:
        call = signature.bind(*args, **given)
        call.apply_defaults()
        said = call.arguments
        defaults = levels.get(said["self"]._current_fx_name) or {}  # noqa: SLF001 - what `log` itself goes by
        by_epoch = defaults.get("default_on_epoch", False) if said["on_epoch"] is None else said["on_epoch"]
        if by_epoch and not said["rank_zero_only"]:
            said["sync_dist"] = True
        log(*call.args, **call.kwargs)

    return replacement
