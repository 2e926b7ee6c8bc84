"""What a program trains with, as far as it can be reached: a value that changes none of it is not in force.

A digest of the weights alone would not do: ``patience`` changes no weight of the pre-flight's one epoch. So all is
looked at that may be read in a later epoch: what the module, its data, the optimizers and the callbacks hold, and the
globals that methods still to be called name.
"""

import argparse
import dis
import os
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from inspect import isclass
from itertools import islice
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType, SimpleNamespace
from typing import Any

from tune.promotion.execute import IN_FORCE
from tune.trial.effects.state_digests import PLAIN, describe_opaque, describe_type, digest_array, digest_value, name_key
from tune.trial.fits import digest_weights

MOST_PARTS = 50_000
"""Beyond which nothing is looked at any more."""
MOST_DEEP = 20
"""Objects in objects that are followed."""
MOST_ITEMS = 1_000
"""Of one container."""
NAMESPACES: tuple[type, ...] = (dict, argparse.Namespace, SimpleNamespace)
UNFOLLOWED = frozenset({"_thread", "io", "logging", "rich", "threading", "tqdm", "tune", "weakref"})
"""Packages whose objects are followed no further than their type."""
OF_LIGHTNING = frozenset({"_fabric", "_hparams", "_hparams_initial", "_iterator"})
"""Attributes that lead to what is looked at elsewhere."""
OF_CLASSES = frozenset({"_abc_impl", "__dict__", "__weakref__"})
"""What Python itself keeps in a class."""
CALLED_BEFORE = frozenset(
    {"__init__", "__post_init__", "__new__", "__init_subclass__", "configure_callbacks", "configure_model"}
) | frozenset({"configure_optimizers", "prepare_data", "setup"})
"""Methods that no epoch calls."""
LOADERS = frozenset(f"{stage}_dataloader" for stage in ("train", "val", "test", "predict"))
"""Likewise, where a Trainer does not ask for its loaders anew."""
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
        self._followed = set[tuple[int, frozenset[str]]]()
        self._registered = set[int]()  # the modules that are read one by one
        self._called_before = CALLED_BEFORE | LOADERS
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
        """Read what a fit has that begins, or ends, or an evaluation."""
        self._note("weights", digest_weights(pl_module))
        self.read_metrics(trainer)
        self._read_guarded(lambda: self._read_parts(trainer, pl_module))

    def _read_guarded(self, read: Callable[[], None]) -> None:
        self._seen.clear()
        self._followed.clear()
        try:
            read()
        except Exception:  # the program's objects may raise anything as they are looked at: nothing is told then
            self._is_whole = False
        self._seen.clear()

    def _read_parts(self, trainer: Any, pl_module: Any) -> None:
        self._seen[id(trainer)] = trainer  # the program's objects hold it
        self._registered = {id(module) for module in pl_module.modules()}
        if getattr(trainer, "reload_dataloaders_every_n_epochs", 0):
            self._called_before = CALLED_BEFORE
        for owner in (pl_module, trainer.datamodule):
            for name, value in dict(getattr(owner, "hparams", None) or {}).items():
                self._read_object(f"{HYPERPARAMETERS}{name}", value, 0)
        for name, module in pl_module.named_modules():
            self._read_object(f"module {name}", module, 0)
        for each in (*trainer.optimizers, *trainer.lr_scheduler_configs):
            self._read_object(type(each).__name__, each, 0)
        for each in trainer.callbacks:
            self._read_object("callback", each, 0)
        for name in ("datamodule", "train_dataloader", "val_dataloaders", "test_dataloaders"):
            self._read_object("data", getattr(trainer, name, None), 0)
        for name, value in _list_added_attributes(trainer):
            self._read_object(f"trainer.{name}", value, 0)
        self._read_items("environment", os.environ, 0)
        for each in _list_generator_states():
            self._read_object("random numbers", each, 0)

    def read_metrics(self, trainer: Any) -> None:
        """Read what was logged."""
        for name, value in trainer.callback_metrics.items():
            self._note(f"metric {name}", value.tolist() if hasattr(value, "tolist") else value)

    def _note(self, path: str, value: Any) -> None:
        number = self._counts[path] = self._counts.get(path, 0) + 1
        where = path if number == 1 else f"{path}, {number}"
        self._state[where] = digest_value(value)

    def _read_object(self, path: str, held: Any, depth: int) -> None:
        if isinstance(held, PLAIN):
            self._note(path, held)
            return
        if id(held) in self._seen:
            return
        self._note(path, describe_type(held))
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
                self._note(path, len(held))
                self._read_items(path, held, depth)
                self._read_class(path, type(held), depth)
            case set() | frozenset():
                self._note(path, sorted(map(name_key, held)))
            case list() | tuple() | deque():
                self._note(path, len(held))
                items = islice(held, 0, None, max(1, len(held) // MOST_ITEMS))
                self._read_items(path, dict(enumerate(items)), depth)
                self._read_class(path, type(held), depth)
            case _ if isclass(held):
                self._note(path, held.__qualname__)
                self._read_class(path, held, depth, is_new=True)
            case _:
                self._read_attributes(path, held, depth)

    def _read_items(self, path: str, items: Mapping[Any, Any], depth: int) -> None:
        for key, value in list(islice(items.items(), MOST_ITEMS)):
            self._read_object(f"{path}[{name_key(key)}]", value, depth + 1)

    def _read_attributes(self, path: str, held: Any, depth: int) -> None:
        kind = type(held)
        if hasattr(kind, "untyped_storage"):
            self._note(path, _digest_tensor(held))
            return
        if kind.__module__.partition(".")[0] in UNFOLLOWED or isinstance(held, ModuleType | CodeType):
            return
        if (content := digest_array(held)) is not None:
            self._note(path, content)
            return
        own = dict(_list_attributes(held, is_registered=id(held) in self._registered))
        if not own and not _is_of_program(kind):
            self._read_opaque(path, held, depth)
        elif (state := _find_generator_state(held)) is not None:
            self._read_object(path, state, depth + 1)
        for name in sorted(own.keys() - OF_LIGHTNING):
            self._read_object(f"{path}.{name}", own[name], depth + 1)
        self._read_class(path, kind, depth, own.keys())

    def _read_class(
        self, path: str, kind: type, depth: int, hidden: Iterable[str] = (), *, is_new: bool = False
    ) -> None:
        """Read what the program's classes hold. ``is_new``: objects of it are yet to be made."""
        inherited = {
            name: value for each in reversed(kind.__mro__) if _is_of_program(each) for name, value in vars(each).items()
        }
        before = frozenset[str]() if is_new else self._called_before
        for name in sorted(inherited.keys() - {*hidden} - before - OF_CLASSES):
            self._read_member(f"{path}.{name}", inherited[name], depth)

    def _read_member(self, path: str, held: Any, depth: int) -> None:
        """Read what stands in a class."""
        match held:
            case FunctionType():
                self._read_function(path, held, depth)
            case property():
                for each in (held.fget, held.fset):
                    self._read_function(path, each, depth)
            case staticmethod() | classmethod():
                self._read_member(path, held.__func__, depth)
            case MemberDescriptorType():
                return
            case _ if not path.rpartition(".")[2].startswith("__"):
                self._read_object(path, held, depth + 1)

    def _read_opaque(self, path: str, held: Any, depth: int) -> None:
        """Read an object that no attribute of Python's tells of: a range, a date, a generator of random numbers."""
        content = describe_opaque(held)
        if content is None:
            self._is_whole = False  # what it is going to yield, say, cannot be looked at
        else:
            self._read_object(path, content, depth + 1)

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
        for held in (function.__defaults__, function.__kwdefaults__, vars(function)):
            self._read_object(f"{path} defaults", held, depth + 1)
        scope = function.__globals__
        if IN_FORCE in scope:
            names, texts = _list_names(function.__code__)
            for text in sorted(texts & set(scope[IN_FORCE])):
                self._note(f"{path} {text}", scope[IN_FORCE].find_expected(text))
            names |= texts  # `getattr` and `globals` take them
            for name in sorted(names & scope.keys() - {IN_FORCE}):
                self._read_global(f"global {name}", scope[name], names, depth)
            for name in sorted(_list_imports(function.__code__)):
                self._read_imported(name, scope.get("__package__"), names, depth)

    def _read_imported(self, name: str, package: str | None, names: set[str], depth: int) -> None:
        """Read a module that a function imports as it is called."""
        found = [each for each in (name, f"{package}.{name}".rstrip(".")) if each in sys.modules]
        for each in found:
            self._read_global(f"global {each}", sys.modules[each], names, depth)
        if not found and (first := name.partition(".")[0]) not in sys.stdlib_module_names:
            outer = sys.modules.get(first)
            if outer is None or IN_FORCE in vars(outer) or _is_namespace_package(outer):
                self._is_whole = False  # it may be the program's, and is yet to be executed

    def _read_global(self, path: str, held: Any, names: set[str], depth: int) -> None:
        """Read a global; of a module or a class what is named with it, or all where nothing is."""
        if isinstance(held, ModuleType) or isclass(held):
            followed = id(held), frozenset(names)  # modules lead to each other
            if followed in self._followed:
                return
            self._followed.add(followed)
        if isinstance(held, ModuleType):
            if IN_FORCE in vars(held) or _is_namespace_package(held):
                for name in sorted(names & vars(held).keys() - {IN_FORCE}):
                    self._read_global(f"{path}.{name}", vars(held)[name], names, depth + 1)
        elif isclass(held):
            self._read_named_members(path, held, names, depth)
        else:
            self._read_object(path, held, depth + 1)

    def _read_named_members(self, path: str, held: type, names: set[str], depth: int) -> None:
        members = {name: value for each in reversed(held.__mro__) for name, value in vars(each).items()}
        if not _is_of_program(held):
            return
        for name in sorted((names | OF_NEW_OBJECTS) & members.keys()):
            if isclass(members[name]):
                self._read_global(f"{path}.{name}", members[name], names, depth + 1)
            else:
                self._read_member(f"{path}.{name}", members[name], depth + 1)
        if not names & members.keys():
            self._read_object(path, held, depth + 1)


def _list_added_attributes(trainer: Any) -> Iterator[tuple[str, Any]]:
    """Yield what may be the program's own of what a Trainer holds."""
    for name, value in vars(trainer).items():
        if not name.startswith("_") and (isinstance(value, (*PLAIN, *NAMESPACES)) or _is_of_program(type(value))):
            yield name, value


def _list_generator_states() -> Iterator[Any]:
    """Yield the states of those that functions of modules draw from: ``random.random()``."""
    import torch

    yield random.getstate()
    yield torch.random.get_rng_state()
    if "numpy" in sys.modules:
        yield sys.modules["numpy"].random.get_state()


def _find_generator_state(held: Any) -> Any:
    """Return the state of a generator of random numbers that has attributes besides it; else None."""
    return held.getstate() if isinstance(held, random.Random) and not isinstance(held, random.SystemRandom) else None


def _list_attributes(held: Any, *, is_registered: bool) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds itself; to look at it is no reading of the program.

    ``is_registered``: it is a module of which the weights and the modules in it are looked at elsewhere.
    """
    try:
        own = object.__getattribute__(held, "__dict__")
    except AttributeError:
        own = {}
    hidden = {"_parameters", "_modules"} if is_registered else set()
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


def _list_imports(code: CodeType) -> set[str]:
    """Return the modules that a function's code imports."""
    found = {each.argval for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME"}
    return found.union(*(_list_imports(each) for each in code.co_consts if isinstance(each, CodeType)))


def _is_namespace_package(module: ModuleType) -> bool:
    return hasattr(module, "__path__") and getattr(module, "__file__", None) is None


def _is_of_program(kind: type) -> bool:
    return IN_FORCE in vars(sys.modules.get(kind.__module__, sys))


def _digest_tensor(tensor: Any) -> str:
    import torch  # in the trial's process alone

    try:
        step = max(1, tensor.numel() // 65_536)
        places = torch.arange(0, tensor.numel(), step, device=tensor.device)
        values = tensor.detach().take(places).cpu()  # no copy of the whole
        content = values.view(torch.uint8).numpy().tobytes() if len(values) else b""
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        content = b""
    return f"{tuple(tensor.shape)} {digest_value(content)}"
