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

from torch import Tensor, distributed

from tune.trial.replaced import replaced

SYNC = "_sync_ddp"
"""Lightning 2.6's function that reduces a value over the processes; another one's reduces as it does."""


@contextlib.contextmanager
def reduced_over_ranks(package: ModuleType) -> Iterator[None]:
    """Let ``LightningModule.log`` reduce what it keeps for an epoch; what rank 0 alone logs stays its own.

    Its mean is that of all processes on the CPU, too.
    """
    module_class = package.LightningModule
    fabric = "lightning_fabric" if package.__name__ == "pytorch_lightning" else "lightning.fabric"
    sync = importlib.import_module(f"{fabric}.utilities.distributed")
    known = hasattr(sync, SYNC)
    with (
        replaced(module_class, "log", _reducing(module_class.log, package)),
        replaced(sync, SYNC, _averaging(getattr(sync, SYNC))) if known else contextlib.nullcontext(),
    ):
        yield


def _averaging(sync: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let means of values on the CPU be sums that are divided, as Lightning does where a group's backend is ``gloo``.

    In a group of gloo and NCCL it asks gloo for the mean, which gloo has not for whole numbers, and in torch before 2.8
    not at all (pytorch#149781).
    """

    @functools.wraps(sync)
    def replacement(result: Tensor, group: Any = None, reduce_op: Any = None) -> Tensor:
        if result.is_cpu and isinstance(reduce_op, str) and reduce_op.lower() in ("avg", "mean"):
            total = sync(result, group, "sum")
            return total.copy_(total / distributed.get_world_size(group))
        return sync(result, group, reduce_op)

    return replacement


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
