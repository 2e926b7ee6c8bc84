"""Which words of a command line were read. Where that is not certain, a word counts as read."""

# ruff: noqa: SLF001, N807 - the reader is the caller's frame; special methods that close over a set

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, SupportsIndex, overload

INDIFFERENT = frozenset(
    {"argparse", "configargparse", "lightning", "lightning_fabric", "pytorch_lightning", "tensorboard", "torch", "tune"}
)
"""Packages that look at ``sys.argv`` and take no option from it; what argparse parses is noted where it returns."""
READERS = (
    *("__iter__", "__reversed__", "__contains__", "__add__", "__mul__", "__rmul__", "__repr__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "copy", "count", "index", "pop", "remove", "sort"),
)
"""Methods of a list that look at its items."""
ANY = "__dict__"
"""Stands for every name of a Namespace."""


@dataclass(slots=True)
class ReadLog:
    """What was read so far."""

    words: set[str] = field(default_factory=set)
    by_others: bool = False
    """Whether anything but argparse looked at words, or at a place where they would stand."""


class NotedWords(list[str]):
    """A list of words, such as ``sys.argv``, that notes who looks at them; its slices do so too."""

    def __init__(self, words: Iterable[str], log: ReadLog, *, named: bool = False) -> None:
        """``named``: whether the first one is the program's own name, and no word that can be searched."""
        super().__init__(words)
        self.log = log
        self.named = named

    @overload
    def __getitem__(self, place: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "NotedWords": ...
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        if isinstance(place, slice):
            return NotedWords(found, self.log, named=self.named and not place.start)
        if place != 0 or not self.named:
            self.note_reader(sys._getframe(1))
        return found

    def __radd__(self, other: list[str]) -> list[str]:
        self.note_reader(sys._getframe(1))
        return [*other, *self.copy_silently()]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        self.note_reader(sys._getframe(1))
        return list, (self.copy_silently(),)

    def copy_silently(self) -> list[str]:
        """Return the words, without a note."""
        return list(list.__iter__(self))

    def note_reader(self, reader: FrameType) -> None:
        """Note that the code in a frame looks at the words."""
        if reader.f_globals.get("__name__", "").partition(".")[0] not in INDIFFERENT:
            self.log.by_others = True
            self.log.words.update(list.__iter__(self))


def _wrap_method(name: str) -> Callable[..., Any]:
    method = getattr(list, name)

    def replacement(words: NotedWords, *args: Any, **given: Any) -> Any:
        words.note_reader(sys._getframe(1))
        return method(words, *args, **given)

    return replacement


for each in READERS:
    setattr(NotedWords, each, _wrap_method(each))


@dataclass(frozen=True, slots=True)
class NamespaceLog:
    """What became of a parsed Namespace."""

    read: set[str] = field(default_factory=set)
    """The names that were read; ANY where all may have been."""
    overwritten: dict[str, str] = field(default_factory=dict)
    """Those that hold another value before they were read, by whatever way, with it as ``repr`` has it."""
    parsed: dict[str, Any] = field(default_factory=dict)
    """What the parser made of the words."""

    def note_value(self, name: str, value: Any) -> None:
        """Note the value that a name has, where it is read or assigned."""
        if name not in self.parsed or name in self.read:
            return
        if value is self.parsed[name]:
            self.overwritten.pop(name, None)  # what another Namespace holds is not all that the program reads
        else:
            self.overwritten[name] = repr(value)

    def note_namespace(self, held: Mapping[str, Any]) -> None:
        """Note what a Namespace of the program's own holds, where it has the names of all options, as its place has."""
        if held.keys() >= self.parsed.keys():
            for name in self.parsed:
                if held[name] is not self.parsed[name]:
                    self.note_value(name, held[name])


def note_reads(namespace: argparse.Namespace) -> NamespaceLog:
    """Return a log of what is read from a Namespace from now on.

    Printing one is no reading. A copy, and what is pickled, is a Namespace as ever.
    """
    log = NamespaceLog(parsed=dict(vars(namespace)))

    def __getattribute__(self: argparse.Namespace, name: str) -> Any:
        held = argparse.Namespace.__getattribute__(self, name)
        if name not in ("__class__", "_get_args", "_get_kwargs"):
            is_printed = name == ANY and sys._getframe(1).f_code.co_name == "_get_kwargs"
            log.note_value(name, held)  # `vars(namespace).update(...)` may have changed it
            if not is_printed:
                log.read.add(ANY if name.startswith("__") else name)
        return held

    def __setattr__(self: argparse.Namespace, name: str, value: Any) -> None:
        is_parsed = sys._getframe(1).f_globals.get("__name__") == "argparse"
        if not is_parsed and ANY not in log.read:
            log.note_value(name, value)
        argparse.Namespace.__setattr__(self, name, value)

    def __reduce_ex__(self: argparse.Namespace, protocol: int) -> Any:
        log.read.add(ANY)
        return argparse.Namespace, (), dict(object.__getattribute__(self, ANY))

    methods = {each.__name__: each for each in (__getattribute__, __setattr__, __reduce_ex__)}
    namespace.__class__ = type("Namespace", (argparse.Namespace,), {**methods, "__module__": "argparse"})
    return log
