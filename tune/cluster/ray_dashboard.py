"""Ray's dashboard, started behind the rest of Ray, which would wait two seconds for it before it starts anything else.

It comes later than it could: the first values of the first trials are what everybody waits for. The autoscaler
comes behind it: here it only tells the dashboard how the cluster is. Linux ends a process of Ray's with the thread that
started it, so that a driver that is killed leaves none: the thread stays for as long as Ray does.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ray._private.node import Node

from tune.internals.private_apis import patch_attribute

HEAD_START_S = 20
"""So long trials have the machine for themselves: to start it takes three seconds of CPU, in which trials on two cores
train a fifth slower. A search that is over by then does without."""
PATIENCE_S = 10
"""So long the end of a search waits for a dashboard that still starts: this process's next Ray is not to meet it."""


class Dashboard:
    """The dashboard of one Ray."""

    def __init__(self, on_ready: Callable[[str], None]) -> None:
        """``on_ready`` hears its address, ``127.0.0.1:8265``, from another thread; never, where it does not start."""
        self._on_ready = on_ready
        self._unwanted = threading.Event()
        """Set for the thread: nothing more is to start."""
        self._tried = threading.Event()
        """Set by the thread."""
        self._over = threading.Event()
        """Set for the thread."""
        self._starts: list[Callable[[], None]] = []
        self._node: Any = None
        self._started = False

    @contextlib.contextmanager
    def defer_start(self) -> Iterator[None]:
        """Let the Ray that is started within leave it to ``start``; one with other words for it starts it as ever."""
        start, start_monitor = (getattr(Node, name, None) for name in ("start_api_server", "start_monitor"))
        if start is None or start_monitor is None:
            yield
            return

        def start_later(node: Any, *arguments: Any, **how: Any) -> None:
            self._node = node
            self._starts = [functools.partial(start, node, *arguments, **how), functools.partial(start_monitor, node)]

        with (
            patch_attribute(Node, "start_api_server", start_later),
            patch_attribute(Node, "start_monitor", lambda node: None),
        ):
            yield

    def start_in_thread(self) -> None:
        """Start it soon, in a thread, with the environment that is then."""
        if self._starts:
            self._started = True
            threading.Thread(target=self._start_deferred, name="dashboard", daemon=True).start()

    def _start_deferred(self) -> None:
        self._unwanted.wait(HEAD_START_S)
        try:
            for start in self._starts:
                if not self._unwanted.is_set():
                    start()
        finally:
            self._tried.set()
        try:
            if self._node.webui_url and not self._unwanted.is_set():
                self._on_ready(self._node.webui_url)
        finally:
            self._over.wait()

    def stop_at_once(self) -> None:
        """Let go of it at once: it ends with its thread."""
        self._unwanted.set()
        self._over.set()

    @contextlib.contextmanager
    def stop_with_ray(self) -> Iterator[None]:
        """Let it be up, or not start any more, before Ray ends within, and let go of it after.

        The autoscaler is ended first: Ray would ask it to end, wait a second in vain, and do the same.
        """
        self._unwanted.set()
        if self._started and not self._over.is_set():
            self._tried.wait(PATIENCE_S)
            self._node.kill_monitor(check_alive=False)
        try:
            yield
        finally:
            self._over.set()
