"""What all actors of a search find in Ray's key-value store: the job, and whether the pre-flight is over.

The job of a search, left where every actor finds it once.

In each trial's config, a large program's source would go along each time.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ray import cloudpickle
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from tune.trial.messages import Job

NAMESPACE = b"promotune"
POLL_S = 0.05


OPEN, CLOSED = b"open", b"closed"


def publish_preflight_result(name: str, found: Mapping[str, Any]) -> None:
    """Let everyone pass, now and later, with what the pre-flight found, as JSON has it."""
    _internal_kv_put(name.encode(), OPEN + json.dumps(found).encode(), namespace=NAMESPACE)


def cancel_waiting_trials(name: str) -> None:
    """Send everyone away."""
    _internal_kv_put(name.encode(), CLOSED, namespace=NAMESPACE)


def wait_for_preflight(name: str) -> dict[str, Any] | None:
    """Return what the pre-flight found, once the gate is open; None when it is closed."""
    while (state := _internal_kv_get(name.encode(), namespace=NAMESPACE)) is None:
        time.sleep(POLL_S)
    return _decode_result(state)


def read_preflight_result(name: str) -> dict[str, Any] | None:
    """Return what a pre-flight found; None where there was none."""
    return _decode_result(_internal_kv_get(name.encode(), namespace=NAMESPACE))


def _decode_result(state: bytes | None) -> dict[str, Any] | None:
    if state is None or not state.startswith(OPEN):
        return None
    found: dict[str, Any] = json.loads(state.removeprefix(OPEN))
    return found


@contextlib.contextmanager
def publish_job(job: Job, is_lost: Callable[[], bool]) -> Iterator[str]:
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
