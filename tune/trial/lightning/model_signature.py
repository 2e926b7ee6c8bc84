"""The weights, optimizers and schedules of a program, as they are when training begins.

A checkpoint fits a program only where these are the same; a constant that changes them cannot change while it trains.
"""

from functools import lru_cache
from types import ModuleType
from typing import Any

ModelSignature = dict[str, Any]
"""The parts of a program by their names."""


class StopBeforeTraining(BaseException):
    """Ends a training that was begun to be measured; not an Exception, so that no program takes it for its own."""


class SignatureCallback:
    """The logic of the callback, whichever Lightning it is for."""

    def __init__(self) -> None:
        self.measure: ModelSignature = {}

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Take the measure."""
        self.measure = {
            "the shapes of the weights": {name: list(held.shape) for name, held in pl_module.state_dict().items()},
            "the optimizer": [
                (_type_name(optimizer), [(len(group["params"]), set(group)) for group in optimizer.param_groups])
                for optimizer in trainer.optimizers
            ],
            "the learning rate scheduler": [_type_name(config.scheduler) for config in trainer.lr_scheduler_configs],
        }
        raise StopBeforeTraining


def _type_name(held: object) -> str:
    return f"{type(held).__module__}.{type(held).__qualname__}"


def find_difference(one: ModelSignature, other: ModelSignature) -> str | None:
    """Return what differs, or None."""
    return next((name for name, part in one.items() if other.get(name) != part), None)


@lru_cache
def signature_callback_class(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("SignatureCallback", (SignatureCallback, package.Callback), {})
