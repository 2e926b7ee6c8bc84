"""What a member of a population takes over: its donor's weights of the same epoch, and mutated constants."""

import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from tune.paths import VersionPaths
from tune.search.ledger.ledger import Ledger
from tune.search.scheduling.explore import RESAMPLE_PROBABILITY, explore
from tune.space.dimensions import Dimension, Value

VersionOf = Callable[[int], VersionPaths]

N_TRIES = 100
"""Draws until one fulfils the space's requirements; then the donor's constants stay as they are."""


class Heirs:
    """Writes each takeover down before anybody acts on it, so that it happens once, whenever the driver dies."""

    def __init__(
        self,
        ledger: Ledger,
        dimensions: Mapping[str, Dimension],
        seed: int,
        resample_probability: float = RESAMPLE_PROBABILITY,
    ) -> None:
        self._ledger = ledger
        self._dimensions = dimensions
        self._seed = seed
        self._resample_probability = resample_probability
        self._kept: dict[Path, int] = {}  # the donors' checkpoints, and their epochs

    def take_over(self, heir: int, donor: int, version_of: VersionOf) -> None:
        """Keep the donor's checkpoint of the heir's last epoch, and give the heir the donor's constants, mutated."""
        epoch = max(self._ledger.curve(heir))
        if any(mutation["epoch"] == epoch for mutation in self._ledger.mutations(heir)):
            return  # an earlier driver did
        weights = version_of(donor)
        self._tidy(epoch)
        if not weights.after(epoch).exists():
            weights.after(epoch).hardlink_to(weights.last)
        self._kept[weights.after(epoch)] = epoch
        self._ledger.mutate(heir, epoch, donor, self._mutated(heir, epoch, self._ledger.values(donor)))

    def checkpoint(self, heir: int, version_of: VersionOf) -> Path | None:
        """Return the checkpoint that an heir goes on from; None where it has its own."""
        mutations = self._ledger.mutations(heir)
        return version_of(mutations[-1]["donor"]).after(mutations[-1]["epoch"]) if mutations else None

    def tidy(self) -> None:
        """Delete the donors' checkpoints: nobody takes over any more."""
        self._tidy(math.inf)

    def _tidy(self, before: float) -> None:
        """Delete those of earlier epochs: the whole population is past them."""
        for path in [path for path, epoch in self._kept.items() if epoch < before]:
            path.unlink(missing_ok=True)
            del self._kept[path]

    def _mutated(self, heir: int, epoch: int, values: Mapping[str, Value]) -> dict[str, Value]:
        rng = random.Random(f"{self._seed} {heir} {epoch}")  # noqa: S311 - not for secrets
        for _ in range(N_TRIES):
            mutated = explore(self._dimensions, values, rng, self._resample_probability)
            if self._ledger.allows(mutated):
                return mutated
        return dict(values)
