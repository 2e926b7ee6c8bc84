"""Who takes part, and how each is started."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environment import hydra_python


def _python() -> Path:
    return Path(sys.executable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One way to run a search."""

    name: str
    module: str
    """It is started with ``python -m``, and given the path of an assignment."""
    options: tuple[str, ...] = ()
    python: Callable[[], Path] = _python
    """The interpreter; one of a virtual environment of its own is made when it is first asked for."""

    def command(self, assignment: Path) -> list[str]:
        """Return what starts it."""
        return [str(self.python()), "-m", self.module, str(assignment), *self.options]


LIMIT = Contestant(name="limit", module="benchmarks.peers.limit")
RANDOM = Contestant(name="random", module="benchmarks.peers.limit")
OURS = Contestant(name="ours", module="benchmarks.peers.ours")
OPTUNA = Contestant(name="Optuna", module="benchmarks.peers.optuna_study")
RAY = Contestant(name="Ray's tutorial", module="benchmarks.peers.ray_tune")
RAY_REUSE = Contestant(name="Ray, reuse", module="benchmarks.peers.ray_tune", options=("--reuse",))
HYDRA = Contestant(name="Hydra", module="benchmarks.peers.hydra_sweep", python=hydra_python)
