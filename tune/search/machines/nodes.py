"""The machines of a cluster that was joined: how many trials they take, and what they can never meet."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tune.errors import OptionError
from tune.search.machines.resources import Resources, gpu_slots
from tune.search.machines.team import for_team, team_size
from tune.space.settings import AUTO, Settings

LOOK_S = 2.0
"""So often the nodes are counted again while trials run; Ray is asked for a next trial many times a second."""
SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine, or one of a kind that the cluster's autoscaler may start."""

    name: str
    """Its address; of a kind its name in the cluster's file."""
    identity: str = ""
    """Ray's own name of a machine."""
    cpus: float
    gpus: float
    count: int = 1
    """How many of a kind may be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A cluster that was joined."""

    address: str
    """As the user gave it."""
    dashboard: str | None
    """``10.0.0.1:8265``; None where there is none."""
    nodes: tuple[Node, ...]
    """As they were then."""
    startable: tuple[Node, ...]
    """All that there is once its autoscaler has started what it may, the head too; empty where there is none."""
    travels: bool
    """Whether the project came to the nodes with Ray; False where they all see its folder."""
    living: Callable[[], Sequence[Node]]
    """Returns the nodes as they are now."""

    @property
    def found(self) -> str:
        """What there is, in words."""
        cpus, gpus = sum(node.cpus for node in self.nodes), sum(node.gpus for node in self.nodes)
        counts = [(len(self.nodes), "node"), (cpus, "CPU core"), (gpus, "GPU")]
        return ", ".join(f"{n:g} {what}{'s' if n != 1 else ''}" if n else f"no {what}" for n, what in counts)


def plan_on(settings: Settings, reached: Reached, n_workers: int = 0) -> Resources:
    """Divide a cluster as ``plan_resources`` divides a machine; without `concurrency` it grows with the cluster.

    Raises OptionError at what no node can ever meet, for Ray would wait for one for ever.
    """
    known = (*reached.nodes, *reached.startable)
    settings = for_team(settings, int(max(node.gpus for node in known)) if known else 0)
    share = _share_of_nodes(settings, known)
    cpus = settings.cpus_per_trial or _cpus_of_nodes(n_workers, share, known)
    _check_fits_nodes(cpus, share, known)
    slots = _Slots(reached, cpus, share, settings.trials)
    return Resources(
        n_cores=int(sum(node.cpus for node in reached.nodes)),
        gpus=(),  # Ray chooses on each node
        cpus_per_trial=cpus,
        gpus_per_trial=share,
        concurrency=settings.concurrency or slots(),
        workers_per_trial=team_size(settings),
        reached=reached,
        slots=None if settings.concurrency else slots,
    )


def _share_of_nodes(settings: Settings, known: Sequence[Node]) -> float:
    match settings.gpus_per_trial:
        case None:
            return float(any(node.gpus >= 1 for node in known) and settings.trainer.get("accelerator") != "cpu")
        case str():
            what = f"{AUTO} is measured on a GPU of this machine, and --address means a cluster"
            raise OptionError("gpus_per_trial", what, "Give a number, such as `--gpus-per-trial 0.5`.")
        case share:
            return share


def _cpus_of_nodes(n_workers: int, share: float, known: Sequence[Node]) -> float:
    """Return the cores that a trial gets: one for each DataLoader worker, as far as they go round on each node."""
    taken = [(node.cpus, gpu_slots(share, int(node.gpus)) if share else 1) for node in known]
    return max(1, min([n_workers, *(int(cpus / slots) for cpus, slots in taken if slots and cpus >= 1)]))


def slots_of(node: Node, cpus: float, share: float) -> int:
    """Return how many trials fit on a node, or on all of a kind: none is spread over two."""
    by_cpu = int(node.cpus / cpus + SLACK)
    return node.count * (min(by_cpu, gpu_slots(share, int(node.gpus))) if share else by_cpu)


def _check_fits_nodes(cpus: float, share: float, known: Sequence[Node]) -> None:
    if any(slots_of(node, cpus, share) for node in known):
        return
    there = "; ".join(dict.fromkeys(f"{node.name} has {node.cpus:g} and {node.gpus:g}" for node in known)) or "no node"
    asked = f"{cpus:g} CPU cores and {share:g} GPU{'' if share == 1 else 's'}" if share else f"{cpus:g} CPU cores"
    what = f"a trial asks for {asked}, and no node has as much (CPU cores and GPUs: {there})"
    hint = "Ask for less with --cpus-per-trial and --gpus-per-trial, or add a node that has it."
    raise OptionError("--address", what, hint)


class _Slots:
    """Counts the trials that fit at this moment; nodes that may be started count: waiting trials are why they are."""

    def __init__(self, reached: Reached, cpus: float, share: float, trials: int) -> None:
        self._reached = reached
        self._cpus = cpus
        self._share = share
        self._trials = trials
        self._looked = -math.inf
        self._found = 1

    def __call__(self) -> int:
        if time.monotonic() - self._looked >= LOOK_S:
            self._found = self._count()
            self._looked = time.monotonic()
        return self._found

    def _count(self) -> int:
        now, then = self._fitting(self._reached.living()), self._fitting(self._reached.startable)
        return max(1, min(max(now, then), self._trials))

    def _fitting(self, nodes: Sequence[Node]) -> int:
        return sum(slots_of(node, self._cpus, self._share) for node in nodes)
