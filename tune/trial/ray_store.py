"""Where the trials of a search wait for its pre-flight: a key of Ray's key-value store, which its driver clears."""

import json
import time
from collections.abc import Mapping
from typing import Any

from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

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
