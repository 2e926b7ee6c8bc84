"""Experiments of trials that were never trained, on disk as a search leaves them."""

from dataclasses import dataclass, field

from optuna.trial import TrialState, create_trial

from tune.experiment.open import open_experiment
from tune.experiment.records import Failure, TrialRecord
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.study.study import create_search_study
from tune.search.study.version_folders import version_name
from tune.space.space_file import read_space, write_space

PROGRAM = """\
LR = 0.01
BATCH_SIZE = 64
DROPOUT = 0.1
OPTIMIZER = "adam"
"""
SPACE = """\
system: program.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
  BATCH_SIZE: {choice: [32, 64, 128, 256, 512]}
  DROPOUT: {uniform: [0.0, 0.5]}
  OPTIMIZER: {choice: [adam, sgd, rmsprop]}
trials: 20
"""
HARDCODED = {"LR": 0.01, "BATCH_SIZE": 64, "DROPOUT": 0.1, "OPTIMIZER": "adam"}


@dataclass(frozen=True)
class Trial:
    """One trial of the ledger; its constants are the hardcoded ones but for `values`."""

    curve: list = field(default_factory=list)
    values: dict = field(default_factory=dict)
    only: bool = False
    """Whether `values` are all that varied in it."""
    state: str = "COMPLETE"
    failure: Failure | None = None
    validated_on: list | None = None
    """What its record holds; None: it has no record, unless it failed."""
    weights: str = ""
    """The digest that its record holds; empty: it has no record for that."""
    more: dict = field(default_factory=dict)
    """Further attributes in the ledger."""


def write_experiment(folder, trials, space=SPACE, name="exp", program=PROGRAM):
    """Write an experiment; return it as it is read back."""
    (folder / "project").mkdir(exist_ok=True)
    (folder / "project" / "pyproject.toml").touch()
    (folder / "project" / "program.py").write_text(program)
    (folder / "project" / "space.yaml").write_text(space)
    space = read_space(folder / "project" / "space.yaml")
    program = find_program(space.program)
    paths = ExperimentPaths(folder / "storage" / name)
    paths.folder.mkdir(parents=True)
    write_space(space, paths.space)
    take_snapshot(program, paths.source)
    promoted = resolve_constants(space, program)
    ledger = create_search_study(paths, space, promoted)
    for number, trial in enumerate(trials):
        ledger._study.add_trial(_frozen(number, trial, space, ledger, paths))
    return open_experiment(name, folder / "storage")


def _frozen(number, trial, space, ledger, paths):
    held = trial.values if trial.only else {**HARDCODED, **trial.values}
    values = {name: held[name] for name in space.dimensions if name in held}
    version = version_name(number, {} if number == 0 else values)
    attributes = {"constants": values, "version": version, "seed": 0, **trial.more}
    if trial.failure is not None:
        attributes["reason"] = trial.failure.reason
    if trial.failure is not None or trial.validated_on is not None or trial.weights:
        _write_record(number, version, values, trial, paths)
    params = ledger.searcher.to_labels(values)
    score = (max if space.mode == "max" else min)(trial.curve) if trial.curve else None
    return create_trial(
        state=TrialState[trial.state],
        values=_final_values(trial, space, score),
        params=params,
        distributions={each: ledger.searcher.distributions[each] for each in params},
        user_attrs=attributes,
        intermediate_values=dict(enumerate(trial.curve, 1)),
    )


def _final_values(trial, space, score):
    """Return a complete trial's values, one for each metric."""
    if trial.state != "COMPLETE" or score is None:
        return None
    return [score, *(trial.more[f"others in epoch {1 + trial.curve.index(score)}"] if space.others else ())]


def _write_record(number, version, values, trial, paths):
    files = paths.version(version)
    files.folder.mkdir()
    TrialRecord(
        number=number,
        version=version,
        constants=values,
        seed=0,
        stage="complete" if trial.failure is None else "failed",
        pid=1,
        host="here",
        devices=None,
        started=0.0,
        failure=trial.failure,
        validated_on=trial.validated_on or [],
        weights=trial.weights,
        curve=list(enumerate(trial.curve, 1)),
    ).write_record(files)
