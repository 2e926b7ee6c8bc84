"""Draws a search that does not run, with the keys that steer its experiment, until SIGUSR2."""

import signal
import sys
import threading
from pathlib import Path

from tune.cli.terminal.live_view import LiveView
from tune.cli.terminal.screen import Screen
from tune.paths import ExperimentPaths
from tune.search.progress import Progress


def main(folder):
    over = threading.Event()
    signal.signal(signal.SIGUSR2, lambda *_: over.set())
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores the latter
        signal.signal(number, signal.default_int_handler)
    progress = Progress("max", 20, 2)
    with LiveView(Screen(), progress, title="exp", metric="Score", steers=ExperimentPaths(Path(folder))):
        while not over.wait(0.1):
            pass


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
