"""Each process of a trial takes its share of the data in the order that the program says.

Lightning shuffles what training takes whenever several processes share it, even where the program has
``shuffle=False``: then a trial of two would not be what it is in one.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from torch.utils.data import SequentialSampler

from tune.trial.replaced import replaced


@contextlib.contextmanager
def shuffled_as_said(package: ModuleType) -> Iterator[None]:
    """Let Lightning shuffle only what the program shuffles; samplers of the program's own it leaves as they are."""
    connector: Any = importlib.import_module(f"{package.__name__}.trainer.connectors.data_connector")
    name = "_get_distributed_sampler"  # there is no other word: the next one up is the loader's
    with replaced(connector, name, _as_said(getattr(connector, name))):
        yield


def _as_said(sampler_of: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(sampler_of)
    def replacement(dataloader: Any, shuffle: bool, *args: Any, **given: Any) -> Any:
        shuffled = shuffle and not isinstance(dataloader.sampler, SequentialSampler)
        return sampler_of(dataloader, shuffled, *args, **given)

    return replacement
