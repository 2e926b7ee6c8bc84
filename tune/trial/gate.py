"""A gate that the pre-flight opens for the workers that wait, warm, on any machine of the cluster."""

import threading

from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

NAMESPACE = b"promotune"
POLL_S = 0.05


def open_gate(name: str) -> None:
    """Let everyone pass, now and later."""
    _internal_kv_put(name.encode(), b"open", namespace=NAMESPACE)


def wait_at(name: str, stopped: threading.Event) -> None:
    """Return once the gate is open; raise SystemExit when the trial is stopped before that."""
    while _internal_kv_get(name.encode(), namespace=NAMESPACE) is None:
        if stopped.wait(POLL_S):
            raise SystemExit(0)
