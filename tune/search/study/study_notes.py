"""What a study notes of its search as a whole: commands, settings, and what was asked of it while it ran."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from tune.errors import SpaceError
from tune.experiment.proposal_note import PAUSED, SearchPause
from tune.experiment.trial_result import SETTINGS
from tune.paths import ExperimentPaths
from tune.search.study.journal import START, open_study
from tune.space.settings import set_to
from tune.space.space import Space, note_space
from tune.space.space_file import read_space, write_space

REQUEST = "request "
"""What begins the study's attributes that say what somebody asked of a running search, by the ids of the requests."""


class StudyNotes:
    """Those of one study."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def add_command(self, command: str) -> None:
        """Note what was typed to start the search, or to go on with it."""
        self._study.set_user_attr("commands", [*self._study.user_attrs.get("commands", ()), command])

    def set_startup_epochs(self, n_epochs: float) -> None:
        """Note what a trial takes beside its epochs, in epochs: the scheduler knows it from now on."""
        self._study.set_user_attr(START, n_epochs)

    def note_settings(self, space: Space) -> None:
        """Note the settings that trials run by from now on: a damaged space file would be filled with defaults."""
        self._study.set_user_attr(SETTINGS, note_space(space))

    def note_pause(self, pause: SearchPause | None) -> None:
        """Note who paused the search; None: it goes on."""
        noted = None if pause is None else pause.as_json()
        if self._study.user_attrs.get(PAUSED) != noted:
            self._study.set_user_attr(PAUSED, noted)

    def has_request(self, request: str) -> bool:
        """Tell whether a request was noted."""
        return f"{REQUEST}{request}" in self._study.user_attrs

    @property
    def driver_folder(self) -> Path:
        """The working directory of the search's first driver, and of its trials; this one's where none was noted."""
        noted = self._study.user_attrs.get("folder")
        return Path(noted) if isinstance(noted, str) and "\0" not in noted else Path.cwd()


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
