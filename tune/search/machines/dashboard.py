"""Ray's dashboard, started beside the rest of Ray, which would wait two seconds for it before it starts anything else.

Linux ends a process of Ray's with the thread that started it, so that a driver that is killed leaves none: the thread
stays for as long as Ray does.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ray._private.node import Node

NICENESS = 15
"""As that of the trials, which Ray gives them: it is not to keep them from starting."""
STARTING_S = 10
"""So long the end of a search waits for a dashboard that is still starting, which would come up with no Ray left."""


class Dashboard:
    """The dashboard of one Ray."""

    def __init__(self, on_ready: Callable[[str], None]) -> None:
        """``on_ready`` hears its address, ``127.0.0.1:8265``, from another thread; never, where it does not start."""
        self._on_ready = on_ready
        self._tried = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Start it beside the Ray that is started within."""
        start = Node.start_api_server

        def start_aside(node: Any, **how: Any) -> None:
            run = functools.partial(self._run, node, functools.partial(start, node, **how))
            self._thread = threading.Thread(target=run, name="dashboard", daemon=True)
            self._thread.start()

        Node.start_api_server = start_aside
        try:
            yield
        finally:
            Node.start_api_server = start

    def _run(self, node: Any, start: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(OSError):  # elsewhere than on Linux a thread has no niceness of its own
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
            start()
        finally:
            self._tried.set()
        try:
            if node.webui_url:
                self._on_ready(node.webui_url)
        finally:
            self._over.wait()

    @contextlib.contextmanager
    def ended(self) -> Iterator[None]:
        """Let it be up before Ray ends within, and let go of it after."""
        if self._thread is not None:
            self._tried.wait(STARTING_S)
        try:
            yield
        finally:
            self._over.set()
