"""Put a seed in force in a program that seeds itself: its own seeds become others, one for each of ours.

What varies is what the *global* generators decide (Python's, NumPy's, torch's): initial weights, the order of batches,
dropout, and a split or noise drawn from them. A generator that the program makes and seeds for itself
(``torch.Generator().manual_seed(0)``, ``np.random.default_rng(0)``, ``random_state=0``) keeps its seed: that is how
programs say which data they train on, and a retraining under other seeds is to compare values on the same data.
"""

import contextlib
import functools
import hashlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

SEEDERS: tuple[tuple[Any, str], ...] = (
    (random, "seed"),
    (np.random, "seed"),
    (torch, "manual_seed"),
    (torch.random, "manual_seed"),
    (torch.cuda, "manual_seed"),
    (torch.cuda, "manual_seed_all"),
)
"""All that seeds a global generator; Lightning's ``seed_everything`` goes through these."""


@contextlib.contextmanager
def reseeded(seed: int) -> Iterator[None]:
    """Mix ``seed`` into every seed that is given to a global generator.

    Different seeds of the program stay different, and the same one stays the same: a program that seeds anew before
    each part of its work still does.
    """
    before = [(owner, name, getattr(owner, name)) for owner, name in SEEDERS]
    for owner, name, function in before:
        setattr(owner, name, _mixing(function, seed))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _mixing(function: Callable[..., Any], ours: int) -> Callable[..., Any]:
    @functools.wraps(function)
    def replacement(*args: Any, **given: Any) -> Any:
        if args:
            args = (_mixed(args[0], ours), *args[1:])
        else:
            given = {name: value if name == "version" else _mixed(value, ours) for name, value in given.items()}
        return function(*args, **given)

    return replacement


def _mixed(seed: Any, ours: int) -> Any:
    """Return another seed, in NumPy's range; None asks for a random one, and does so still."""
    if seed is None:
        return None
    digest = hashlib.sha256(f"{seed!r} under {ours}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
