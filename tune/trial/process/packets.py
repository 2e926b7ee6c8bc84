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


def receive_line(client: socket.socket, patience_s: float) -> dict[str, Any]:
    """Return the one line that a client sends; raise OSError or ValueError where none comes, or it is no message."""
    client.settimeout(patience_s)
    with client.makefile() as lines:
        message = json.loads(lines.readline(MOST_BYTES))
    if not isinstance(message, dict):
        raise ValueError("no message")
    return message


def receive_packet(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return a packet and the descriptor that came with it; None where the other side is gone, or nothing waits."""
    with contextlib.suppress(OSError):
        text, descriptors, _, _ = socket.recv_fds(channel, MOST_BYTES, 1)
        if text:
            return json.loads(text), descriptors
    return None, []
