"""A trial whose constants change while it trains: they are put in force in what a checkpoint restores, and shown."""

from collections.abc import Mapping
from typing import Any

from tune.space.dimensions import Value, is_number
from tune.trial.built import Mutation, built
from tune.trial.mark import Built, Mark

TAG = "constants/"
"""Of the curves that show in the version what was in force."""


class Mutant:
    """One attempt: its constants are in force in the program already, not in what Lightning restores."""

    def __init__(self, values: Mapping[str, Value], n_mutations: int) -> None:
        self._values = values
        self._mutation: Mutation | None = None
        self.n_mutations = n_mutations
        """How often the constants have changed."""
        self.built: Built = []
        """What the optimizers were built with."""

    def compare(self, trainer: Any, mark: Mark | None) -> None:
        """See, before the restore, what this program builds otherwise than the checkpoint's did."""
        self.built = built(trainer)
        self._mutation = Mutation(trainer, mark.built) if mark is not None and mark.built else None

    def put_in_force(self, trainer: Any) -> None:
        """Change what was restored, and show the constants in the version's curves."""
        if self._mutation is not None:
            self._mutation.put_in_force(trainer)
            self._mutation = None
        numbers = {f"{TAG}{name}": float(value) for name, value in self._values.items() if is_number(value)}
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=trainer.global_step)
