"""A gate that the pre-flight opens, or closes, for the actors that wait, on any machine of the cluster."""

import json
import time
from collections.abc import Mapping
from typing import Any

from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

NAMESPACE = b"promotune"
POLL_S = 0.05


OPEN, CLOSED = b"open", b"closed"


def open_gate(name: str, found: Mapping[str, Any]) -> None:
    """Let everyone pass, now and later, with what the pre-flight found, as JSON has it."""
    _internal_kv_put(name.encode(), OPEN + json.dumps(found).encode(), namespace=NAMESPACE)


def close_gate(name: str) -> None:
    """Send everyone away."""
    _internal_kv_put(name.encode(), CLOSED, namespace=NAMESPACE)


def wait_for_gate(name: str) -> dict[str, Any] | None:
    """Return what the pre-flight found, once the gate is open; None when it is closed."""
    while (state := _internal_kv_get(name.encode(), namespace=NAMESPACE)) is None:
        time.sleep(POLL_S)
    return _found(state)


def look_behind_gate(name: str) -> dict[str, Any] | None:
    """Return what a pre-flight found; None where there was none."""
    return _found(_internal_kv_get(name.encode(), namespace=NAMESPACE))


def _found(state: bytes | None) -> dict[str, Any] | None:
    if state is None or not state.startswith(OPEN):
        return None
    found: dict[str, Any] = json.loads(state.removeprefix(OPEN))
    return found
