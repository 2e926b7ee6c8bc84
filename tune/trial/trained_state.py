"""What a program trains with, as far as it can be reached: a value that changes none of it is not in force.

A digest of the weights alone would not do: ``patience`` changes no weight of the pre-flight's one epoch. So all is
looked at that may be read in a later epoch: what the module, its data, the optimizers and the callbacks hold, and the
globals that methods still to be called name.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from inspect import isclass
from pathlib import PurePath
from types import CodeType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

from tune.promotion.execute import IN_FORCE
from tune.promotion.promoted_values import ADDRESS
from tune.trial.fits import digest_weights

MOST_PARTS = 50_000
"""Beyond which nothing is looked at any more."""
MOST_DEEP = 20
"""Objects in objects that are followed."""
MOST_ITEMS = 1_000
"""Of one container."""
PLAIN: tuple[type, ...] = (bool, int, float, complex, str, bytes, PurePath, Enum, type(None))
CONTAINERS: tuple[type, ...] = (list, tuple, dict)
UNFOLLOWED = frozenset({"_thread", "io", "logging", "threading", "tune", "weakref"})
"""Packages whose objects are followed no further than their type."""
OF_LIGHTNING = frozenset({"_trainer", "_fabric", "_hparams", "_hparams_initial", "_iterator", "trainer"})
"""Attributes that lead to what is looked at elsewhere."""
CALLED_BEFORE = frozenset(
    {"__init__", "__post_init__", "__new__", "__init_subclass__", "configure_callbacks", "configure_model"}
) | frozenset(
    {"configure_optimizers", "prepare_data", "setup"}
    | {f"{stage}_dataloader" for stage in ("train", "val", "test", "predict")}
)
"""Methods that no epoch calls."""
OF_NEW_OBJECTS = frozenset({"__init__", "__call__", "forward"})
"""Methods that need not be named where an object is made and called."""
OUTCOMES = ("weights", "metric ")
"""What the parts begin with that come of the training alone."""
HYPERPARAMETERS = "hparams."
"""What the parts of the hyperparameters begin with that a module saved."""

TrainedState = dict[str, str]
"""By the path of a part: what it is, shortened."""


class StateReader:
    """Reads, fit by fit, what training has."""

    def __init__(self) -> None:
        self._state: TrainedState = {}
        self._is_whole = True
        self._seen: dict[int, Any] = {}
        self._counts: dict[str, int] = {}  # of the parts that share a path

    @property
    def state(self) -> TrainedState:
        """What was read so far; nothing where no fit has ended, or there was too much."""
        return self._state if self._is_whole and "weights" in self._state else {}

    def read_arguments(self, given: Mapping[str, Any]) -> None:
        """Read what the program gives to a Trainer, before a callback makes something else of it."""
        self._seen.clear()
        self._read_guarded(lambda: self._read_items("Trainer", given, 0))

    def read_fit(self, trainer: Any, pl_module: Any) -> None:
        """Read what a fit has that begins, or ends."""
        self._seen.clear()
        self._note("weights", digest_weights(pl_module))
        self.read_metrics(trainer)
        self._read_guarded(lambda: self._read_parts(trainer, pl_module))

    def _read_guarded(self, read: Callable[[], None]) -> None:
        try:
            read()
        except Exception:  # the program's objects may raise anything as they are looked at: nothing is told then
            self._is_whole = False
        self._seen.clear()

    def _read_parts(self, trainer: Any, pl_module: Any) -> None:
        for owner in (pl_module, trainer.datamodule):
            for name, value in dict(getattr(owner, "hparams", None) or {}).items():
                self._read_object(f"{HYPERPARAMETERS}{name}", value, 0)
        for name, module in pl_module.named_modules():
            self._read_object(f"module {name}", module, 0)
        for each in (*trainer.optimizers, *trainer.lr_scheduler_configs):
            self._read_object(type(each).__name__, each, 0)
        for each in trainer.callbacks:
            self._read_object("callback", each, 0)
        for each in (trainer.datamodule, trainer.train_dataloader, trainer.val_dataloaders):
            self._read_object("data", each, 0)

    def read_metrics(self, trainer: Any) -> None:
        """Read what was logged."""
        for name, value in trainer.callback_metrics.items():
            self._note(f"metric {name}", value.tolist() if hasattr(value, "tolist") else value)

    def _note(self, path: str, value: Any) -> None:
        number = self._counts[path] = self._counts.get(path, 0) + 1
        where = path if number == 1 else f"{path}, {number}"
        self._state[where] = hashlib.blake2b(repr(value).encode(errors="replace"), digest_size=8).hexdigest()

    def _read_object(self, path: str, held: Any, depth: int) -> None:
        if isinstance(held, PLAIN):
            self._note(path, held)
            return
        if id(held) in self._seen:
            return
        self._note(path, _name_type(held))
        if depth > MOST_DEEP or len(self._state) > MOST_PARTS:
            self._is_whole = False
            return
        self._seen[id(held)] = held  # kept, so that no other object gets its number
        match held:
            case FunctionType() | MethodType():
                self._read_function(path, held, depth)
            case partial():
                self._read_items(path, {"func": held.func, "args": held.args, "keywords": held.keywords}, depth)
            case Mapping():
                self._read_items(path, held, depth)
            case set() | frozenset():
                self._note(path, sorted(map(_name_key, held))[:MOST_ITEMS])
            case list() | tuple():
                self._read_items(path, dict(enumerate(held[:MOST_ITEMS])), depth)
            case _ if isclass(held):
                self._note(path, held.__qualname__)
            case _:
                self._read_attributes(path, held, depth)

    def _read_items(self, path: str, items: Mapping[Any, Any], depth: int) -> None:
        for key, value in list(items.items())[:MOST_ITEMS]:
            self._read_object(f"{path}[{_name_key(key)}]", value, depth + 1)

    def _read_attributes(self, path: str, held: Any, depth: int) -> None:
        kind = type(held)
        if hasattr(kind, "untyped_storage"):
            self._note(path, _digest_tensor(held))
            return
        if kind.__module__.partition(".")[0] in UNFOLLOWED or isinstance(held, ModuleType | CodeType):
            return
        own = dict(_list_attributes(held))
        if not own:
            self._read_opaque(path, held)
        for name in sorted(own.keys() - OF_LIGHTNING):
            self._read_object(f"{path}.{name}", own[name], depth + 1)
        inherited = {
            name: value for each in reversed(kind.__mro__) if _is_of_program(each) for name, value in vars(each).items()
        }
        for name in sorted(inherited.keys() - own.keys() - CALLED_BEFORE):
            value = inherited[name]
            if isinstance(value, FunctionType):
                self._read_function(f"{path}.{name}", value, depth)
            elif isinstance(value, (*PLAIN, *CONTAINERS)) and not name.startswith("__"):
                self._read_object(f"{path}.{name}", value, depth + 1)

    def _read_opaque(self, path: str, held: Any) -> None:
        """Read an object that no attribute of Python's tells of: an array, a range, a date."""
        if isinstance(held, GeneratorType):
            self._is_whole = False  # what it is going to yield cannot be looked at
        elif hasattr(held, "tobytes") and getattr(getattr(held, "dtype", None), "kind", "O") != "O":
            self._note(path, hashlib.blake2b(held.tobytes(), digest_size=16).digest())
        else:
            self._note(path, ADDRESS.sub("", repr(held)))

    def _read_function(self, path: str, function: Any, depth: int) -> None:
        """Read what a function has, and the globals that it names, if it is the program's."""
        if isinstance(function, MethodType):
            self._read_object(f"{path}.self", function.__self__, depth + 1)
            function = function.__func__
        if not isinstance(function, FunctionType):
            return
        self._note(path, function.__qualname__)
        for each in function.__closure__ or ():
            try:
                self._read_object(f"{path} closure", each.cell_contents, depth + 1)
            except ValueError:  # it is empty
                continue
        self._read_object(f"{path} defaults", function.__defaults__, depth + 1)
        self._read_object(f"{path} defaults", function.__kwdefaults__, depth + 1)
        scope = function.__globals__
        if IN_FORCE in scope:
            names, texts = _list_names(function.__code__)
            for text in sorted(texts & set(scope[IN_FORCE])):
                self._note(f"{path} {text}", scope[IN_FORCE].find_expected(text))
            for name in sorted(names & scope.keys() - {IN_FORCE}):
                self._read_global(f"global {name}", scope[name], names, depth)

    def _read_global(self, path: str, held: Any, names: set[str], depth: int) -> None:
        """Read a global; of a module or a class what is named with it."""
        if isinstance(held, ModuleType):
            if IN_FORCE in vars(held):
                for name in sorted(names & vars(held).keys()):
                    self._read_global(f"{path}.{name}", vars(held)[name], names, depth + 1)
        elif isclass(held):
            for name in sorted(names | OF_NEW_OBJECTS) if _is_of_program(held) else ():
                value = getattr(held, name, None)
                if isinstance(value, (*PLAIN, *CONTAINERS, FunctionType)):
                    self._read_object(f"{path}.{name}", value, depth + 1)
        else:
            self._read_object(path, held, depth + 1)


