"""Ray's addresses, its token, its client and its key-value store. Ray Tune is imported late: it takes a second."""

import contextlib
import functools
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
NAMES_FILE = "RAY_AUTH_TOKEN_PATH"
TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", NAMES_FILE)
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


@contextlib.contextmanager
def own_token(folder: str) -> Iterator[None]:
    """Have a token before Ray makes one, which Ray would let all read; it is in the user's home folder.

    Where that folder cannot be written, as in many containers, the token is in ``folder``; Ray is told so meanwhile.
    """
    if is_token_disabled() or any(os.environ.get(name) for name in TOKEN_VARIABLES):
        yield
        return
    try:
        create_token(TOKEN_FILE.expanduser())
    except (OSError, RuntimeError):  # RuntimeError: nobody knows of a home folder
        file = Path(folder) / TOKEN_FILE.name
        create_token(file)
        os.environ[NAMES_FILE] = str(file)
    try:
        yield
    finally:
        os.environ.pop(NAMES_FILE, None)


def create_token(file: Path) -> None:
    """Write a token where none is; one that is there becomes its owner's alone. Raise OSError where neither can be."""
    if _is_readable(file):
        with contextlib.suppress(OSError):
            file.chmod(0o600)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(new_token())
        os.link(aside, file)  # whole, or not at all: two searches may start at a time
    except FileExistsError:
        if not _is_readable(file):
            raise
    finally:
        aside.unlink(missing_ok=True)


def _is_readable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.R_OK)


@functools.cache
def new_token() -> str:
    """Return a token, in a process always the same: Ray reads it once, and a process may start several Rays."""
    return secrets.token_hex(32)


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
