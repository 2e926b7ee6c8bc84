"""Searches of small programs, each of which does something to the GPU; and what their trials say of themselves."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tune.cluster.gpus import LOGICAL

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json
import os
import time
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

N = 0
MAX_EPOCHS = 2
CUDA = torch.cuda.is_available()
{head}


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        {init}

    @property
    def is_trial(self):
        return self.trainer.limit_train_batches != 2  # which a pre-flight has

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, idx):
        {step}
        return self(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        {validation}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

{more}


def dataloaders():
    data = TensorDataset(torch.arange(512.0).reshape(64, 8) / 512)
    return DataLoader(data, batch_size=16), DataLoader(data, batch_size=16)
"""
PARTS = {
    "head": "",
    "init": "self.net = nn.Linear(8, 1)",
    "step": "pass",
    "validation": "self.log('Loss/Val', self(batch[0]).square().mean())",
    "more": "",
}
"""What stands in the places of the program."""


@dataclass(frozen=True)
class Searched:
    """A search that ended."""

    records: list[dict[str, Any]]
    """What the trials say of themselves, in the order of their starts."""
    logs: dict[int, str]
    """By trial."""
    output: str
    """All that was printed."""

    def read_numbers(self, word: str) -> dict[int, list[float]]:
        """Return the numbers that programs printed behind a word, by trial."""
        lines = {number: log.splitlines() for number, log in sorted(self.logs.items())}
        return {
            number: [float(line.split()[1]) for line in found if line.startswith(f"{word} ")]
            for number, found in lines.items()
        }


@dataclass(frozen=True)
class Bench:
    """A place for searches, on a GPU or in a rehearsal on the CPU."""

    folder: Path
    is_rehearsal: bool
    """Whether the searches train on the CPU with one logical GPU: to see that the checks run."""
    variables: dict[str, str] = field(default_factory=dict)
    ends_at: float = math.inf
    """When the time is over, by the monotonic clock."""

    def limit_time(self, timeout_s: float) -> float:
        """Return how long something may take, in seconds: no longer than there is time."""
        return max(1.0, min(timeout_s, self.ends_at - time.monotonic()))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process that is started."""
        return {**os.environ, **({LOGICAL: "1"} if self.is_rehearsal else {}), **self.variables}

    def write_program(self, name: str, settings: str, words: Sequence[str], parts: Mapping[str, str]) -> list[str]:
        """Write a program and its space; return the command that searches it."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(PROGRAM.format(**{**PARTS, **parts}), encoding="utf-8")
        space = f"system: {name}.py\nmetric: Loss/Val\nmode: min\n{settings}"
        (folder / f"{name}.yaml").write_text(space, encoding="utf-8")
        on_cpu = ["--trainer.accelerator", "cpu"] if self.is_rehearsal else []
        given = ["--space", f"{name}.yaml", "--storage", str(folder / "storage"), "--no-report"]
        return [sys.executable, str(ROOT / "run_search.py"), *given, *on_cpu, *words]

    def search(
        self, name: str, settings: str, words: Sequence[str] = (), *, timeout_s: float = 120, **parts: str
    ) -> Searched:
        """Search a program with these parts; raise subprocess.TimeoutExpired where that takes too long."""
        command = self.write_program(name, settings, words, parts)
        ran = subprocess.run(
            command,
            cwd=self.folder / name,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=self.limit_time(timeout_s),
            check=False,
        )
        versions = [file.parent for file in (self.folder / name / "storage" / name).glob("*/trial.json")]
        records = [json.loads((version / "trial.json").read_text(encoding="utf-8")) for version in versions]
        logs = {int(version.name[:3]): (version / "log.txt").read_text(errors="replace") for version in versions}
        return Searched(sorted(records, key=lambda each: each["started"]), logs, ran.stdout + ran.stderr)

    def run_python(self, code: str, *, timeout_s: float = 120) -> dict[str, Any]:
        """Run Python code from the root of the project; return the JSON object that it prints last."""
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=self.limit_time(timeout_s),
            check=False,
        )
        lines = ran.stdout.strip().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines else {"error": ran.stderr[-400:]}
        return found
