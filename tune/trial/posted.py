"""The job of a search, left where every actor finds it once.

In each trial's config, a large program's source would go along each time.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterator

from ray import cloudpickle
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from tune.trial.gate import NAMESPACE
from tune.trial.task import Job


@contextlib.contextmanager
def posted(job: Job, is_lost: Callable[[], bool]) -> Iterator[str]:
    """Leave a job in Ray's key-value store meanwhile, and give the name that it has there.

    Where Ray ``is_lost`` it would be waited for.
    """
    name = f"job-{secrets.token_hex(8)}"
    _internal_kv_put(name.encode(), cloudpickle.dumps(job), namespace=NAMESPACE)
    try:
        yield name
    finally:
        if not is_lost():
            with contextlib.suppress(Exception):  # what went wrong is to be heard
                _internal_kv_del(name.encode(), namespace=NAMESPACE)


def fetch_job(name: str) -> Job:
    """Return a job that the driver left."""
    found = _internal_kv_get(name.encode(), namespace=NAMESPACE)
    if found is None:
        raise RuntimeError(f"{name} is gone: its driver has ended")
    job: Job = cloudpickle.loads(found)
    return job
