"""Whether a fit begins with weights that an earlier fit trained: fine-tuning does, a fold of cross-validation does not.

Weights are compared by their values, so it does not matter how they came: in one module, from a checkpoint, by
``load_state_dict``, or as a part of another module.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MOST_NUMBERS = 65_536
"""Of a parameter that are looked at: training changes all of it, or nearly all."""


class TrainedWeights:
    """Remembers, by digests, the parameters that fits began with and those that they made of them."""

    def __init__(self) -> None:
        self._initial: set[bytes] = set()
        self._trained: dict[bytes, int] = {}  # the number of the last fit that had it

    @property
    def are_any(self) -> bool:
        """Whether training has changed any parameter so far."""
        return bool(self._trained)

    def begin_fit(self, number: int, module: "torch.nn.Module") -> int | None:
        """Return the last earlier fit that trained what a module holds as this one begins; None where none did."""
        digests = set(_digests(module))
        found = [self._trained[each] for each in digests & self._trained.keys() if self._trained[each] != number]
        self._initial |= digests - self._trained.keys()
        return max(found, default=None)

    def keep(self, number: int, module: "torch.nn.Module") -> None:
        """Remember what a fit has made of the parameters so far."""
        for digest in _digests(module):
            if digest not in self._initial:
                self._trained[digest] = number


def _digests(module: "torch.nn.Module") -> Iterator[bytes]:
    import torch  # in the trial's process alone: others read what it found

    for parameter in module.parameters():
        with contextlib.suppress(RuntimeError, TypeError, ValueError):  # it may have no values yet
            values: Any = parameter.detach().reshape(-1)
            values = values[:: max(1, len(values) // MOST_NUMBERS)].cpu().contiguous()
            if len(values):
                yield hashlib.blake2b(values.view(torch.uint8).numpy().tobytes(), digest_size=16).digest()
