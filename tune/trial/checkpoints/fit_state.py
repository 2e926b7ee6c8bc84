"""What a fit that goes on needs and Lightning's checkpoints lack: generators, metrics, and counts of its loops."""

import contextlib
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torchmetrics import Metric

from tune.trial.process.random_generators import generator_state, restore_generator, restore_rng

METRICS = "promotune_metrics"
"""The key of a checkpoint for the states of metrics."""
ATTRIBUTES = "promotune_attributes"
"""The key of a checkpoint for numbers that a module has as attributes."""
VALIDATION_STEPS = "_seen_batches_per_dataloader"
"""Lightning's name for the numbers of validated batches, by loader."""
GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def generator_states(trainer: Any) -> list[Any]:
    """Return the states of the generators that the program made for its loaders, as JSON has them."""
    return [generator_state(each) for each in _find_generators(trainer)]


def restore_generators(trainer: Any, states: list[Any]) -> None:
    """Put these generators back, unless there are others now."""
    generators = _find_generators(trainer)
    if len(generators) == len(states):
        for generator, state in zip(generators, states, strict=True):
            restore_generator(generator, state)


def _find_generators(trainer: Any) -> list[Any]:
    """Return the generators that are attributes of the module, the data module, loaders, samplers and data sets."""
    found = {}
    for owner in _find_generator_owners(trainer):
        for value in getattr(owner, "__dict__", {}).values():
            if isinstance(value, GENERATORS):
                found[id(value)] = value
    return list(found.values())


def _find_generator_owners(trainer: Any) -> Iterator[Any]:
    """Yield what may hold a generator; arbitrary objects are only asked for what is in their ``__dict__``."""
    waiting = [trainer.lightning_module, getattr(trainer, "datamodule", None)]
    for loop in (trainer.fit_loop, trainer.fit_loop.epoch_loop.val_loop):
        combined = getattr(loop, "_combined_loader", None)
        waiting += [] if combined is None else combined.flattened
    seen = set()
    while waiting:
        owner = waiting.pop(0)
        if owner is not None and id(owner) not in seen:
            seen.add(id(owner))
            yield owner
            waiting += [getattr(owner, "__dict__", {}).get(name) for name in ("sampler", "batch_sampler", "dataset")]


def metric_states(pl_module: torch.nn.Module) -> dict[str, Any]:
    """Return the states of a module's torchmetrics by name: of those that were updated and not reset since."""
    return {
        name: {"n_updates": metric.update_count, "states": metric.metric_state}
        for name, metric in pl_module.named_modules()
        if isinstance(metric, Metric) and metric.update_called
    }


def restore_metric_states(pl_module: torch.nn.Module, states: Mapping[str, Any]) -> None:
    """Put the metrics back, whatever the program did with them as its fit started."""
    modules = dict(pl_module.named_modules())
    for name, held in states.items():
        metric = modules.get(name)
        if isinstance(metric, Metric):
            metric.reset()
            for attribute, value in held["states"].items():
                setattr(metric, attribute, _on_device(value, metric.device))
            metric._update_count = held["n_updates"]  # noqa: SLF001 - torchmetrics has no public place for it


def _on_device(value: Any, device: torch.device) -> Any:
    return [each.to(device) for each in value] if isinstance(value, list) else value.to(device)


def read_number_attributes(pl_module: torch.nn.Module) -> dict[str, Any]:
    """Return the numbers, truth values and None that a module has as public attributes."""
    return {
        name: value
        for name, value in vars(pl_module).items()
        if not name.startswith("_") and name != "training" and isinstance(value, int | float | None)
    }


def changed_numbers(pl_module: torch.nn.Module, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return those that are otherwise than ``before``: a training changes them, such as the weight of a loss."""
    missing = object()
    return {
        name: value for name, value in read_number_attributes(pl_module).items() if before.get(name, missing) != value
    }


def validation_steps(trainer: Any) -> list[int]:
    """Return how many batches of each validation loader were validated: Lightning logs that as the step.

    A Lightning without this attribute has none.
    """
    counts: dict[int, int] = getattr(trainer.fit_loop.epoch_loop.val_loop, VALIDATION_STEPS, {})
    return [counts[index] for index in sorted(counts)]


def restore_validation_steps(trainer: Any, steps: list[int]) -> None:
    """Let the validation of a fit that goes on count on."""
    counts = getattr(trainer.fit_loop.epoch_loop.val_loop, VALIDATION_STEPS, None)
    if counts is not None:
        counts.update(enumerate(steps))


def reload_loaders_as_due(trainer: Any) -> None:
    """Let loaders be built in the epochs in which they would have been, with ``reload_dataloaders_every_n_epochs``."""
    n_epochs = trainer.reload_dataloaders_every_n_epochs
    if n_epochs:
        since = trainer.current_epoch % n_epochs or n_epochs
        trainer.fit_loop._last_train_dl_reload_epoch = trainer.current_epoch - since  # noqa: SLF001 - has no other name
        trainer.fit_loop.epoch_loop.val_loop._last_val_dl_reload_epoch = trainer.current_epoch - since  # noqa: SLF001


def restore_callback_metrics(trainer: Any, metrics: Mapping[str, float]) -> None:
    """Let callbacks and schedulers find what was logged before the checkpoint."""
    with contextlib.suppress(AttributeError):
        held = trainer._logger_connector._callback_metrics  # noqa: SLF001 - Lightning has no public place for them
        for name, value in metrics.items():
            number = torch.tensor(value)
            exact = float(number) == value or math.isnan(value)
            held.setdefault(name, number if exact else torch.tensor(value, dtype=torch.float64))


def restore_missing_state(
    trainer: Any, generators: dict[str, Any], metrics: Mapping[str, Any], numbers: Mapping[str, Any]
) -> None:
    """Put back what Lightning's checkpoints lack, after all that the program does as its fit starts.

    ``generators``: the states of this rank's; ``metrics``: of the module's; ``numbers``: its attributes.
    """
    restore_rng(generators)
    restore_generators(trainer, generators.get("held", []))
    if trainer.is_global_zero:  # metrics are reduced over the ranks
        restore_metric_states(trainer.lightning_module, metrics)
    for name, value in numbers.items():
        setattr(trainer.lightning_module, name, value)
