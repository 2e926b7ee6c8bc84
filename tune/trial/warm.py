"""A worker's libraries, which stay: a million objects that the cyclic collector need not look through.

It would do so some hundred times while they are made, a quarter of the import's time, and again at each trial's end.
"""

import functools
import gc
import importlib

from tune.promotion.pause import collector_paused


@functools.cache
def warm_up() -> None:
    """Import torch, Lightning and all else that runs a trial: seconds, once a process."""
    with collector_paused():
        importlib.import_module("tune.trial.run")
        gc.freeze()


@functools.cache
def settle() -> None:
    """After the first trial, take out of the collector's sight what came with it: libraries of the program, say."""
    gc.freeze()
