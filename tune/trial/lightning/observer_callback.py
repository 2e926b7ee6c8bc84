"""The callback in every Trainer of a trial, pre-flight included: notes fits and logged names, and tells progress."""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

from tune.trial.effects.trained_state import StateReader
from tune.trial.fits import FitLog, digest_weights, stage_of
from tune.trial.lightning.epoch_loop import call_at_epochs
from tune.trial.lightning.validation_samples import UNKNOWN, digest_samples, flatten_loaders
from tune.trial.lightning.value_check import PromotedValueCheck


class ObserverCallback:
    """The logic of the callback, whichever Lightning it is for."""

    def __init__(
        self,
        proof: PromotedValueCheck,
        beat: Callable[[], None],
        log: FitLog,
        reader: StateReader | None,
        *,
        shortens: bool,
    ) -> None:
        """``shortens``: of what a fit that goes on from a checkpoint has left, one epoch is trained."""
        self._reader = reader
        self._shortens = shortens
        self._proof = proof
        self._beat = beat
        self._log = log
        self._began = 0.0
        self.has_trained = False
        """Whether a batch of training has ended."""
        self.n_workers = 0
        """The most that one of the DataLoaders has."""
        self.validated_on: list[str] = []
        """By fit the digest of the samples that it was validated on; UNKNOWN where it was not, or nothing is split."""
        self.weights = ""
        """A digest of those that the last fit ended with; empty where none has ended, or there are none."""
        self.fit_s = 0.0
        """Seconds in ``Trainer.fit``, of all that were."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Count the fit, and check what modules hold."""
        self._began = time.perf_counter()
        self._log.begin_fit(trainer, pl_module)
        call_at_epochs(trainer, self, None, self._end_epoch)
        self._proof.check_at_fit_start()
        if self._reader is not None:
            self._reader.read_fit(trainer, pl_module)

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Let a shortened fit train an epoch behind those of its checkpoint."""
        if not trainer.training:
            return
        self._log.note_restored()
        if self._shortens:
            n_before = n_epochs_begun(checkpoint)
            most = self._log.max_epochs_of(trainer)
            trainer.fit_loop.max_epochs = n_before + 1 if most is None or most < 0 else min(most, n_before + 1)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Look at the weights, now that all is restored."""
        self._log.compare_weights(pl_module)

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Note the weights that another fit may go on with."""
        self._log.keep_weights(pl_module)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Count the time, and note the weights."""
        self._log.keep_weights(pl_module)
        self.weights = digest_weights(pl_module)
        self.fit_s += time.perf_counter() - self._began
        if self._reader is not None:
            self._reader.read_fit(trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *batch: Any, **more: Any) -> None:
        """Tell progress; look at the loaders, once."""
        self._beat()
        if not self.has_trained:
            self.has_trained = True
            self.n_workers = max(_count_workers(trainer.train_dataloader), _count_workers(trainer.val_dataloaders))

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, *batch: Any, **more: Any) -> None:
        """Tell progress."""
        self._beat()

    def on_test_batch_end(self, trainer: Any, pl_module: Any, *batch: Any, **more: Any) -> None:
        """Tell progress."""
        self._beat()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Note the names of validation, but for what runs before training."""
        if not trainer.sanity_checking:
            self._end_stage(trainer)
            self._note_samples(trainer)
            if self._reader is not None and stage_of(trainer) == "validate":
                self._reader.read_fit(trainer, pl_module)

    def _note_samples(self, trainer: Any) -> None:
        """Note, once a fit, what it is validated on, in it or by ``Trainer.validate`` behind it."""
        n_missing = self._log.current_fit - len(self.validated_on)
        if n_missing > 0:
            self.validated_on += [UNKNOWN] * (n_missing - 1) + [digest_samples(trainer.val_dataloaders)]

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Note the names of testing."""
        self._end_stage(trainer)
        if self._reader is not None:
            self._reader.read_fit(trainer, pl_module)

    def _end_stage(self, trainer: Any) -> None:
        self._log.end_stage(trainer, stage_of(trainer))

    def _end_epoch(self, trainer: Any) -> None:
        self._log.end_stage(trainer, "train")


def n_epochs_begun(checkpoint: Mapping[str, Any]) -> int:
    """Return how many epochs of training a checkpoint of Lightning's has behind it, one that is not over included."""
    progress = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {}).get("current", {})
    return max((int(each) for each in progress.values()), default=int(checkpoint.get("epoch", -1)) + 1)


def _count_workers(loaders: Any) -> int:
    """Return the most of one loader."""
    numbers = (getattr(each, "num_workers", 0) for each in flatten_loaders(loaders))
    return max((number for number in numbers if isinstance(number, int)), default=0)


@lru_cache
def observer_callback_class(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("ObserverCallback", (ObserverCallback, package.Callback), {})
