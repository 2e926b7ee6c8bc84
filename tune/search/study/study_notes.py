"""What a study notes of its search as a whole: commands, settings, and what was asked of it while it ran."""

from pathlib import Path

import optuna

from tune.experiment.trial_result import SETTINGS
from tune.search.study.journal import START
from tune.space.space import Space, note_space

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

    def has_request(self, request: str) -> bool:
        """Tell whether a request was noted."""
        return f"{REQUEST}{request}" in self._study.user_attrs

    @property
    def driver_folder(self) -> Path:
        """The working directory of the search's first driver, and of its trials; this one's where none was noted."""
        noted = self._study.user_attrs.get("folder")
        return Path(noted) if isinstance(noted, str) and "\0" not in noted else Path.cwd()
