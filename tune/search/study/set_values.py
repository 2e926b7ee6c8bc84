"""What was set while a search ran, and is in the ledger alone: its driver was killed before it wrote the space file."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tune.errors import SpaceError
from tune.experiment.trial_result import SETTINGS
from tune.paths import ExperimentPaths
from tune.search.study.journal import open_study
from tune.search.study.study_notes import REQUEST
from tune.space.settings import set_to
from tune.space.space import note_space
from tune.space.space_file import read_space, write_space


def restore_set_values(paths: ExperimentPaths) -> bool:
    """Write the space file with what was set last, where it lacks that; return whether it did.

    The caller holds the experiment's lock, and has seen that its ledger can be read.
    """
    attributes = open_study(paths).user_attrs
    values, noted = _find_last_values(attributes), attributes.get(SETTINGS)
    if not values or not isinstance(noted, dict):
        return False
    space = read_space(paths.space, program_is_here=False)
    held, settings = note_space(space), space.settings
    for name, value in values.items():
        field = f"{name}_s" if name == "time_budget" else name
        if field in held and noted.get(field) == value != held[field]:
            try:
                settings = set_to(settings, name, value, None)
            except SpaceError:  # the ledger is damaged: the file holds
                return False
    if settings == space.settings:
        return False
    write_space(replace(space, settings=settings), paths.space)
    return True


def _find_last_values(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the last request of its kind set; nothing where there is none."""
    requests = sorted(name for name in attributes if name.startswith(REQUEST))
    last = attributes[requests[-1]] if requests else None
    values = last.get("set") if isinstance(last, dict) else None
    return values if isinstance(values, dict) else {}
