"""Optimizers and learning rate schedulers: what they were built with, and how a mutation reaches them after a restore.

A checkpoint brings the learning rate back that it was written with, and with it the constants that were in force then:
a mutated one would be lost without a word (ray-project/ray#36660). So a checkpoint also says with what its optimizers
were built; what this program built otherwise is a mutation.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from tune.trial.mark import Built

PARTS = ("_schedulers", "lr_lambdas")
"""What schedulers may be made of, each with settings of its own."""


def built(trainer: Any) -> Built:
    """Return the settings as they are now; right after ``configure_optimizers``, what they were built with."""
    return [{name: repr(value) for name, value in _settings(part).items()} for part in _parts(trainer)]


class Mutation:
    """What another program was built with, to be put back in force after a restore."""

    def __init__(self, trainer: Any, before: Built) -> None:
        """Compare, before the restore; ``before`` is what the checkpoint's program was built with."""
        self._before = before
        self._now = [dict(_settings(part)) for part in _parts(trainer)]

    def put_in_force(self, trainer: Any) -> None:
        """Change, after the restore, what was built otherwise.

        A setting that a schedule has moved is scaled: a rate that had decayed to a tenth is a tenth of the new one.
        """
        for part, before, now in zip(_parts(trainer), self._before, self._now, strict=True):
            restored = _settings(part)
            for name, value in now.items():
                if name in before and before[name] != repr(value) and name != "_last_lr":
                    _set(part, name, _moved(restored.get(name), before[name], value))
        for config in trainer.lr_scheduler_configs:
            config.scheduler._last_lr = [group["lr"] for group in config.scheduler.optimizer.param_groups]  # noqa: SLF001


def _moved(restored: Any, before: str, now: Any) -> Any:
    if repr(restored) == before or not _is_number(restored) or not _is_number(now):
        return now
    try:
        return restored * (now / float(before))
    except (ValueError, ZeroDivisionError):
        return now


def _parts(trainer: Any) -> Iterator[Any]:
    for optimizer in trainer.optimizers:
        yield from optimizer.param_groups
    for config in trainer.lr_scheduler_configs:
        yield from _with_parts(config.scheduler)


def _with_parts(scheduler: Any) -> Iterator[Any]:
    yield scheduler
    for name in PARTS:
        for part in getattr(scheduler, name, ()):
            if hasattr(part, "__dict__"):
                yield from _with_parts(part)


def _settings(part: Any) -> Mapping[str, Any]:
    """Return what is plain in a param group or in a scheduler; tensors of one number count as numbers."""
    items = part if isinstance(part, dict) else vars(part)
    plain = {name: _number(value) for name, value in items.items() if name != "params"}
    return {name: value for name, value in plain.items() if _is_plain(value)}


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, Counter | dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _set(part: Any, name: str, value: Any) -> None:
    if not isinstance(part, dict):
        setattr(part, name, value)
    elif isinstance(part[name], torch.Tensor):
        part[name].fill_(value)
    else:
        part[name] = value
