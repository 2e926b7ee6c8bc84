"""Constants that change while a trial trains: how a change reaches optimizers and schedulers that are restored.

A checkpoint brings the learning rate back that it was written with, and with it the constants that were in force then:
a mutated one would be lost without a word (ray-project/ray#36660). So a checkpoint also says with what its optimizers
were built; what this program built otherwise is a mutation.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from tune.space.dimensions import Value, is_number
from tune.trial.checkpoints.checkpoint_state import Built, CheckpointState

PARTS = ("_schedulers", "lr_lambdas")
"""What schedulers may be made of, each with settings of its own."""


def read_optimizer_settings(trainer: Any) -> Built:
    """Return the settings as they are now; right after ``configure_optimizers``, what they were built with."""
    return [{name: repr(value) for name, value in _read_plain_settings(part).items()} for part in _walk_parts(trainer)]


class Mutation:
    """What another program was built with, to be put back in force after a restore."""

    def __init__(self, trainer: Any, before: Built) -> None:
        """Compare, before the restore; ``before`` is what the checkpoint's program was built with."""
        self._before = before
        self._now = [dict(_read_plain_settings(part)) for part in _walk_parts(trainer)]

    def apply_to_trainer(self, trainer: Any) -> None:
        """Change, after the restore, what was built otherwise.

        A setting that a schedule has moved is scaled: a rate that had decayed to a tenth is a tenth of the new one.
        """
        for part, before, now in zip(_walk_parts(trainer), self._before, self._now, strict=True):
            restored = _read_plain_settings(part)
            for name, value in now.items():
                if name in before and before[name] != repr(value) and name != "_last_lr":
                    _write_setting(part, name, _scale_setting(restored.get(name), before[name], value))
        for config in trainer.lr_scheduler_configs:
            config.scheduler._last_lr = [group["lr"] for group in config.scheduler.optimizer.param_groups]  # noqa: SLF001


def _scale_setting(restored: Any, before: str, now: Any) -> Any:
    if repr(restored) == before or not is_number(restored) or not is_number(now):
        return now
    try:
        return restored * (now / float(before))
    except (ValueError, ZeroDivisionError):
        return now


def _walk_parts(trainer: Any) -> Iterator[Any]:
    for optimizer in trainer.optimizers:
        yield from optimizer.param_groups
    for config in trainer.lr_scheduler_configs:
        yield from _walk_scheduler(config.scheduler)


def _walk_scheduler(scheduler: Any) -> Iterator[Any]:
    yield scheduler
    for name in PARTS:
        for part in getattr(scheduler, name, ()):
            if hasattr(part, "__dict__"):
                yield from _walk_scheduler(part)


def _read_plain_settings(part: Any) -> Mapping[str, Any]:
    """Return what is plain in a param group or in a scheduler; tensors of one number count as numbers."""
    items = part if isinstance(part, dict) else vars(part)
    plain = {name: _to_number(value) for name, value in items.items() if name != "params"}
    return {name: value for name, value in plain.items() if _is_plain_value(value)}


def _to_number(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def _is_plain_value(value: Any) -> bool:
    if isinstance(value, Counter | dict):
        return all(map(_is_plain_value, value)) and all(map(_is_plain_value, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain_value, value))
    return value is None or isinstance(value, bool | int | float | str)


def _write_setting(part: Any, name: str, value: Any) -> None:
    if not isinstance(part, dict):
        setattr(part, name, value)
    elif isinstance(part[name], torch.Tensor):
        part[name].fill_(value)
    else:
        part[name] = value


TAG = "constants/"
"""Of the curves that show in the version what was in force."""


class PbtState:
    """One attempt: its constants are in force in the program already, not in what Lightning restores."""

    def __init__(self, values: Mapping[str, Value], n_mutations: int) -> None:
        self._values = values
        self._mutation: Mutation | None = None
        self.n_mutations = n_mutations
        """How often the constants have changed."""
        self.built: Built = []
        """What the optimizers were built with."""

    def compare_with_checkpoint(self, trainer: Any, mark: CheckpointState | None) -> None:
        """See, before the restore, what this program builds otherwise than the checkpoint's did."""
        self.built = read_optimizer_settings(trainer)
        self._mutation = Mutation(trainer, mark.built) if mark is not None and mark.built else None

    def apply_to_trainer(self, trainer: Any) -> None:
        """Change what was restored, and show the constants in the version's curves."""
        if self._mutation is not None:
            self._mutation.apply_to_trainer(trainer)
            self._mutation = None
        numbers = {f"{TAG}{name}": float(value) for name, value in self._values.items() if is_number(value)}
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=trainer.global_step)
