"""Ray's addresses, its token, its client and its key-value store. Ray Tune is imported late: it takes a second."""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ray._private import services
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

from tune.internals.private_apis import patch_attribute

LOOPBACK = "127.0.0.1"
TOKEN_FILE = Path("~/.ray/auth_token")
TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""Where the user may have put a token of his own; Ray then makes none."""
MODE = "RAY_AUTH_MODE"


@contextlib.contextmanager
def bind_to_loopback() -> Iterator[dict[str, str]]:
    """Give arguments of ``ray.init`` that make GCS, raylet, workers, agents and metrics listen on the loopback address.

    Ray 2.60 takes ``_node_ip_address``, and puts the address of the network card in the place of a loopback address,
    for a cluster could not grow then. Ours is not to grow. ``private_apis`` refuses a Ray that has no such function.
    """
    with patch_attribute(services, "resolve_ip_for_localhost", lambda host: host):
        yield {"_node_ip_address": LOOPBACK}


def create_token() -> None:
    """Write Ray's token before Ray does, who would let all read it; one that is there becomes its owner's alone."""
    if is_token_disabled() or any(os.environ.get(name) for name in TOKEN_VARIABLES):
        return
    file = TOKEN_FILE.expanduser()
    with contextlib.suppress(OSError):  # no home to write to: Ray says what it makes of that
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
            try:
                with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                    out.write(secrets.token_hex(32))
                os.link(aside, file)  # whole, or not at all: two searches may start at a time
            finally:
                aside.unlink(missing_ok=True)
        file.chmod(0o600)


def is_token_disabled() -> bool:
    """Tell whether the user turned Ray's token off."""
    return os.environ.get(MODE, "").lower() == "disabled"


FOLDER_OF_SESSION = "_get_ray_train_session_dir"


@contextlib.contextmanager
def keep_tuner_local(folder: str) -> Iterator[Callable[..., Any]]:
    """Give what makes a tuner that calls the controller in this process; ``folder`` is for its own files.

    Ray 2.60's Tuner sends itself to the head node when it finds a client (``ray://``), and there is no controller
    there. The part of it that runs trials can be told to stay; what it then lacks is a folder of its own, which it
    takes from a node of Ray's.
    """
    import ray
    from ray.train._internal import storage
    from ray.tune import Tuner
    from ray.tune.impl.tuner_internal import TunerInternal

    if not ray.util.client.ray.is_connected():
        yield Tuner
        return
    with patch_attribute(storage, FOLDER_OF_SESSION, lambda: folder):
        yield partial(TunerInternal, _tuner_kwargs={"_remote": False})


NAMESPACE = b"promotune"
"""Of our keys in Ray's key-value store: trials wait at one for the pre-flight, and the driver clears it."""
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
