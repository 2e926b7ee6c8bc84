"""Which samples a fit is validated on: trials on different ones cannot be compared.

A split that draws from the global random numbers, as ``random_split`` does by itself, changes with all that was drawn
before it: a model of another width draws other numbers of them, and the same seed gives another validation set.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Dataset, Subset, SubsetRandomSampler

from tune.trial.lightning.holdout import HeldSubset

UNKNOWN = ""
MOST_SAMPLES = 10_000_000
"""Of more it would take seconds to tell."""


def digest_samples(loaders: Any) -> str:
    """Return a digest of the indices of a split's samples, in any order; UNKNOWN where no loader has a split.

    ``loaders``: as the program gave them, one or several in a dict, a list, or Lightning's CombinedLoader.
    """
    found = [_find_indices(loader) for loader in flatten_loaders(loaders)]
    if all(indices is None for indices in found):
        return UNKNOWN
    digest = hashlib.blake2b(digest_size=8)
    for indices in found:
        digest.update(b"?" if indices is None else np.sort(indices).tobytes())
    return digest.hexdigest()


def flatten_loaders(loaders: Any) -> Iterator[Any]:
    """Yield each loader, of however many a program has, in whatever it has them."""
    match loaders:
        case dict():
            for each in loaders.values():
                yield from flatten_loaders(each)
        case list() | tuple():
            for each in loaders:
                yield from flatten_loaders(each)
        case _ if hasattr(loaders, "flattened"):  # Lightning's CombinedLoader
            yield from loaders.flattened
        case _:
            yield loaders


def _find_indices(loader: Any) -> np.ndarray | None:
    """Return the indices of a loader's samples in the dataset below all splits, int64; None where there is no split."""
    try:
        indices = _find_subset_indices(getattr(loader, "dataset", None))
        sampler = getattr(loader, "sampler", None)
        if isinstance(sampler, SubsetRandomSampler):
            drawn = np.asarray(sampler.indices, dtype=np.int64)
            indices = drawn if indices is None else indices[drawn]
    except Exception:  # whatever the program's own classes raise: a look at its data is to fail no trial
        return None
    return indices if indices is None or len(indices) <= MOST_SAMPLES else None


def _find_subset_indices(dataset: Any) -> np.ndarray | None:
    if isinstance(dataset, HeldSubset):  # which part of the program's own is held out follows from its length alone
        return _find_subset_indices(dataset.dataset)
    if not isinstance(dataset, Subset):
        inner = [each for each in getattr(dataset, "__dict__", {}).values() if isinstance(each, Dataset)]
        return _find_subset_indices(inner[0]) if len(inner) == 1 else None  # it wraps a split, to transform its samples
    indices = np.asarray(dataset.indices, dtype=np.int64)
    below = _find_subset_indices(dataset.dataset)
    return indices if below is None else below[indices]
