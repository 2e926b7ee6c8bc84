"""The parts that are measured, each run in a process of its own and with a file to write its figures to."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from ray.tune import Callback, RunConfig, TuneConfig, Tuner, report, uniform, with_resources

from benchmarks.ask import PROGRAM, SPACE
from benchmarks.cost.trivial import EPOCH_S, N_EPOCHS, REPORTS, Trivial
from tune.cli import main as command
from tune.cluster.backend import local_cluster
from tune.cluster.process_server import ray_temp_folder
from tune.cluster.resources import Resources, plan_resources
from tune.experiment.trial_result import TrialResult
from tune.gc_control import collector_paused_for_long
from tune.paths import claim_experiment
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search import ray_tune as tuner
from tune.search.controller_api import SearchListener
from tune.search.run import run_search
from tune.search.spec import Search
from tune.space.settings import Settings
from tune.space.space_file import read_space

N_WORKERS = 2
NAME = "cost"
SAID_EVERY = 500  # trials
TOLD = {"n_epochs": N_EPOCHS, "epoch_s": EPOCH_S}
"""What a trivial trial can be told."""
WARM_S = 5.0
"""By then every worker of bare Ray's has started."""


class Passed:
    """Notes, whenever a trial ends, the time, the CPU that the driver used and its memory."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.marks: list[dict[str, float]] = []
        self.note()

    def note(self, *_: Any) -> None:
        """Note a trial's end."""
        memory = self._process.memory_info().rss if len(self.marks) % 100 == 0 else self.marks[-1]["rss"]
        self.marks.append({"wall_s": time.perf_counter(), "cpu_s": time.process_time(), "rss": memory})
        if len(self.marks) > SAID_EVERY and len(self.marks) % SAID_EVERY == 1:
            self._say()

    def _say(self) -> None:
        """Tell how the newest trials went: a run of an hour may be cut off, and its table comes at its end."""
        first, last = self.marks[-1 - SAID_EVERY], self.marks[-1]
        wall, cpu = (1000 * (last[name] - first[name]) / SAID_EVERY for name in ("wall_s", "cpu_s"))
        n_trials = len(self.marks) - 1
        print(f"{n_trials:>8,}: wall {wall:.1f} ms, driver CPU {cpu:.1f} ms a trial", file=sys.stderr, flush=True)


def ours(out: Path, folder: Path, n_trials: int, sampler: str) -> None:
    """Search with our driver, as the command line does."""
    passed = Passed()
    search(folder, n_trials, sampler, N_WORKERS, passed.note)
    out.write_text(json.dumps(passed.marks))


class TrialEnds(SearchListener):
    """Calls a function with each trial that ended."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Call it."""
        self._function(outcome)


def search(
    folder: Path, n_trials: int, sampler: str, n_workers: int, on_end: Callable[..., None], **trials: float
) -> None:
    """Search as the command line does; ``trials`` are what a trivial trial can be told."""
    tuner.TrialTrainable = Trivial
    os.environ.update({variable: str(trials[name]) for name, variable in TOLD.items() if name in trials})
    (folder / "program.py").write_text(PROGRAM)
    (folder / "space.yaml").write_text(f"{SPACE}sampler: {sampler}\nscheduler: none\nconcurrency: {n_workers}\n")
    space = read_space(folder / "space.yaml")
    space = replace(space, settings=replace(space.settings, trials=n_trials))
    program = find_program(space.program)
    wanted = Search(
        space=space,
        program=program,
        promoted=resolve_constants(space, program),
        resources=_resources(space.settings, n_workers),
        paths=claim_experiment(folder, NAME, numbered=False),
        listeners=(TrialEnds(on_end),),
    )
    with collector_paused_for_long():
        run_search(wanted)


def resumed(out: Path, folder: Path, n_trials: int) -> None:
    """Go on with a search by the command itself."""
    tuner.TrialTrainable = Trivial
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        collector_paused_for_long(),
    ):
        status = command(["resume", str(folder / NAME), "--trials", str(n_trials)])
    out.write_text("[]")
    assert status == 0


def bare(out: Path, folder: Path, n_trials: int) -> None:
    """Run trials of three reports with Ray Tune alone, started as ours is."""
    passed = Passed()

    def trial(config: dict[str, float]) -> None:
        if "WARM" not in os.environ:  # the worker's first: Ray gives up one that still starts when another is free
            os.environ["WARM"] = "1"
            time.sleep(WARM_S)
        for epoch in REPORTS:
            report({"epoch": epoch, "value": config["C0"] - 1 / epoch})

    (folder / "space.yaml").write_text(SPACE)
    (folder / "program.py").write_text(PROGRAM)
    settings = replace(read_space(folder / "space.yaml").settings, concurrency=N_WORKERS)
    with (
        local_cluster(_resources(settings, N_WORKERS)),
        ray_temp_folder() as scratch,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        Tuner(
            with_resources(trial, {"cpu": 1}),
            param_space={f"C{number}": uniform(0, 1) for number in range(5)},
            tune_config=TuneConfig(num_samples=n_trials, max_concurrent_trials=N_WORKERS, reuse_actors=True),
            run_config=RunConfig(name="bare", storage_path=scratch, verbose=0, callbacks=[Noting(passed)]),
        ).fit()
    out.write_text(json.dumps(passed.marks))


def _resources(settings: Settings, n_workers: int) -> Resources:
    return plan_resources(replace(settings, concurrency=n_workers, gpus_per_trial=0), None)


class Noting(Callback):
    """Ray's way to hear of a trial's end; Ray pickles it, and needs nothing of it."""

    def __init__(self, passed: Passed) -> None:
        self._passed = passed

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note it."""
        self._passed.note()

    def __getstate__(self) -> dict[str, Any]:
        return {}
