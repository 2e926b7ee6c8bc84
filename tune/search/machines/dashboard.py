"""Ray's dashboard, started beside the rest of Ray, which would wait two seconds for it before it starts anything else.

The autoscaler comes behind it: here it only tells the dashboard how the cluster is. Linux ends a process of Ray's with
the thread that started it, so that a driver that is killed leaves none: the thread stays for as long as Ray does.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ray._private.node import Node

from tune.trial.replaced import replaced

PATIENCE_S = 10
"""So long the end of a search waits for a dashboard that still starts: this process's next Ray is not to meet it."""


class Dashboard:
    """The dashboard of one Ray."""

    def __init__(self, on_ready: Callable[[str], None]) -> None:
        """``on_ready`` hears its address, ``127.0.0.1:8265``, from another thread; never, where it does not start."""
        self._on_ready = on_ready
        self._tried = threading.Event()
        """Set by the thread."""
        self._over = threading.Event()
        """Set for the thread."""
        self._thread: threading.Thread | None = None
        self._node: Any = None

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Start it beside the Ray that is started within; a Ray that has other words for it starts it as ever."""
        start, start_monitor = (getattr(Node, name, None) for name in ("start_api_server", "start_monitor"))
        if start is None or start_monitor is None:
            yield
            return

        def start_aside(node: Any, *arguments: Any, **how: Any) -> None:
            self._node = node
            starts = functools.partial(start, node, *arguments, **how), functools.partial(start_monitor, node)
            self._thread = threading.Thread(target=self._run, args=starts, name="dashboard", daemon=True)
            self._thread.start()

        with replaced(Node, "start_api_server", start_aside), replaced(Node, "start_monitor", lambda node: None):
            yield

    def _run(self, start: Callable[[], None], start_monitor: Callable[[], None]) -> None:
        try:
            start()
            if not self._over.is_set():
                start_monitor()
        finally:
            self._tried.set()
        try:
            if self._node.webui_url and not self._over.is_set():
                self._on_ready(self._node.webui_url)
        finally:
            self._over.wait()

    def leave(self) -> None:
        """Let go of it at once: it ends with its thread."""
        self._over.set()

    @contextlib.contextmanager
    def ended(self) -> Iterator[None]:
        """Let it be up before Ray ends within, and let go of it after.

        The autoscaler is ended first: Ray would ask it to end, wait a second in vain, and do the same.
        """
        if self._thread is not None and not self._over.is_set():
            self._tried.wait(PATIENCE_S)
            self._node.kill_monitor(check_alive=False)
        try:
            yield
        finally:
            self._over.set()
