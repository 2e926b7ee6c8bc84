"""Which of a trial's processes this one is, and how they find each other.

To Lightning they are the processes of one node that somebody else has started, as ``torchrun`` would: each sees all of
the trial's GPUs, and takes the one of its rank. The process group is made here, before the program runs: Lightning and
torch would let its store listen on every interface, on a port that they guess to be free.
"""

import contextlib
import importlib
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import torch
from torch import distributed

LOOPBACK = "127.0.0.1"
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
"""Where torch looks for the interface that its processes talk over."""
STARTING = re.compile("_(spawn|fork|notebook)")
"""Part of the name of a strategy that starts processes in some way."""
MEETING_S = 300
"""How long a process waits for the others to come."""
SILENCE_S = 1800
"""How long one waits for the others in a step, as in torch; a process that is gone is noticed at once."""
LEAVING_S = 10
"""How long a process group may take to end; NCCL's may never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributedContext:
    """One process of a trial."""

    rank: int = 0
    n_ranks: int = 1
    """1: the trial is this process alone."""

    @property
    def is_rank_zero(self) -> bool:
        """Whether it is the one that reports, and writes the version."""
        return self.rank == 0

    def build_environment(self, port: int) -> dict[str, str]:
        """Return what ``torchrun`` would set; programs, and Lightning, read it."""
        return {
            "RANK": str(self.rank),
            "LOCAL_RANK": str(self.rank),
            "NODE_RANK": "0",
            "WORLD_SIZE": str(self.n_ranks),
            "LOCAL_WORLD_SIZE": str(self.n_ranks),
            "MASTER_ADDR": LOOPBACK,
            "MASTER_PORT": str(port),
        }

    def build_distributed_arguments(self, given: Mapping[str, Any], package: ModuleType) -> dict[str, Any]:
        """Return the Trainer's arguments that make it one of several; none where the trial is one process."""
        if self.n_ranks == 1:
            return {}
        return {
            "devices": self.n_ranks,
            "num_nodes": 1,
            "strategy": _choose_strategy(given.get("strategy")),
            "plugins": _build_plugins(given.get("plugins"), package),
        }


ALONE = DistributedContext()
"""The whole trial is this process."""


def open_store_socket() -> tuple[socket.socket, int]:
    """Return a socket for the store of rank 0, on the loopback address, and its port."""
    listener = socket.socket()
    listener.bind((LOOPBACK, 0))
    listener.listen()
    return listener, listener.getsockname()[1]


@contextlib.contextmanager
def join_process_group(
    context: DistributedContext, port: int, listener: socket.socket | None, *, on_cpu: bool
) -> Iterator[None]:
    """Be one of the process group meanwhile; rank 0 brings the ``listener``. It is left in any case, or given up.

    ``on_cpu``: no process has a GPU. The group is then one of ``gloo``, which Lightning knows by that name.
    """
    os.environ.update(context.build_environment(port))
    if sys.platform == "linux":
        os.environ.update({name: os.environ.get(name, "lo") for name in INTERFACES})
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        LOOPBACK,
        port,
        context.n_ranks,
        context.is_rank_zero,
        timedelta(seconds=MEETING_S),
        wait_for_workers=False,
        master_listen_fd=None if listener is None else listener.detach(),
    )
    distributed.init_process_group(
        "gloo" if on_cpu or not torch.cuda.is_available() else "cpu:gloo,cuda:nccl",
        store=store,
        rank=context.rank,
        world_size=context.n_ranks,
        timeout=timedelta(seconds=SILENCE_S),
    )
    try:
        yield
    finally:
        # End the process group; a thread does it, for what another process left undone may keep it waiting
        thread = threading.Thread(target=distributed.destroy_process_group, name="leave", daemon=True)
        thread.start()
        thread.join(LEAVING_S)


def gather_from_ranks(value: Any, n_ranks: int) -> list[Any]:
    """Return what each process holds, in the order of their ranks; all of them have to ask."""
    held = [value] * n_ranks
    if n_ranks > 1:
        distributed.all_gather_object(held, value)
    return held


def _choose_strategy(given: Any) -> Any:
    """Return the program's or the space's strategy, as one whose processes run already."""
    if given in (None, "auto", "dp"):
        return "ddp"
    return STARTING.sub("", given) if isinstance(given, str) else given


def _build_plugins(given: Any, package: ModuleType) -> list[Any]:
    """Return the program's plugins, and what says to Lightning that somebody else has started the processes."""
    environments = importlib.import_module(f"{package.__name__}.plugins.environments")
    listed = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
    others = [plugin for plugin in listed if not isinstance(plugin, environments.ClusterEnvironment)]
    return [*others, environments.LightningEnvironment()]
