"""Ray Client (``ray://``): trials are run from this process there, too.

Ray 2.60's Tuner sends itself to the head node when it finds a client, and there is no controller there. The part of it
that runs trials can be told to stay; what it then lacks is a folder of its own, which it takes from a node of Ray's.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ray
from ray.train._internal import storage
from ray.tune import Tuner
from ray.tune.impl.tuner_internal import TunerInternal

from tune.internals.patch import patch_attribute

FOLDER_OF_SESSION = "_get_ray_train_session_dir"


@contextlib.contextmanager
def keep_tuner_local(folder: str) -> Iterator[Callable[..., Any]]:
    """Give what makes a tuner that calls the controller in this process; ``folder`` is for its own files."""
    if not ray.util.client.ray.is_connected():
        yield Tuner
        return
    with patch_attribute(storage, FOLDER_OF_SESSION, lambda: folder):
        yield partial(TunerInternal, _tuner_kwargs={"_remote": False})
