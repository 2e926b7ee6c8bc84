"""The callback in every Trainer of a trial, pre-flight included: takes the proof, and hears which names are logged."""

import time
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

from tune.trial.proof import Proof


class Witness:
    """The logic of the callback, whichever Lightning it is for."""

    def __init__(self, proof: Proof, beat: Callable[[], None]) -> None:
        self._proof = proof
        self._beat = beat
        self._has_trained = False
        self._began = 0.0
        self.logged: set[str] = set()
        self.n_workers = 0
        """The most that one of the DataLoaders has."""
        self.fit_s = 0.0
        """Seconds in ``Trainer.fit``, of all that were."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Take the first half of the proof."""
        self._began = time.perf_counter()
        self._proof.when_training_begins()

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Count the time."""
        self.fit_s += time.perf_counter() - self._began

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *batch: Any, **more: Any) -> None:
        """Take the second half, once."""
        self._beat()
        if not self._has_trained:
            self._has_trained = True
            self.n_workers = max(_workers(trainer.train_dataloader), _workers(trainer.val_dataloaders))
            self._proof.after_a_batch()

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, *batch: Any, **more: Any) -> None:
        """Show that it goes on."""
        self._beat()

    def on_test_batch_end(self, trainer: Any, pl_module: Any, *batch: Any, **more: Any) -> None:
        """Show that it goes on."""
        self._beat()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Hear the names of training."""
        self.logged.update(trainer.callback_metrics)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Hear the names of validation."""
        self.logged.update(trainer.callback_metrics)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Hear the names of testing."""
        self.logged.update(trainer.callback_metrics)


def _workers(loaders: Any) -> int:
    """Return the most of one loader, of however many a program has, in whatever it has them."""
    match loaders:
        case dict():
            return max(map(_workers, loaders.values()), default=0)
        case list() | tuple():
            return max(map(_workers, loaders), default=0)
        case _:
            number = getattr(loaders, "num_workers", 0)
            return number if isinstance(number, int) else 0


@lru_cache
def witness(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("Witness", (Witness, package.Callback), {})
