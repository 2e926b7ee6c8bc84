"""Whether each trial is one run in the trackers of a program, closed and in its state, and an export is sent once.

    python -m benchmarks.trackers

One search of 20 trials in two places, 12 of which the scheduler stops. The program logs to W&B (offline), to an MLflow
server on this machine, and to CSV files; half of its trials call ``wandb.finish()`` themselves. Then the experiment is
exported to both trackers, twice. Needs ``wandb``, and ``mlflow`` with its server. Takes some minutes.
"""

import contextlib
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.trackers import read_offline_runs
from tune.experiment.open import StoredExperiment, open_experiment

ROOT = Path(__file__).parents[1]
N_TRIALS, N_STOPPED = 20, 12
SERVER_S = 180
PROGRAM = '''
import contextlib
import itertools
from pathlib import Path

import pytorch_lightning as pl
import torch
import wandb
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, WandbLogger
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
N_GOOD = 8


def take_number():
    """Return how many trials began before the first one with this constant; a pre-flight has the baseline's."""
    mine = Path(f"lr-{LR!r}")
    for number in itertools.count():
        if mine.is_file():
            return int(mine.read_text())
        with contextlib.suppress(FileExistsError):
            Path(f"began-{number}").mkdir()
            mine.write_text(str(number))


number = take_number()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        return self.net(batch[0]).mean()

    def validation_step(self, batch, index):
        rank = number if number < N_GOOD else -number  # each good one beats those before it, and each weak one loses
        self.log("Score/Val", rank + self.current_epoch / 10)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


data = DataLoader(TensorDataset(torch.zeros(8, 2)), batch_size=4)
loggers = [WandbLogger(project="digits"), MLFlowLogger("digits", tracking_uri=SERVER), CSVLogger("csv")]
trainer = pl.Trainer(max_epochs=5, logger=loggers, enable_checkpointing=False, enable_model_summary=False)
trainer.fit(Model(), data, data)
if number % 2:
    wandb.finish()
'''
SPACE = f"""\
script: program.py
metric: Score/Val
mode: max
constants:
  LR: {{loguniform: [1e-3, 1.0]}}
sampler: random
scheduler: median
trials: {N_TRIALS}
concurrency: 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A run as a tracker shows it."""

    name: str
    group: str
    state: str
    is_closed: bool
    last: float
    constant: float


def main() -> int:
    """Search, export twice, and print what the trackers show; return 1 where that is not what the ledger says."""
    with tempfile.TemporaryDirectory(prefix="trackers-") as name:
        folder = Path(name)
        with serve_mlflow(folder) as server:
            environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true", "PYTHONPATH": str(ROOT)}
            begun = time.monotonic()
            experiment = search(folder, server, environment)
            print(f"searched in {time.monotonic() - begun:.0f} s")
            shown = {
                "wandb": show_wandb(folder / "project"),
                "mlflow": show_mlflow(server, "digits"),
                "csv": show_csv(folder / "project"),
            }
            passed = [check_tracker(tracker, runs, experiment) for tracker, runs in shown.items()]
            passed += [check_export(experiment, to, folder, server, environment) for to in ("wandb", "mlflow")]
    return 0 if all(passed) else 1


@contextlib.contextmanager
def serve_mlflow(folder: Path) -> Iterator[str]:
    """Start an MLflow server; give its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    store = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    words = [sys.executable, "-m", "mlflow", "server", *store, "--port", str(port), "--workers", "1"]
    with (folder / "server.txt").open("w") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + SERVER_S
        while not is_healthy(address):
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"MLflow's server did not start:\n{(folder / 'server.txt').read_text()}")
            time.sleep(0.5)
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait(30)


def is_healthy(address: str) -> bool:
    """Tell whether a server answers."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def search(folder: Path, server: str, environment: dict[str, str]) -> StoredExperiment:
    """Run the search as a user does."""
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    (project / "program.py").write_text(f'SERVER = "{server}"\n{dedent(PROGRAM)}')
    (project / "space.yaml").write_text(SPACE)
    words = [sys.executable, str(ROOT / "run_search.py"), "--space", "space.yaml", "--name", "digits"]
    words += ["--storage", str(folder / "storage"), "--no-report", "--quiet"]
    subprocess.run(words, cwd=project, env=environment, check=True)
    return open_experiment("digits", folder / "storage")


