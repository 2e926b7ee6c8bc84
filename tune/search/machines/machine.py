"""Where trials run: on this machine, or on a Ray cluster that is joined."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tune.errors import OptionError
from tune.promotion.program import Program
from tune.search.machines.address import check_answers, door_of
from tune.search.machines.nodes import Reached
from tune.search.machines.resources import Resources, plan_resources
from tune.space.settings import Settings


class Machine(Protocol):
    """Gives each trial its share."""

    def resources(self, settings: Settings, program: Program, storage: Path, n_workers: int) -> Resources:
        """Divide it; raise OptionError when there is less than was asked for.

        ``n_workers``: of the program's DataLoaders.
        """


@dataclass(frozen=True, slots=True)
class ThisMachine:
    """The one that the command runs on."""

    gpus: tuple[int, ...] | None
    """Indices of those to use; None: all."""

    def resources(self, settings: Settings, program: Program, storage: Path, n_workers: int) -> Resources:
        """Divide it."""
        return plan_resources(settings, self.gpus, n_workers)


@dataclass(frozen=True, slots=True)
class OtherMachines:
    """A cluster, which is joined when it is asked for its resources: what can be told without it was told by then."""

    address: str
    until: contextlib.ExitStack
    """When the cluster is left."""
    tell: Callable[[str], None]

    def resources(self, settings: Settings, program: Program, storage: Path, n_workers: int) -> Resources:
        """Join the cluster and divide it; raise OptionError too where its nodes cannot do what is asked."""
        door = door_of(self.address)
        if door is not None:
            check_answers(door)
        from tune.search.machines.join import joined  # imports Ray

        self.tell(f"joining {self.address}")
        resources = self.until.enter_context(joined(self.address, settings, program, storage, n_workers))
        if resources.reached is not None:
            self.tell(_told(resources.reached))
        return resources


@contextlib.contextmanager
def machine(address: str | None, gpus: tuple[int, ...] | None, tell: Callable[[str], None]) -> Iterator[Machine]:
    """Give the machine that is meant; a cluster is left at the end. Raise OptionError at what cannot be meant."""
    if address is None:
        if gpus is not None and "ray" in sys.modules and sys.modules["ray"].is_initialized():
            what = "Ray runs already in this process, and has its GPUs"
            hint = "Call `ray.shutdown()` first, or start Ray with CUDA_VISIBLE_DEVICES set, and leave `gpus` out."
            raise OptionError("--gpu", what, hint)
        yield ThisMachine(gpus)
        return
    if gpus is not None:
        what = "GPUs are named by their place in one machine, and --address means a cluster"
        raise OptionError("--gpu", what, "Say with --gpus-per-trial how many a trial takes; Ray chooses them.")
    door_of(address)
    with contextlib.ExitStack() as until:
        yield OtherMachines(address, until, tell)


def _told(reached: Reached) -> str:
    return "the project travels to the nodes" if reached.travels else "all nodes see the project's folder"
