"""Who searches: ours, by the classes of a real search, and our peers, by theirs with the defaults that they ship."""

import logging
import math
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from benchmarks.simulate.haste import hasten
from benchmarks.simulate.tables import Config, Table
from tune.paths import ExperimentPaths
from tune.promotion.program import Program, find_program
from tune.promotion.resolve import PromotedConstant, resolve_constants
from tune.search.checkpoint_retention import CheckpointRetention
from tune.search.controller import SearchController
from tune.search.samplers.optuna_values import distribution_of
from tune.search.schedulers.build_scheduler import build_pbt_exploit, build_scheduler
from tune.search.schedulers.trial_length import count_reports
from tune.search.spec import SearchLimits
from tune.search.steering.controls import SearchControls
from tune.search.study.study import SearchStudy
from tune.space.dimensions import Dimension, arguments_of, kind_of
from tune.space.space import Space
from tune.space.space_file import read_space
from tune.trial.messages import EpochReport

METRIC = "value"


class Method(Protocol):
    """Draws configurations, and hears of their epochs."""

    def ask(self, trial: str) -> Config:
        """Return the configuration of a new trial."""

    def report(self, trial: str, epoch: EpochReport) -> bool:
        """Hear of an epoch; return whether the trial ends with it, as it does with its last."""


class Ours:
    """A real search but for Ray and the disk: its space is read from a file, and the conductor leads it."""

    def __init__(self, table: Table, seed: int, concurrency: int, settings: str) -> None:
        self._hardcoded = table.hardcoded
        with tempfile.TemporaryDirectory() as folder:
            space, program, promoted = _written_and_read(table, Path(folder), f"seed: {seed}\n{settings}\n")
        study = optuna.create_study(direction="minimize", sampler=RandomSampler())  # in memory; it draws nothing
        paths, ledger = ExperimentPaths(Path(folder)), SearchStudy(study, space, promoted)
        limits = SearchLimits(trials=10**9, concurrency=concurrency, max_failures=0, give_up_after=10**9)
        self._conductor = SearchController(
            paths,
            ledger,
            rule=build_scheduler(space, program, count_reports(space, program, None)),
            pbt_exploit=build_pbt_exploit(space, promoted, ledger),
            retention=CheckpointRetention(paths, [space.mode], None, free=lambda folder: 10**18),
            controls=SearchControls(limits, ledger),
            seed=seed,
            on_preflight_failed=lambda: None,
            on_death=lambda *_: None,
        )

    def ask(self, trial: str) -> Config:
        """Return the configuration of a new trial."""
        task = self._conductor.next_task(trial)
        assert task is not None
        return {**self._hardcoded, **task.values}

    def report(self, trial: str, epoch: EpochReport) -> bool:
        """Hear of an epoch."""
        ends = self._conductor.receive_epochs(trial, [epoch]) or epoch.last
        if ends:
            self._conductor.on_trial_end(trial, death=None)
        return ends


class Rays:
    """Ray's OptunaSearch, and its ASHA unless trials run to their end; called as Ray's controller does."""

    def __init__(self, table: Table, seed: int, sampler: BaseSampler | None, *, stops: bool) -> None:
        from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler
        from ray.tune.search.optuna import OptunaSearch

        seeds: dict[str, Any] = {"seed": seed} if sampler is None else {"sampler": sampler}
        self._searcher = OptunaSearch(space=_distributions(table), metric=METRIC, mode="min", **seeds)
        self._scheduler = FIFOScheduler()
        if stops:
            self._scheduler = AsyncHyperBandScheduler(
                time_attr="training_iteration", metric=METRIC, mode="min", max_t=table.n_epochs
            )
        self._trials: dict[str, Any] = {}

    def ask(self, trial: str) -> Config:
        """Return the configuration of a new trial."""
        config = self._searcher.suggest(trial)
        assert isinstance(config, dict)
        self._trials[trial] = SimpleNamespace(trial_id=trial)
        self._scheduler.on_trial_add(None, self._trials[trial])
        return config

    def report(self, trial: str, epoch: EpochReport) -> bool:
        """Hear of an epoch."""
        result = {METRIC: epoch.value, "training_iteration": epoch.epoch}
        decision = self._scheduler.on_trial_result(None, self._trials[trial], result)
        if decision != "STOP":
            self._searcher.on_trial_result(trial, result)
        ends = decision == "STOP" or epoch.last
        if ends:
            self._scheduler.on_trial_complete(None, self._trials.pop(trial), result)
            self._searcher.on_trial_complete(trial, result=result)
        return ends


