"""What a program trains with: two runs are told apart by all that a later epoch may read."""

from collections import deque
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tune.trial.trained_state import StateReader


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Plain:
    def __init__(self, value):
        self.value = value

    def read(self):
        return self.value


def read_state(held, **given):
    module = torch.nn.Identity()
    module.held = held
    trainer = SimpleNamespace(
        callback_metrics={}, optimizers=[], lr_scheduler_configs=[], callbacks=[], datamodule=None
    )
    trainer.train_dataloader = trainer.val_dataloaders = None
    reader = StateReader()
    reader.read_arguments(given)
    reader.read_fit(trainer, module)
    return reader.state


HOLDERS = {
    "itself": lambda value: value,
    "a list in a dict": lambda value: {"a": [1, value]},
    "a set": lambda value: {value, "b"},
    "a deque": lambda value: deque([value]),
    "a range": range,
    "an array": lambda value: np.arange(value),
    "a tensor": lambda value: torch.arange(value),
    "an object": Plain,
    "an object with slots": Slotted,
    "a method": lambda value: Plain(value).read,
    "a closure": lambda value: lambda: value,
    "a default": lambda value: lambda given=value: given,
    "a partial": lambda value: partial(print, value),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_state_when_a_value_is_held_somewhere_then_it_is_another_with_another_value(hold):
    assert read_state(hold(5)) == read_state(hold(5))
    assert read_state(hold(5)) != read_state(hold(6))


def test_state_when_a_trainer_is_given_a_value_then_it_is_another_with_another_one():
    assert read_state(0, patience=5) != read_state(0, patience=6)


def test_state_when_a_generator_is_held_then_nothing_is_told():
    assert read_state(number for number in range(5)) == {}


def test_state_when_an_object_raises_as_it_is_looked_at_then_nothing_is_told():
    class Broken(dict):
        def items(self):
            raise RuntimeError

    assert read_state(Broken(a=1)) == {}
