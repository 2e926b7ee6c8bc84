"""What a program trains with: two runs are told apart by all that a later epoch may read."""

import itertools
import random
import sys
from collections import deque
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from tune.promotion.execute import IN_FORCE
from tune.trial.effects.trained_state import StateReader
from tune.trial.lightning.observer_callback import ObserverCallback


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Plain:
    def __init__(self, value):
        self.value = value

    def read(self):
        return self.value


def read_state(held, trains=None, **given):
    module = torch.nn.Identity()
    module.held = held
    trainer = SimpleNamespace(
        callback_metrics={}, optimizers=[], lr_scheduler_configs=[], callbacks=[], datamodule=None
    )
    trainer.train_dataloader = trainer.val_dataloaders = None
    vars(trainer).update(trains or {})
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
    "a key of several parts": lambda value: {(1, value): 0},
    "a set of tuples": lambda value: {(1, value)},
    "a deque of objects": lambda value: deque([Plain(value)]),
    "the length of a long list": lambda value: [0] * (2000 + value),
    "the end of a long list": lambda value: [0] * 2000 + [value] * 2000,
    "a section named trainer": lambda value: SimpleNamespace(trainer=SimpleNamespace(late=value)),
    "a module that no other has registered": lambda value: [torch.nn.Sequential(torch.nn.Dropout(value / 10))],
    "a generator of torch": lambda value: torch.Generator().manual_seed(value),
    "a generator of numpy": np.random.default_rng,
    "a generator of Python": random.Random,
    "an array of objects": lambda value: np.array([value, None], dtype=object),
    "an attribute of a function": lambda value: vars(function := lambda: 0).update(late=value) or function,
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_state_when_a_value_is_held_somewhere_then_it_is_another_with_another_value(hold):
    assert read_state(hold(5)) == read_state(hold(5))
    assert read_state(hold(5)) != read_state(hold(6))


LATE = "class Config:\n    late = {value}\n\n    class Nested:\n        late = {value}\n\nlate = {value}\n"
READERS = {
    "a class that is held": "held = Config\n",
    "an object that a class holds": "class Held:\n    config = Config()\n    config.own = late\nheld = Held()\n",
    "a property": "class Held:\n    @property\n    def read(self): return late\nheld = Held()\n",
    "a method without an object": "class Held:\n    @staticmethod\n    def read(): return late\nheld = Held()\n",
    "a method of a class": "class Held:\n    @classmethod\n    def read(cls): return late\nheld = Held()\n",
    "a method of a dict": "class Held(dict):\n    def read(self): return late\nheld = Held()\n",
    "a class in a class": "def held(): return Config.Nested.late\n",
    "a class that is passed": "def read(given): return given.late\ndef held(): return read(Config)\n",
    "a name in a text": "def held(): return globals()['late']\n",
    "an import in a function": "def held():\n    from settings_of_test import late\n    return late\n",
    "a module in a folder": "def held(): return folder.inner.Config.late\n",
}


@pytest.mark.parametrize("text", READERS.values(), ids=READERS)
def test_state_when_something_that_is_still_to_be_called_reads_a_value_then_it_is_another_with_another_value(
    text, monkeypatch
):
    def read_program(value):
        module, folder = ModuleType("settings_of_test"), ModuleType("folder")
        folder.__path__, folder.inner = [], module
        vars(module).update({IN_FORCE: {}, "folder": folder})
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(f"{LATE.format(value=value)}{text}", vars(module))
        return read_state(module.held)

    assert read_program(5) == read_program(5) != {}
    assert read_program(5) != read_program(6)


def test_state_when_a_module_is_yet_to_be_imported_then_nothing_is_told(monkeypatch):
    monkeypatch.setitem(globals(), IN_FORCE, {})

    def read():
        import settings_that_no_one_has_imported  # noqa: F401

    assert read_state(read) == {}


def test_state_when_a_mapped_file_is_held_then_its_length_counts_and_its_content_is_not_read(tmp_path):
    mapped = np.memmap(tmp_path / "data.bin", dtype=np.uint8, mode="w+", shape=(100,))

    assert read_state(mapped[:5]) == read_state(mapped[:5]) != read_state(mapped[:6])


def test_state_when_loaders_are_made_anew_then_what_their_method_reads_counts(monkeypatch):
    monkeypatch.setitem(globals(), IN_FORCE, {})

    def read(value, **more):
        monkeypatch.setitem(globals(), "LATE_SIZE", value)
        return read_state(Loading(), more)

    assert read(5) == read(6)
    assert read(5, reload_dataloaders_every_n_epochs=1) != read(6, reload_dataloaders_every_n_epochs=1)


@pytest.mark.parametrize(("end", "stage"), [("on_validation_end", "validate"), ("on_test_end", "test")])
def test_state_when_an_evaluation_behind_a_fit_ends_then_what_it_had_counts(end, stage):
    def read(value):
        module, reader = torch.nn.Identity(), StateReader()
        log = SimpleNamespace(end_stage=lambda *given: None, current_fit=0)
        observer = ObserverCallback(None, None, log, reader, shortens=True)
        trainer = SimpleNamespace(
            callback_metrics={}, optimizers=[], lr_scheduler_configs=[], callbacks=[], datamodule=None
        )
        trainer.sanity_checking, trainer.state = False, SimpleNamespace(fn=SimpleNamespace(value=stage))
        trainer.val_dataloaders = trainer.test_dataloaders = [value]
        getattr(observer, end)(trainer, module)
        return reader.state

    assert read(5) == read(5) != read(6)


class Loading:
    def train_dataloader(self):
        return LATE_SIZE  # noqa: F821 - of the test


def test_state_when_a_trainer_is_given_a_value_then_it_is_another_with_another_one():
    assert read_state(0, patience=5) != read_state(0, patience=6)


@pytest.mark.parametrize("held", [(number for number in range(5)), itertools.cycle([1]), iter([1]), zip([1])])
def test_state_when_an_iterator_is_held_then_nothing_is_told(held):
    assert read_state(held) == {}


def test_state_when_an_object_raises_as_it_is_looked_at_then_nothing_is_told():
    class Broken(dict):
        def items(self):
            raise RuntimeError

    assert read_state(Broken(a=1)) == {}