class Optunas:
    """A study of Optuna's with its default TPE and one of its pruners, asked after each epoch."""

    def __init__(self, table: Table, seed: int, pruner: BasePruner) -> None:
        sampler = TPESampler(seed=seed)
        # Hyperband's brackets are drawn by the study's name
        self._study = optuna.create_study(
            direction="minimize", sampler=sampler, pruner=pruner, study_name=f"simulated {seed}"
        )
        self._distributions = _distributions(table)
        self._trials: dict[str, Trial] = {}

    def ask(self, trial: str) -> Config:
        """Return the configuration of a new trial."""
        self._trials[trial] = self._study.ask(self._distributions)
        return self._trials[trial].params

    def report(self, trial: str, epoch: EpochReport) -> bool:
        """Hear of an epoch."""
        asked = self._trials[trial]
        asked.report(epoch.value, epoch.epoch)
        if epoch.last:
            told = {"values": epoch.value} if math.isfinite(epoch.value) else {"state": TrialState.FAIL}
            self._study.tell(asked, **told)
        elif asked.should_prune():
            self._study.tell(asked, state=TrialState.PRUNED)
            return True
        return epoch.last


OURS = "ours"
DEFAULT = {
    OURS: "a search of a space file that says nothing of its sampler and its scheduler",
    "random+asha": "Ray's ASHA, Optuna's RandomSampler",
    "random": "Optuna's RandomSampler, every trial runs to its end",
    "ray": "Ray's defaults: OptunaSearch (Optuna's default TPE), ASHA",
    "optuna+median": "Optuna's defaults: TPE, MedianPruner",
    "optuna+halving": "TPE, SuccessiveHalvingPruner",
    "optuna+hyperband": "TPE, HyperbandPruner",
    f"{OURS} sampler=gp": "ours with the Gaussian process in the place of TPE",
    f"{OURS} sampler=random": "ours with random draws in the place of TPE",
}
"""What is compared. Behind ``ours`` settings of a space file may stand, ``ours sampler=gp scheduler=none``."""


def build_method(name: str, table: Table, seed: int, concurrency: int) -> Method:
    """Return a new search."""
    _silence()
    hasten()
    kind, *settings = name.split()
    if kind == OURS:
        return Ours(table, seed, concurrency, "\n".join(each.replace("=", ": ", 1) for each in settings))
    peers: dict[str, Callable[[], Method]] = {
        "random+asha": lambda: Rays(table, seed, RandomSampler(seed=seed), stops=True),
        "random": lambda: Rays(table, seed, RandomSampler(seed=seed), stops=False),
        "ray": lambda: Rays(table, seed, None, stops=True),
        "optuna+median": lambda: Optunas(table, seed, MedianPruner()),
        "optuna+halving": lambda: Optunas(table, seed, SuccessiveHalvingPruner()),
        "optuna+hyperband": lambda: Optunas(table, seed, HyperbandPruner(max_resource=table.n_epochs)),
    }
    if settings or kind not in peers:
        raise SystemExit(f"no such method: {name!r}; there are {', '.join(peers)}, and {OURS} with settings behind it")
    return peers[kind]()


def _distributions(table: Table) -> dict[str, Any]:
    return {name: distribution_of(dimension) for name, dimension in table.dimensions.items()}


def _written_and_read(table: Table, folder: Path, settings: str) -> tuple[Space, Program, tuple[PromotedConstant, ...]]:
    """Write the table as a program and a space, and read them as a search does."""
    constants = {"MAX_EPOCHS": table.n_epochs, **table.hardcoded}
    (folder / "program.py").write_text("".join(f"{name} = {value!r}\n" for name, value in constants.items()))
    entries = "".join(f"  {name}: {{{_entry(dimension)}}}\n" for name, dimension in table.dimensions.items())
    text = f"system: program.py\nmetric: {METRIC}\nmode: min\n{settings}constants:\n{entries}"
    (folder / "space.yaml").write_text(text)
    space = read_space(folder / "space.yaml")
    program = find_program(space.program)
    return space, program, resolve_constants(space, program)


def _entry(dimension: Dimension) -> str:
    return f"{kind_of(dimension)}: {arguments_of(dimension)!r}"


def _silence() -> None:
    """Keep Optuna and Ray quiet: that a peer cannot tell a NaN is its own affair."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
