"""What every contestant of a benchmark is given, as a file: the same program, constants, epochs and workers."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One search of one contestant."""

    program: str
    """A dotted module with one LightningModule and `dataloaders()`; its constants are read when these are called."""
    metric: str
    mode: str
    """`min` or `max`."""
    constants: dict[str, dict[str, list[Any]]]
    """Each constant's kind and arguments, as a space file writes them: `{"LR": {"loguniform": [1e-4, 1e-1]}}`."""
    n_trials: int
    epochs: int
    """Of each trial that nobody stops."""
    grid: bool
    """Whether every combination is trained once, to its end; else the contestant draws, and stops trials as it does."""
    seed: int = 0
    n_workers: int = 2
    folder: str = ""
    """Where everything is written; empty until the search begins."""

    def write(self, path: Path) -> None:
        """Write it down for a process of its own."""
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: str) -> "Assignment":
        """Return what was written."""
        return cls(**json.loads(Path(path).read_text()))

    @property
    def file(self) -> str:
        """The path of the program's file."""
        return str(ROOT / (self.program.replace(".", "/") + ".py"))
