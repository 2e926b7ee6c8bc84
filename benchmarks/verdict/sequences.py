"""Searches in a row on one program, on a real Ray, each with ``--confirm``: how often they say what is not there.

The program trains a small network, and its noise is that of real seeds: weights, dropout and the order of samples. One
constant draws random numbers away and does nothing else; another one improves the loss by a multiple of the noise's
standard deviation. That is measured first, by trainings of the program without Ray.
"""

import logging
import os
import runpy
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tune.cli import main as promotune
from tune.experiment.open import open_experiment
from tune.experiment.verdicts import VerdictRecord
from tune.results.confirm.confirmation import read_confirmation
from tune.results.confirm.error_rate import EFFECT
from tune.results.verdict import Verdict

N_MEASURED = 40
"""Trainings that measure the noise."""
N_TRIALS = 6
SEEDS_APART = 1000
"""Between the seeds of two searches, so that no two have a seed in common."""

NULL = "  DRAWN: {randint: [0, 100000]}"
PLANTED = f"  DRAWN: {{randint: [0, 100000]}}\n  EFFECT: {{choice: [0.0, {EFFECT}]}}"
SPACE = """\
system: noise.py
metric: Loss/Val
mode: min
constants:
{constants}
scheduler: none
concurrency: 2
confirm: true
"""
PROGRAM = """\
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

DRAWN = 0  # random numbers that nobody uses: the others are others
EFFECT = 0.0  # in standard deviations of the noise
DEVIATION = {deviation!r}  # of the loss, over seeds
MAX_EPOCHS = 2

x = torch.linspace(-1, 1, 96 * 4).sin().reshape(4, 96).T.contiguous()
y = (x.sum(1, keepdim=True) * 3).cos()


class Noise(pl.LightningModule):
    def __init__(self):
        super().__init__()
        torch.rand(DRAWN)
        layers = torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)
        self.model = torch.nn.Sequential(*layers)

    def training_step(self, batch, idx):
        x, y = batch
        return torch.nn.functional.mse_loss(self.model(x), y)

    def validation_step(self, batch, idx):
        x, y = batch
        self.log("Loss/Val", torch.nn.functional.mse_loss(self.model(x), y) - EFFECT * DEVIATION)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloaders():
    train, val = TensorDataset(x[::2], y[::2]), TensorDataset(x[1::2], y[1::2])
    return DataLoader(train, batch_size=8, shuffle=True), DataLoader(val, batch_size=48)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchVerdict:
    """What one search came to; no verdict where no trial was better than the hardcoded values."""

    verdict: Verdict | None
    record: VerdictRecord | None

    @property
    def finding(self) -> str:
        """Of the verdict."""
        return "none" if self.verdict is None else self.verdict.finding

    def __str__(self) -> str:
        """As a line."""
        if self.verdict is None or self.record is None:
            return "no trial was better"
        return f"verdict {self.record.number}, {len(self.verdict.seeds)} seeds: {self.verdict.sentence}"


def measure_deviation(folder: Path) -> float:
    """Return the standard deviation of the program's score over seeds."""
    import pytorch_lightning as pl

    program = folder / "noise.py"
    program.write_text(PROGRAM.format(deviation=0.0))
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    scores = []
    for seed in range(N_MEASURED):
        pl.seed_everything(10**6 + seed, verbose=False)
        found = runpy.run_path(str(program))
        trainer = pl.Trainer(
            max_epochs=found["MAX_EPOCHS"],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(found["Noise"](), *found["dataloaders"]())
        scores.append(trainer.callback_metrics["Loss/Val"].item())
    return statistics.stdev(scores)


def create_project(folder: Path, constants: str, deviation: float) -> Path:
    """Write the program and its space; return the space file."""
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "noise.py").write_text(PROGRAM.format(deviation=deviation))
    space = folder / "s.yaml"
    space.write_text(SPACE.format(constants=constants))
    return space


def search_and_confirm(space: Path, number: int, seed: int) -> SearchVerdict:
    """Search once with ``--confirm``; ``number``: of the search, for its name."""
    storage, name = space.parent / "storage", f"s{number}"
    words = ["--space", str(space), "--name", name, "--trials", str(N_TRIALS), "--seed", str(seed)]
    run_quietly(*words, "--storage", str(storage))
    confirmation = read_confirmation(open_experiment(name, storage))
    if confirmation is None:
        return SearchVerdict(verdict=None, record=None)
    return SearchVerdict(verdict=confirmation.verdict, record=confirmation.record)


def run_quietly(*words: str) -> None:
    """Run a command; what it prints, to file descriptor 1, is shown only where it failed."""
    sys.stdout.flush()
    shown = os.dup(1)
    with tempfile.TemporaryFile("w+") as told:
        os.dup2(told.fileno(), 1)
        try:
            status = promotune([*words, "--quiet"])
        finally:
            os.dup2(shown, 1)
            os.close(shown)
        told.seek(0)
        assert status == 0, told.read()


def print_sequences(folder: Path, n_sequences: int, n_searches: int, seed: int) -> None:
    """Search as many programs with an effect once each, then null programs in sequences; print each verdict."""
    deviation = measure_deviation(folder)
    print(f"the loss has a standard deviation of {deviation:.4g} over {N_MEASURED} seeds", flush=True)
    firsts = [seed + SEEDS_APART * (n_searches + 1) * sequence for sequence in range(n_sequences)]
    n_found = 0
    for sequence, first in enumerate(firsts):
        space = create_project(folder / f"planted-{sequence}", PLANTED, deviation)
        found = search_and_confirm(space, 0, first + SEEDS_APART * n_searches)
        n_found += found.finding == "gain"
        print(f"{sequence + 1:>3}, an effect: {found}", flush=True)
    print(f"an effect of {EFFECT:g} standard deviations is found in {n_found} of {n_sequences}   (target: 9 of 10)")
    spaces = [create_project(folder / f"null-{sequence}", NULL, deviation) for sequence in range(n_sequences)]
    false: set[int] = set()
    for number in range(n_searches):
        for sequence, (space, first) in enumerate(zip(spaces, firsts, strict=True)):
            found = search_and_confirm(space, number, first + SEEDS_APART * number)
            false |= {sequence} if found.finding == "gain" else set()
            print(f"{sequence + 1:>3}, search {number + 1:>2}: {found}", flush=True)
    print(f"a false gain in {len(false)} of {n_sequences} sequences of {n_searches} searches   (target: none of 3)")
