"""Trials of a ledger that somebody else may have written: data, of the shape that we write, or refused.

A version's name becomes a path, and values become text in a program: neither may say what we would not have written.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, short
from tune.space.dimensions import is_int

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

HINT = "Is it a study of ours?"


def vet(trials: Sequence["FrozenTrial"], paths: ExperimentPaths) -> None:
    """Raise ExperimentError at the first trial that no search of ours wrote."""
    for trial in trials:
        noted: Any = trial.user_attrs  # Optuna passes on whatever the record held
        problem = _problem(noted, trial, paths) if isinstance(noted, dict) else f"no attributes, got {noted!r}"
        if problem is not None:
            raise ExperimentError(short(paths.journal), f"trial {trial.number}: {problem}", HINT)


def _problem(noted: dict[str, Any], trial: "FrozenTrial", paths: ExperimentPaths) -> str | None:
    version = noted.get("version", str(trial.number))
    if not isinstance(version, str) or not _is_plain(version):
        return f"a version is the name of a folder in the experiment, got {version!r}"
    folder = paths.folder / version
    if folder.is_symlink() and not folder.resolve().is_relative_to(paths.folder.resolve()):
        return f"its version {version!r} is a link that leads out of the experiment"
    constants = noted.get("constants", trial.params)
    if not isinstance(constants, dict):
        return f"constants are a mapping, got {constants!r}"
    for name, kind in (("reason", str), ("repeat_of", int)):
        if noted.get(name) is not None and not isinstance(noted[name], kind):
            return f"{name} is no {kind.__name__}, got {noted[name]!r}"
    return _curve_problem(noted, trial)


def _curve_problem(noted: dict[str, Any], trial: "FrozenTrial") -> str | None:
    for epoch, value in trial.intermediate_values.items():
        if not is_int(epoch) or epoch < 1 or not isinstance(value, int | float):
            return f"an epoch has a number and a value, got {epoch!r}: {value!r}"
    others = {name: value for name, value in noted.items() if name.startswith("others in epoch ")}
    for name, values in others.items():
        if not isinstance(values, list) or not all(isinstance(each, int | float) for each in values):
            return f"{name}: numbers, got {values!r}"
    if any(isinstance(value, float) and math.isnan(value) for value in trial.values or ()):
        return "its value is NaN"
    return None


def _is_plain(name: str) -> bool:
    """Tell whether a name stays in its folder, on any system."""
    return bool(name) and name not in (".", "..") and not {"/", "\\", "\0"} & set(name)