def show_wandb(project: Path) -> list[Shown]:
    """Return the runs in W&B's files."""
    return [
        Shown(
            name=run.name,
            group=run.group,
            state=str(run.summary.get("promotune/state")),
            is_closed=run.exit_code == 0 and run.summary.get("promotune/state") in run.tags,
            last=run.summary["Score/Val"],
            constant=run.config["LR"],
        )
        for run in read_offline_runs(project).values()
    ]


def show_mlflow(server: str, name: str) -> list[Shown]:
    """Return the runs of an experiment of MLflow."""
    from mlflow import MlflowClient

    client = MlflowClient(server)
    place = client.get_experiment_by_name(name)
    assert place is not None
    return [
        Shown(
            name=run.info.run_name,
            group=run.data.tags["promotune.experiment"],
            state=run.data.tags["promotune.state"],
            is_closed=run.info.status == "FINISHED",
            last=run.data.metrics["Score/Val"],
            constant=float(run.data.params["LR"]),
        )
        for run in client.search_runs([place.experiment_id])
    ]


def show_csv(project: Path) -> list[Shown]:
    """Return the runs in the folders of CSVLogger."""
    found = []
    for file in sorted(project.glob("csv/lightning_logs/*/*/promotune.json")):
        labels: dict[str, Any] = json.loads(file.read_text())
        rows = csv.DictReader(file.with_name("metrics.csv").read_text().splitlines())
        values = [row["Score/Val"] for row in rows if row["Score/Val"]]
        found.append(
            Shown(
                name=file.parent.name,
                group=file.parents[1].name,
                state=labels["state"],
                is_closed=labels["state"] != "running",
                last=float(values[-1]),
                constant=labels["constants"]["LR"],
            )
        )
    return found


def check_tracker(tracker: str, runs: list[Shown], experiment: StoredExperiment) -> bool:
    """Print what a tracker shows beside the ledger; return whether they agree."""
    trials = {trial.version: trial for trial in experiment.trials}
    states = {"pruned": "stopped"}

    def agree(run: Shown) -> bool:
        trial = trials.get(run.name)
        if trial is None or run.state != states.get(trial.state, trial.state):
            return False
        last = list(trial.curve.values())[-1]
        return abs(run.last - last) < 1e-5 and abs(run.constant - float(trial.values["LR"])) < 1e-9

    counts = {
        "runs": (len(runs), N_TRIALS),
        "names": (len({run.name for run in runs}), N_TRIALS),
        "closed": (sum(run.is_closed for run in runs), N_TRIALS),
        "groups": (len({run.group for run in runs}), 1),
        "stopped": (sum(run.state == "stopped" for run in runs), N_STOPPED),
        "as in the ledger": (sum(map(agree, runs)), N_TRIALS),
    }
    return report_counts(tracker, counts)


def check_export(experiment: StoredExperiment, to: str, folder: Path, server: str, environment: dict[str, str]) -> bool:
    """Export twice; return whether there is one copy."""
    place = str(folder / "exported") if to == "wandb" else server
    words = [sys.executable, "-m", "tune", "export", str(experiment.paths.folder), "--to", to, "--output", place]
    said = [
        subprocess.run(
            [*words, "--project", "exported"], cwd=folder, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()
        for _ in range(2)
    ]
    print("\n".join(said))
    n_runs = len(read_offline_runs(Path(place)) if to == "wandb" else show_mlflow(server, "exported"))
    return report_counts(f"export --to {to}, twice", {"runs": (n_runs, N_TRIALS)})


def report_counts(what: str, counts: dict[str, tuple[int, int]]) -> bool:
    """Print counts with what they are to be; return whether they are."""
    told = ", ".join(f"{name} {found} of {wanted}" for name, (found, wanted) in counts.items())
    passed = all(found == wanted for found, wanted in counts.values())
    print(f"{'ok    ' if passed else 'FAILED'} {what}: {told}")
    return passed


if __name__ == "__main__":
    sys.exit(main())
