"""A single-use process for a trial where forking is not safe: it was started, and imports torch and Lightning ahead."""

import atexit
import socket
import sys
from multiprocessing.connection import Connection

import setproctitle


def main() -> None:
    """Import, wait for a trial on the socket whose descriptor is given, and run it."""
    setproctitle.getproctitle()  # it looks for the place of the title before anything changes the environment
    connection = Connection(socket.socket(fileno=int(sys.argv[1])).detach())
    from tune.trial.process import trial_process

    atexit.register(trial_process.exit_now)
    trial_process.run_child(connection, trial_process.PreparedJob())
