"""What the ledger holds of a search as a whole, beside its trials."""

from pathlib import Path

import optuna

from tune.search.ledger.journal import START
from tune.space.space import Space, note_space
from tune.trial.outcome import SETTINGS


class Notes:
    """Those of one study."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def remember(self, command: str) -> None:
        """Note what was typed to start the search, or to go on with it."""
        self._study.set_user_attr("commands", [*self._study.user_attrs.get("commands", ()), command])

    def start_takes(self, n_epochs: float) -> None:
        """Note what a trial takes beside its epochs, in epochs: the scheduler knows it from now on."""
        self._study.set_user_attr(START, n_epochs)

    def note_settings(self, space: Space) -> None:
        """Note the settings that trials run by from now on: a damaged space file would be filled with defaults."""
        self._study.set_user_attr(SETTINGS, note_space(space))

    @property
    def folder(self) -> Path:
        """The working directory of the search's first driver, and of its trials; this one's where none was noted."""
        noted = self._study.user_attrs.get("folder")
        return Path(noted) if isinstance(noted, str) and "\0" not in noted else Path.cwd()
