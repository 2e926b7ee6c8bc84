"""What was set while a search ran, and is in the ledger alone: its driver was killed before it wrote the space file."""

from dataclasses import replace
from typing import Any

from tune.experiment.trial_result import SETTINGS
from tune.paths import ExperimentPaths
from tune.search.study.journal import open_study
from tune.search.study.study import REQUEST
from tune.space.settings import Settings
from tune.space.space import note_space
from tune.space.space_file import read_space, write_space


def restore_set_values(paths: ExperimentPaths) -> None:
    """Write the space file with what was set last, where it lacks that; the caller holds the experiment's lock."""
    attributes = open_study(paths).user_attrs
    requests = sorted(name for name in attributes if name.startswith(REQUEST))
    noted = attributes.get(SETTINGS)
    if not requests or not isinstance(noted, dict) or not isinstance(attributes[requests[-1]], dict):
        return
    space = read_space(paths.space, program_is_here=False)
    held = note_space(space)
    values = attributes[requests[-1]].get("set", {})
    missing = {
        field: noted[field]
        for field in map(_field_of, values)
        if field in noted and noted[field] == values[_name_of(field)] and held.get(field) != noted[field]
    }
    if missing:
        changes: dict[str, Any] = missing
        write_space(replace(space, settings=replace(space.settings, **changes)), paths.space)


def _field_of(name: str) -> str:
    return name if name in Settings.__dataclass_fields__ else f"{name}_s"


def _name_of(field: str) -> str:
    return field.removesuffix("_s") if field.endswith("_s") else field
