"""Messages of the process server: a line of JSON to a client, a packet of JSON to a template and from it."""

import contextlib
import json
import socket
from collections.abc import Mapping
from typing import Any

MOST_BYTES = 2**20
"""Of a message."""


def encode_line(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode() + b"\n"


def send_line(client: socket.socket, message: Mapping[str, Any]) -> None:
    """Send a line; a client that is gone is dropped in its turn."""
    with contextlib.suppress(OSError):
        client.sendall(encode_line(message))


def send_packet(channel: socket.socket, message: Mapping[str, Any]) -> None:
    """Send a packet; where the other side is gone, the next message that does not come tells."""
    with contextlib.suppress(OSError):
        channel.send(json.dumps(message).encode())