def _list_attributes(held: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds itself; to look at it is no reading of the program."""
    try:
        own = object.__getattribute__(held, "__dict__")
    except AttributeError:
        own = {}
    hidden = {"_parameters", "_buffers", "_modules"} if "_modules" in own else set()
    yield from ((name, value) for name, value in list(own.items()) if name not in hidden)
    for each in type(held).__mro__:
        slots = vars(each).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            try:
                yield name, object.__getattribute__(held, name)
            except AttributeError:  # it is empty
                continue


def _list_names(code: CodeType) -> tuple[set[str], set[str]]:
    """Return the names that a function's code looks up, and its texts."""
    names, texts = {*code.co_names}, {each for each in code.co_consts if isinstance(each, str)}
    for each in code.co_consts:
        if isinstance(each, CodeType):
            inner, more = _list_names(each)
            names |= inner
            texts |= more
    return names, texts


def _name_key(key: Any) -> str:
    """Return a key in words that are the same in another process."""
    return repr(key) if isinstance(key, PLAIN) else _name_type(key)


def _name_type(held: Any) -> str:
    return f"{type(held).__module__}.{type(held).__qualname__}"


def _is_of_program(kind: type) -> bool:
    return IN_FORCE in vars(sys.modules.get(kind.__module__, sys))


def _digest_tensor(tensor: Any) -> str:
    import torch  # in the trial's process alone

    try:
        values = tensor.detach().reshape(-1)
        values = values[:: max(1, len(values) // 65_536)].cpu().contiguous()
        content = values.view(torch.uint8).numpy().tobytes() if len(values) else b""
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        content = b""
    return f"{tuple(tensor.shape)} {hashlib.blake2b(content, digest_size=16).hexdigest()}"
