"""The addresses that Ray listens on, and its token. Imports no Ray Tune, which takes a second: Ray starts meanwhile."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ray._private import services

from tune.internals.patch import patch_attribute

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
