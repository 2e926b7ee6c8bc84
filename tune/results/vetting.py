"""Trials of a ledger that somebody else may have written: data, of the shape that we write, or refused.

A version's name becomes a path, and values become text in a program: neither may say what we would not have written.
"""

import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, read_json, short
from tune.space.dimensions import is_int, is_number
from tune.trial.outcome import DEVICE_FAULTS, MUTATIONS

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

REASON = "reason"
HINT = "Is it a study of ours?"
ATTRIBUTES: dict[str, type] = {
    REASON: str,
    "repeat_of": int,
    "attempt": int,
    "deaths": int,
    "last_epoch": int,
    "best_epoch": int,
}
"""What we note of a trial, where it is read again."""
MOST = 2**53
"""An epoch's number is never larger."""
LONGEST = 100  # characters of a wrong value in an error
LONGEST_NAME = 255  # bytes of a file's name


def vet(trials: Sequence["FrozenTrial"], paths: ExperimentPaths) -> None:
    """Raise ExperimentError at the first trial that no search of ours wrote."""
    for trial in trials:
        noted: Any = trial.user_attrs  # Optuna passes on whatever the record held
        problem = _problem(noted, trial, paths) if isinstance(noted, dict) else f"no attributes, got {noted!r}"
        if problem is not None:
            raise ExperimentError(short(paths.journal), f"trial {trial.number}: {problem}", HINT)


def vet_study(attributes: Any, paths: ExperimentPaths) -> None:
    """Raise ExperimentError where what is noted of the whole search is not as we write it."""
    known = attributes.get("knowledge") if isinstance(attributes, dict) else None
    if known is None or (isinstance(known, dict) and _is_known(known.get("trials"))):
        return
    what = "what it knows of another experiment is no list of trials"
    raise ExperimentError(short(paths.journal), what, HINT)


def _is_known(trials: Any) -> bool:
    return isinstance(trials, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("params"), dict)
        and each.get("state") in ("COMPLETE", "PRUNED")
        and isinstance(each.get("curve"), list)
        and all(isinstance(point, list) and len(point) == 2 and is_int(point[0]) for point in each["curve"])
        and isinstance(each.get("scores"), list)
        and all(map(is_number, each["scores"]))
        for each in trials
    )


def _problem(noted: dict[str, Any], trial: "FrozenTrial", paths: ExperimentPaths) -> str | None:
    if (strange := _strangeness(noted)) is not None:
        return strange
    version = noted.get("version", str(trial.number))
    if not isinstance(version, str) or not _is_plain(version):
        return f"a version is the name of a folder in the experiment, got {_cut(version)}"
    folder = paths.folder / version
    if folder.is_symlink() and not folder.resolve().is_relative_to(paths.folder.resolve()):
        return f"its version {version!r} is a link that leads out of the experiment"
    constants = noted.get("constants", trial.params)
    if not isinstance(constants, dict):
        return f"constants are a mapping, got {_cut(constants)}"
    for name, kind in ATTRIBUTES.items():
        if noted.get(name) is not None and type(noted[name]) is not kind:
            return f"{name} is no {kind.__name__}, got {_cut(noted[name])}"
    mutations = noted.get(MUTATIONS, [])
    if not isinstance(mutations, list) or not all(map(_is_mutation, mutations)):
        return f"{MUTATIONS} hold an epoch, a donor and constants each, got {_cut(noted[MUTATIONS])}"
    faults = noted.get(DEVICE_FAULTS, [])
    if not isinstance(faults, list) or not all(isinstance(each, str) for each in faults):
        return f"{DEVICE_FAULTS} are names of devices, got {_cut(faults)}"
    return _curve_problem(noted, trial)


def _strangeness(noted: dict[str, Any]) -> str | None:
    """Return what no JSON of ours holds: text that is no Unicode, but for a program's, or a number that is no float."""
    try:
        ours = {name: value for name, value in noted.items() if name != REASON}
        read_json(json.dumps(ours, ensure_ascii=False).encode("utf-8"))
    except (ValueError, TypeError, RecursionError) as error:
        return f"its attributes cannot be read: {error}"
    return None


def _is_mutation(each: Any) -> bool:
    return (
        isinstance(each, dict)
        and is_int(each.get("epoch"))
        and is_int(each.get("donor"))
        and isinstance(each.get("constants"), dict)
    )


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _curve_problem(noted: dict[str, Any], trial: "FrozenTrial") -> str | None:
    for epoch, value in trial.intermediate_values.items():
        if not is_int(epoch) or not 1 <= epoch <= MOST or not _is_value(value):
            return f"an epoch has a number and a value, got {_cut(epoch)}: {_cut(value)}"
    others = {name: value for name, value in noted.items() if name.startswith("others in epoch ")}
    for name, values in others.items():
        if not isinstance(values, list) or not all(map(_is_value, values)):
            return f"{name}: numbers, got {_cut(values)}"
    if not all(map(_is_value, trial.values or ())):
        return f"its value is no number, got {_cut(trial.values)}"
    if any(isinstance(value, float) and math.isnan(value) for value in trial.values or ()):
        return "its value is NaN"
    return None


def _is_value(value: object) -> bool:
    """Tell whether it is a number that a float can be."""
    return isinstance(value, float) or (is_int(value) and abs(value) <= sys.float_info.max)


def _is_plain(name: str) -> bool:
    """Tell whether a name stays in its folder, on any system, and can be printed."""
    return (
        name not in ("", ".", "..")
        and not {"/", "\\", "\0"} & set(name)
        and name.isprintable()
        and len(name.encode("utf-8")) <= LONGEST_NAME
    )
