"""Divide a cluster that was joined among trials."""

import math
import time
from collections.abc import Sequence

from tune.cluster.resources import JoinedCluster, Node, Resources, count_gpu_slots, spread_trials
from tune.cluster.strategies import add_process_defaults, count_processes
from tune.errors import OptionError
from tune.space.settings import AUTO, Settings

LOOK_S = 2.0
"""So often the nodes are counted again while trials run; Ray is asked for a next trial many times a second."""
SLACK = 1e-9


def plan_cluster(settings: Settings, reached: JoinedCluster, n_workers: int = 0) -> Resources:
    """Divide a cluster as ``plan_resources`` divides a machine; without `concurrency` it grows with the cluster.

    Raises OptionError at what no node can ever meet, for Ray would wait for one for ever.
    """
    known = (*reached.nodes, *reached.startable)
    settings = add_process_defaults(settings, int(max(node.gpus for node in known)) if known else 0)
    share = _share_of_nodes(settings, known)
    cpus = settings.cpus_per_trial or _cpus_of_nodes(n_workers, share, known)
    _check_node_capacity(cpus, share, known)
    share = _spread_on_nodes(settings, cpus, share, reached)
    slots = _Slots(reached, cpus, share, settings.trials)
    return Resources(
        n_cores=int(sum(node.cpus for node in reached.nodes)),
        gpus=(),  # Ray chooses on each node
        cpus_per_trial=cpus,
        gpus_per_trial=share,
        concurrency=settings.concurrency or slots(),
        workers_per_trial=count_processes(settings),
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


def _spread_on_nodes(settings: Settings, cpus: float, share: float, reached: JoinedCluster) -> float:
    """Return a share with which no GPU is idle while trials share another one."""
    n_gpus = sum(int(node.gpus) for node in reached.nodes)
    if not 0 < share < 1 or not n_gpus or reached.startable:  # trials that wait for a larger one would start nodes
        return share
    fit = sum(count_node_slots(node, cpus, share) for node in reached.nodes)
    wanted = min(settings.concurrency or fit, settings.trials)
    at_a_time, larger = spread_trials(wanted, n_gpus, is_fixed=settings.concurrency is not None)
    is_larger = sum(count_node_slots(node, cpus, larger) for node in reached.nodes) >= at_a_time
    return max(share, larger) if is_larger else share


def _cpus_of_nodes(n_workers: int, share: float, known: Sequence[Node]) -> float:
    """Return the cores that a trial gets: one for each DataLoader worker, as far as they go round on each node."""
    taken = [(node.cpus, count_gpu_slots(share, int(node.gpus)) if share else 1) for node in known]
    return max(1, min([n_workers, *(int(cpus / slots) for cpus, slots in taken if slots and cpus >= 1)]))


def count_node_slots(node: Node, cpus: float, share: float) -> int:
    """Return how many trials fit on a node, or on all of a kind: none is spread over two."""
    by_cpu = int(node.cpus / cpus + SLACK)
    return node.count * (min(by_cpu, count_gpu_slots(share, int(node.gpus))) if share else by_cpu)


def _check_node_capacity(cpus: float, share: float, known: Sequence[Node]) -> None:
    if any(count_node_slots(node, cpus, share) for node in known):
        return
    there = "; ".join(dict.fromkeys(f"{node.name} has {node.cpus:g} and {node.gpus:g}" for node in known)) or "no node"
    asked = f"{cpus:g} CPU cores and {share:g} GPU{'' if share == 1 else 's'}" if share else f"{cpus:g} CPU cores"
    what = f"a trial asks for {asked}, and no node has as much (CPU cores and GPUs: {there})"
    hint = "Ask for less with --cpus-per-trial and --gpus-per-trial, or add a node that has it."
    raise OptionError("--address", what, hint)


class _Slots:
    """Counts the trials that fit at this moment; nodes that may be started count: waiting trials are why they are."""

    def __init__(self, reached: JoinedCluster, cpus: float, share: float, trials: int) -> None:
        self._reached = reached
        self._cpus = cpus
        self._share = share
        self._trials = trials
        self._looked = -math.inf
        self._found = 1

    def __call__(self) -> int:
        if time.monotonic() - self._looked >= LOOK_S:
            now, then = self._count_on_nodes(self._reached.living()), self._count_on_nodes(self._reached.startable)
            self._found = max(1, min(max(now, then), self._trials))
            self._looked = time.monotonic()
        return self._found

    def _count_on_nodes(self, nodes: Sequence[Node]) -> int:
        return sum(count_node_slots(node, self._cpus, self._share) for node in nodes)
