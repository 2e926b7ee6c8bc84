"""An edited space file against the space of a search that goes on with it."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path, PurePath
from typing import Any

from tune.errors import SpaceError
from tune.space.conditions import is_active, is_same_yaml_value, only_active, restore_value
from tune.space.dimensions import Dimension, Value, could_draw, describe_dimension
from tune.space.settings import Settings
from tune.space.space import Script, Space, System, check_settings

NEW_SEARCH = "Its trials could not be compared; start a new search, or change it back."


def edited_space(edited: Space, before: Space) -> Space:
    """Return the space to go on with: what the file says, and for settings that it does not name, what was before.

    Raise SpaceError where it is about another program, metric, mode, seed, fits or hold-out: its trials could not be
    compared.
    """
    _check_program(edited, before)
    for key, old, new in (
        ("metric", [each.metric for each in before.objectives], [each.metric for each in edited.objectives]),
        ("mode", [each.mode for each in before.objectives], [each.mode for each in edited.objectives]),
    ):
        if old != new:
            what = f"{key}: the search was judged by {' and '.join(old)}, got {' and '.join(new)}"
            raise SpaceError(edited.place_of_entry(key), what, NEW_SEARCH)
    # The settings: those that the file names are its own; of another sampler no arguments stay
    named: dict[str, Any] = {
        field.name: getattr(edited.settings, field.name)
        for field in fields(Settings)
        if field.name.removesuffix("_s") in edited.lines or field.name in edited.lines
    }
    for kind in ("sampler", "scheduler"):
        if named.get(kind, getattr(before.settings, kind)) != getattr(before.settings, kind):
            named.setdefault(f"{kind}_args", {})
    settings = replace(before.settings, **named)
    for key in ("seed", "fits", "holdout"):
        old, new = getattr(before.settings, key), getattr(settings, key)
        if old != new:
            raise SpaceError(edited.place_of_entry(key), f"{key}: the trials had {old}, got {new}", NEW_SEARCH)
    space = replace(edited, program=before.program, shape=before.shape, settings=settings)
    check_settings(space)
    return space


def describe_changes(before: Settings, after: Settings) -> list[str]:
    """Return what differs, a setting each: ``sampler tpe -> random``."""
    found = []
    for field in fields(Settings):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if isinstance(old, dict):
            names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            found += [f"{field.name}.{name} {old.get(name, 'unset')} -> {new.get(name, 'unset')}" for name in names]
        elif old != new:
            found.append(f"{field.name.removesuffix('_s')} {old} -> {new}")
    return found


def _check_program(edited: Space, before: Space) -> None:
    """Refuse another program; its file may have moved since, so that the end of its path has to be the same."""
    key = "script" if isinstance(edited.shape, Script) else "system"
    if type(edited.shape) is not type(before.shape) or not _ends_with(before.program, edited.program):
        what = f"{key}: the search ran {before.program}, got {edited.program}"
        raise SpaceError(edited.place_of_entry(key), what, "Start a new search for another program.")
    match edited.shape, before.shape:
        case System(class_name=new), System(class_name=old) if new != old:
            what = f"system: the search ran the class {old}, got {new}"
            raise SpaceError(edited.place_of_entry("system"), what, NEW_SEARCH)
        case Script(args=now), Script(args=then) if now != then:
            what = f"args: the search ran the script with {list(then)}, got {list(now)}"
            raise SpaceError(edited.place_of_entry("args"), what, NEW_SEARCH)
        case _:
            pass


def _ends_with(program: Path, written: Path) -> bool:
    """Tell whether a path, or a dotted module, as a space file writes it may mean the program."""
    name = str(written)
    if not name.endswith(".py") and "/" not in name:
        name = name.replace(".", "/") + ".py"
    if written.is_absolute():
        return written == program
    parts = [part for part in PurePath(name).parts if part not in (".", "..", "~")]
    return list(program.parts[-len(parts) :]) == parts


def convert_config(
    values: Mapping[str, Value], space: Space, dimensions: Mapping[str, Dimension], hardcoded: Mapping[str, Value]
) -> dict[str, Value] | str:
    """Return a trial's values as ``space`` knows them, or the reason why it could not have drawn them.

    ``values`` are those of the constants that varied; every other one had its hardcoded value. ``dimensions`` are the
    space's, in the program's types; ``hardcoded`` is what the source says of the constants of both spaces.
    """
    full = {**hardcoded, **values}
    known = {name: restore_value(dimension, full[name]) for name, dimension in dimensions.items() if name in full}
    active = only_active(known, space.conditions)
    for name in dimensions:
        if name not in full and is_active(name, space.conditions, active):
            return f"only the program knows what {name} was"
    for name, value in values.items():
        if name not in active and not (name in hardcoded and is_same_yaml_value(value, hardcoded[name])):
            held = f"{name} not {hardcoded[name]!r}" if name in hardcoded else f"{name} not as the program has it"
            return (
                f"{held}, where it does not vary any more"
                if name in dimensions
                else f"{held}, and it is not searched any more"
            )
    for name, value in active.items():
        if not could_draw(dimensions[name], value):
            return f"{name} outside of {describe_dimension(dimensions[name])}"
    for requirement in space.requirements:
        if not requirement.is_met({**hardcoded, **active}):
            return f"against `{requirement.text}`"
    return active
