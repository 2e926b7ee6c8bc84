"""A gate that the pre-flight opens, or closes, for the actors that wait, on any machine of the cluster."""

import time

from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

NAMESPACE = b"promotune"
POLL_S = 0.05


OPEN, CLOSED = b"open", b"closed"


def open_gate(name: str) -> None:
    """Let everyone pass, now and later."""
    _internal_kv_put(name.encode(), OPEN, namespace=NAMESPACE)


def close_gate(name: str) -> None:
    """Send everyone away."""
    _internal_kv_put(name.encode(), CLOSED, namespace=NAMESPACE)


def wait_for_gate(name: str) -> bool:
    """Return True once the gate is open, False when it is closed."""
    while (state := _internal_kv_get(name.encode(), namespace=NAMESPACE)) is None:
        time.sleep(POLL_S)
    return bool(state == OPEN)
