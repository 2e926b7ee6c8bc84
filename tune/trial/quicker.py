"""What Lightning does over and over for nothing, left out: a trial of short steps takes a fifth less time.

Each logged value is moved to where it is already, by a walk through all that Lightning keeps of it, copies included;
two values logged in a step can cost as much as the step (Lightning-AI/pytorch-lightning#20388, and #21769, which would
mend it as it is done here). And each Trainer asks every package that is installed whether it has callbacks for it.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torchmetrics import Metric

from tune.trial.replaced import replaced

MOVED_TO = "_promotune_moved_to"
"""Where what Lightning keeps of a value remembers the device that all of it was moved to."""


@contextlib.contextmanager
def quicker(package: ModuleType) -> Iterator[None]:
    """Leave both out, in a Lightning that does them; what is logged stays the same."""
    with contextlib.ExitStack() as patches:
        for module, owner, name, wrapped in (
            (f"{package.__name__}.trainer.connectors.logger_connector.result", "_ResultMetric", "to", moved_once),
            (f"{_fabric(package)}.utilities.registry", None, "entry_points", functools.cache),
        ):
            patches.enter_context(_wrapped(module, owner, name, wrapped))
        yield


def moved_once(to: Callable[..., Any]) -> Callable[..., Any]:
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
def _fabric(package: ModuleType) -> str:
    """Return the name of the package that a Lightning is built on."""
    return "lightning_fabric" if package.__name__ == "pytorch_lightning" else "lightning.fabric"


@contextlib.contextmanager
def _wrapped(module: str, owner: str | None, name: str, wrapped: Callable[..., Any]) -> Iterator[None]:
    """Wrap a function; in a Lightning that has none of that name, nothing."""
    try:
        place: Any = importlib.import_module(module)
        place = place if owner is None else getattr(place, owner)
        before = getattr(place, name)
    except (ImportError, AttributeError):
        yield
        return
    with replaced(place, name, _once(wrapped, before)):
        yield


@functools.cache
def _once(wrapped: Callable[..., Any], before: Callable[..., Any]) -> Any:
    """Return the same wrapped function each time: it may remember what it learnt."""
    return wrapped(before)
