"""The values of a trial, as the rewritten source asks for them, and the proof that they are in force."""

import builtins
import copy
import enum
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from types import ModuleType
from typing import Any

from tune.space.dimensions import Value

UNWATCHED = frozenset({"torch.nn.modules.module.Module", "enum.Enum", "pydantic.main.BaseModel"})
"""Classes below which no reading of an attribute is looked at."""
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
MOST_KEPT = 16
"""Of the values of one attribute."""


class PromotedValues(Mapping[str, Value]):
    """A trial's values. Each look-up gives a copy, and is counted: proof that the program took the value."""

    def __init__(self, values: Mapping[str, Value], symbols: Mapping[str, Sequence[Value]] | None = None) -> None:
        """``symbols``: by the keys whose values are names of the source, all that a search may give them."""
        self._values = dict(values)
        self._symbols = dict(symbols or {})
        self.unresolved: dict[str, tuple[str, NameError | AttributeError]] = {}
        """Of such a key an option that its place does not know, with what Python says of it."""
        self._objects: dict[str, Any] = {}  # what these names stand for
        self.taken = dict.fromkeys(self._values, 0)
        self.called: set[str] = set()
        """The promoted parameters whose functions were called, in this process."""
        self.displaced: dict[str, Any] = {}
        """What a promoted parameter was given in its place, by a call that no look at the source could find."""
        self.modules: list[ModuleType] = []
        """The project's modules that were executed with these values, in their order."""
        self.read: set[str] = set()
        """Attributes of classes that an object of the program was read of, and held the value."""
        self.read_instead: dict[str, list[str]] = {}
        """What objects that were read held in the place of such a value, as ``repr`` has it: the first MOST_KEPT."""
        self.filled: dict[str, list[str]] = {}
        """What fields of new objects, or new classes, held in the place of such a value, likewise."""
        self.made: dict[str, Any] = {}
        """What a decorator, a metaclass or ``__init_subclass__`` made of an attribute, where it is another value."""
        self.starred: set[str] = set()
        """The parameters that a star may pass: a float that is equal, and another object, is no proof."""

    def check_parameter(self, key: str, value: Any) -> None:
        """Hear what a parameter holds as its function begins."""
        if key not in self._values:
            return
        self.called.add(key)
        ours = self.find_expected(key)
        if not is_expected_value(value, ours) or (
            key in self.starred and isinstance(ours, float) and value is not ours
        ):
            self.displaced.setdefault(key, value)

    def watch_fields(self, hook: str, keys: Mapping[str, str], body: Mapping[str, Any]) -> Callable[..., Any]:
        """Return a class's ``__post_init__`` that looks at its promoted fields, and goes on to the class's own."""
        own, qualname = body.get(hook), body["__qualname__"]

        def check_fields(instance: Any, *args: Any, **given: Any) -> Any:
            above, attrs = list(type(instance).__mro__), getattr(type(instance), "__attrs_attrs__", ())
            converted = {each.name for each in attrs if each.converter is not None}  # to what need not be equal
            for name in keys.keys() - converted:
                declaring = next((each for each in above if name in inspect.get_annotations(each)), None)
                if declaring is not None and declaring.__qualname__ == qualname and keys[name] in self._values:
                    held = object.__getattribute__(instance, name)  # no reading of the program
                    if not is_expected_value(held, self.find_expected(keys[name])):
                        _keep_value(self.filled.setdefault(keys[name], []), held)
            if own is not None:
                return own(instance, *args, **given)
            here = next((n for n, each in enumerate(above) if each.__qualname__ == qualname), len(above))
            inherited = next((vars(each)[hook] for each in above[here + 1 :] if hook in vars(each)), None)
            return None if inherited is None else inherited(instance, *args, **given)

        return check_fields

    def watch_attributes(self, keys: Mapping[str, str]) -> Callable[[Any], Any]:
        """Return a decorator of a class whose objects are looked at as their promoted attributes are read.

        ``keys``: by attribute. Modules of torch are left alone: all that they do reads attributes. So are enumerations,
        and libraries' classes that convert what they are given.
        """
        promoted = {name: key for name, key in keys.items() if key in self._values}

        def watch_class(made: Any) -> Any:
            if not promoted or not isinstance(made, type) or _is_left_alone(made):
                return made
            read: Any = made.__getattribute__

            def read_attribute(instance: Any, name: str) -> Any:
                held = read(instance, name)
                if name in promoted:
                    self._note_read(promoted[name], held)
                return held

            type.__setattr__(made, "__getattribute__", read_attribute)  # a metaclass may refuse, or note it
            return made

        return watch_class

    def note_class(self, keys: Mapping[str, str]) -> Callable[[Any], Any]:
        """Return a decorator of a class that notes what the others before it made of its promoted attributes."""

        def note_attributes(made: Any) -> Any:
            for name, key in keys.items() if isinstance(made, type) else ():
                held = inspect.getattr_static(made, name, None)
                if key in self._values and not inspect.isdatadescriptor(held):
                    held = type.__getattribute__(made, name)
                    if not is_expected_value(held, self.find_expected(key)):
                        self.made[key] = held
                        _keep_value(self.filled.setdefault(key, []), held)
            return made

        return note_attributes

    def _note_read(self, key: str, held: Any) -> None:
        if key in self.read:
            return
        if is_expected_value(held, self.find_expected(key)):
            self.read.add(key)
        else:
            _keep_value(self.read_instead.setdefault(key, []), held)

    def __getitem__(self, key: str) -> Value:
        value = copy.deepcopy(self._values[key])
        self.taken[key] += 1
        return value

    def resolve(self, key: str, *scopes: Mapping[str, Any]) -> Any:
        """Return the value; of a name what it stands for where it is written, as Python would."""
        value = self[key]
        if key not in self._symbols or not isinstance(value, str):
            return value
        if key not in self._objects:
            for option in self._symbols[key]:
                try:
                    _find_object(str(option or "None"), scopes)
                except (NameError, AttributeError) as error:
                    self.unresolved.setdefault(key, (str(option), error))
        self._objects[key] = _find_object(value, scopes)
        return self._objects[key]

    def find_expected(self, key: str) -> Any:
        """Return what the program holds where the value is in force."""
        return self._objects.get(key, self._values[key])

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _find_object(name: str, scopes: Sequence[Mapping[str, Any]]) -> Any:
    """Return what a dotted name stands for; raise NameError or AttributeError as Python would."""
    root, *attributes = name.split(".")
    scope = next((each for each in (*scopes, vars(builtins)) if root in each), None)
    if scope is None:
        raise NameError(f"name {root!r} is not defined", name=root)
    return functools.reduce(getattr, attributes, scope[root])


def _keep_value(kept: list[str], held: Any) -> None:
    if len(kept) < MOST_KEPT and (said := _describe_value(held)) not in kept:
        kept.append(said)


def _describe_value(held: Any) -> str:
    """Return ``repr``; where that is an address, which differs each time, the type with what the object holds."""
    kind = f"an object of {type(held).__name__}"
    try:
        text = repr(held)
        return text if ADDRESS.search(text) is None else f"{kind}: {ADDRESS.sub('', str(vars(held)))}"
    except Exception:  # it is an object of the program's
        return kind


def _is_left_alone(made: type) -> bool:
    above = {f"{each.__module__}.{each.__qualname__}" for each in made.__mro__}
    return bool(above & UNWATCHED) or any("__attrs_attrs__" in vars(each) for each in made.__mro__)


def is_expected_value(held: Any, wanted: Value) -> bool:
    """Tell whether what a program holds is the value that was set."""
    try:
        if isinstance(held, PurePath) and isinstance(wanted, str):
            return held == type(held)(wanted)  # of ``Path("data")`` the text is the constant
        return bool(held == wanted) or (isinstance(held, enum.Enum) and bool(held.value == wanted))
    except Exception:  # an array, say; whatever it is, it is no value of a space file
        return False
