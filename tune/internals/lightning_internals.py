"""Patches of Lightning: work that it repeats, logged values of several processes, and the order of samples.

What Lightning does over and over for nothing, left out: a trial of short steps takes a fifth less time.

Each logged value is moved to where it is already, by a walk through all that Lightning keeps of it, copies included;
two values logged in a step can cost as much as the step (Lightning-AI/pytorch-lightning#20388, and #21769, which would
mend it as it is done here). And each Trainer asks every package that is installed whether it has callbacks for it.

What a program logs for an epoch is that of all processes together, as if it had run in one.

Lightning reduces only what is logged with ``sync_dist=True``, which a program for one device has no reason to say:
without it the trial would be scored by the share of the data that rank 0 saw.

Each process of a trial takes its share of the data in the order that the program says.

Lightning shuffles what training takes whenever several processes share it, even where the program has
``shuffle=False``: then a trial of two would not be what it is in one.
"""

import contextlib
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, distributed
from torch.utils.data import SequentialSampler
from torchmetrics import Metric

from tune.internals.private_apis import patch_attribute

MOVED_TO = "_promotune_moved_to"
"""Where what Lightning keeps of a value remembers the device that all of it was moved to."""


@contextlib.contextmanager
def skip_redundant_work(package: ModuleType) -> Iterator[None]:
    """Leave both out, in a Lightning that does them; what is logged stays the same."""
    with contextlib.ExitStack() as patches:
        for module, owner, name, wrapped in (
            (
                f"{package.__name__}.trainer.connectors.logger_connector.result",
                "_ResultMetric",
                "to",
                skip_redundant_moves,
            ),
            (f"{_fabric_name(package)}.utilities.registry", None, "entry_points", functools.cache),
        ):
            patches.enter_context(_wrap_function(module, owner, name, wrapped))
        yield


def skip_redundant_moves(to: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``_ResultMetric.to`` that moves nothing which is there already."""

    @functools.wraps(to)
    def replacement(metric: Any, *args: Any, **given: Any) -> Any:
        device = args[0] if len(args) == 1 and not given else None
        if not isinstance(device, torch.device):
            return to(metric, *args, **given)
        held = vars(metric)
        if held.get(MOVED_TO) == device and all(
            each.device == device for each in held.values() if isinstance(each, torch.Tensor | Metric)
        ):
            return metric
        moved = to(metric, device)
        vars(moved)[MOVED_TO] = device
        return moved

    return replacement


@functools.cache
def _fabric_name(package: ModuleType) -> str:
    """Return the name of the package that a Lightning is built on."""
    return "lightning_fabric" if package.__name__ == "pytorch_lightning" else "lightning.fabric"


@contextlib.contextmanager
def _wrap_function(module: str, owner: str | None, name: str, wrapped: Callable[..., Any]) -> Iterator[None]:
    """Wrap a function; in a Lightning that has none of that name, nothing."""
    try:
        place: Any = importlib.import_module(module)
        place = place if owner is None else getattr(place, owner)
        before = getattr(place, name)
    except (ImportError, AttributeError):
        yield
        return
    with patch_attribute(place, name, _wrap_once(wrapped, before)):
        yield


@functools.cache
def _wrap_once(wrapped: Callable[..., Any], before: Callable[..., Any]) -> Any:
    """Return the same wrapped function each time: it may remember what it learnt."""
    return wrapped(before)


SYNC = "_sync_ddp"
"""Lightning 2.6's function that reduces a value over the processes; another one's reduces as it does."""


@contextlib.contextmanager
def sync_epoch_logs(package: ModuleType) -> Iterator[None]:
    """Let ``LightningModule.log`` reduce what it keeps for an epoch; what rank 0 alone logs stays its own.

    Its mean is that of all processes on the CPU, too.
    """
    module_class = package.LightningModule
    fabric = "lightning_fabric" if package.__name__ == "pytorch_lightning" else "lightning.fabric"
    sync = importlib.import_module(f"{fabric}.utilities.distributed")
    known = hasattr(sync, SYNC)
    with (
        patch_attribute(module_class, "log", _wrap_log(module_class.log, package)),
        patch_attribute(sync, SYNC, _wrap_sync(getattr(sync, SYNC))) if known else contextlib.nullcontext(),
    ):
        yield


def _wrap_sync(sync: Callable[..., Tensor]) -> Callable[..., Tensor]:
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


def is_logged_by_epoch(package: ModuleType, module: Any, on_epoch: bool | None) -> bool:
    """Tell whether a call of ``LightningModule.log`` keeps a value for the epoch, not for the step alone.

    ``on_epoch``: what it is given; None leaves it to the hook of the module that runs.
    """
    if on_epoch is not None:
        return on_epoch
    connectors = f"{package.__name__}.trainer.connectors.logger_connector"
    levels = importlib.import_module(f"{connectors}.fx_validator")._FxValidator.functions  # noqa: SLF001 - the defaults
    defaults = levels.get(module._current_fx_name) or {}  # noqa: SLF001 - what `log` itself goes by
    return bool(defaults.get("default_on_epoch", False))


def _wrap_log(log: Callable[..., None], package: ModuleType) -> Callable[..., None]:
    signature = inspect.signature(log)

    @functools.wraps(log)
    def replacement(*args: Any, **given: Any) -> None:
        call = signature.bind(*args, **given)
        call.apply_defaults()
        said = call.arguments
        if is_logged_by_epoch(package, said["self"], said["on_epoch"]) and not said["rank_zero_only"]:
            said["sync_dist"] = True
        log(*call.args, **call.kwargs)

    return replacement


@contextlib.contextmanager
def keep_sample_order(package: ModuleType) -> Iterator[None]:
    """Let Lightning shuffle only what the program shuffles; samplers of the program's own it leaves as they are."""
    connector: Any = importlib.import_module(f"{package.__name__}.trainer.connectors.data_connector")
    name = "_get_distributed_sampler"  # there is no other word: the next one up is the loader's
    with patch_attribute(connector, name, _wrap_sampler(getattr(connector, name))):
        yield


def _wrap_sampler(sampler_of: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(sampler_of)
    def replacement(dataloader: Any, shuffle: bool, *args: Any, **given: Any) -> Any:
        shuffled = shuffle and not isinstance(dataloader.sampler, SequentialSampler)
        return sampler_of(dataloader, shuffled, *args, **given)

    return replacement
