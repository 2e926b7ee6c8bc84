"""A Ray cluster on this machine, for tests: each node is a `ray start`, and dies like a machine."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

RAY = Path(sys.executable).with_name("ray")
OBJECT_STORE_BYTES = 80 * 2**20
READY_S = 180
SERVER = "tune.trial.process.server"
"""Stands in the command of a process server."""
N_TRIES = 3


class Nodes:
    """The nodes; the first one is the head."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: dict[str, psutil.Popen] = {}
        self.port, self.client_port, self.dashboard_port = free_port(), free_port(), free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # Ray's 15 lets workers starve where other tests run
        }

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(
        self, name: str, *, cpus: int, gpus: int = 0, prefix: tuple[str, ...] = (), dashboard: bool = False
    ) -> None:
        """Start a node, and return when it is part of the cluster; its workers have its name in `NODE_NAME`."""
        if self.processes:
            where = ["--address", self.address]
        else:
            where = ["--head", f"--port={self.port}", f"--ray-client-server-port={self.client_port}"]
            where += [f"--include-dashboard={dashboard}", f"--dashboard-port={self.dashboard_port}"]
            where += [f"--temp-dir={self._folder}"]
        sizes = [f"--num-cpus={cpus}", f"--num-gpus={gpus}", f"--object-store-memory={OBJECT_STORE_BYTES}"]
        for n_left in reversed(range(N_TRIES)):
            here = ["--node-ip-address=127.0.0.1", f"--dashboard-agent-listen-port={free_port()}", "--block"]
            told = self._begin(name, [*prefix, str(RAY), "start", *where, *sizes, *here])
            if told is None:
                return
            assert n_left, told

    def _begin(self, name: str, command: list[str]) -> str | None:
        """Start a node's processes; return what it said where it gave up, as it may where the machine is busy."""
        log = self._folder / f"{name}.log"
        with log.open("w") as out:
            started = psutil.Popen(
                command,
                env={**self.environment, "NODE_NAME": name},
                cwd=self._folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.processes[name] = started
        end = time.monotonic() + READY_S
        while "--block" not in (text := log.read_text()):  # what it says last, once it blocks
            if started.poll() is not None or time.monotonic() > end:
                self.kill(name)
                return text
            time.sleep(0.1)
        return None

    def has_server(self, name: str) -> bool:
        """Return whether there is a process server for trials among a node's processes."""
        return any(SERVER in _name(each) for each in self.processes[name].children(recursive=True))

    def kill(self, name: str) -> None:
        """Kill all of a node's processes with -9, the raylet first."""
        process = self.processes.pop(name)
        below = process.children(recursive=True) if process.is_running() else []
        for each in sorted([process, *below], key=lambda each: "raylet" not in _name(each)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(10)
        psutil.wait_procs(below, timeout=10)


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextlib.contextmanager
def nodes():
    """Give a cluster without nodes, and end those that were started."""
    folder = Path(tempfile.mkdtemp(prefix="nodes"))  # short: the path of a socket has 107 characters at most
    cluster = Nodes(folder)
    try:
        yield cluster
    finally:
        for name in reversed(list(cluster.processes)):
            cluster.kill(name)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]
