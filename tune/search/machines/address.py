"""The address of a cluster that is to be joined. Nothing here needs Ray."""

import socket

from tune.errors import OptionError
from tune.places import is_url

AUTO, CLIENT = "auto", "ray://"
ANSWER_S = 5.0
"""So soon a cluster that is there takes a connection; Ray itself would try for minutes."""


def door_of(address: str) -> str | None:
    """Return ``host:port``; None of ``auto``, which Ray knows. Raise OptionError where the text is no address."""
    if address == AUTO:
        return None
    door = address.removeprefix(CLIENT)
    host, _, port = door.rpartition(":")
    if is_url(door) or not host or not port.isdecimal():
        hint = "Write auto, HOST:6379, or ray://HOST:10001."
        raise OptionError("--address", f"this is no address of a cluster, got {address!r}", hint)
    return door


def check_answers(door: str) -> None:
    """Raise OptionError where nobody answers."""
    host, _, port = door.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = f"no cluster answers at {door}: {reason}"
        raise OptionError("--address", what, "Is it running, and does a firewall let this machine reach it?") from error
