"""Experiments as a search leaves them, without a search: a real ledger, real records, no training."""

from tune.experiment.records import TrialRecord
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.study.study import create_search_study
from tune.search.study.version_folders import version_name
from tune.space.space_file import read_space, write_space
from tune.trial.messages import EpochReport

SPACE = """system: {program}
metric: {metric}
mode: {mode}
constants:
  LR: {{uniform: [0.0, 1.0]}}
trials: {trials}
"""


def write_experiment(storage, name, curves, *, metric="Score/Val", mode="max", trials=None, grid=None):
    """Write an experiment with a trial a curve; None: it failed. ``grid``: the values of a grid search."""
    program = storage.parent / "p.py"
    program.write_text("LR = 0.5\n")
    (storage.parent / "pyproject.toml").touch()
    file = storage.parent / "s.yaml"
    text = SPACE.format(program=program, metric=metric, mode=mode, trials=trials or len(curves))
    if grid is not None:
        text = text.replace("{uniform: [0.0, 1.0]}", f"{{choice: {grid}}}") + "sampler: grid\n"
    file.write_text(text)
    space, found = read_space(file), find_program(program)
    paths = ExperimentPaths(storage / name)
    paths.folder.mkdir(parents=True)
    write_space(space, paths.space)
    take_snapshot(found, paths.source)
    ledger = create_search_study(paths, space, resolve_constants(space, found))
    for number, curve in enumerate(curves):
        _, values = ledger.ask_trial() if number else ledger.ask_baseline()
        version = version_name(number, values if number else {})
        ledger.set_attributes(number, version=version)
        paths.version(version).folder.mkdir()
        reached = list(enumerate(curve or [], start=1))
        record = TrialRecord(
            number=number,
            version=version,
            constants=values,
            seed=0,
            stage="complete" if curve else "failed",
            pid=1,
            host="h",
            devices=None,
            started=0.0,
            curve=reached,
        )
        record.write_record(paths.version(version))
        for epoch, value in reached:
            ledger.write_epochs(number, [EpochReport(epoch, value)])
        _ = ledger.complete_trial(number) if curve else ledger.fail_trial(number, "ValueError: no")
    if ledger.searcher.is_exhausted:
        ledger.mark_no_more_trials()
    ledger.suspend_trials()
    return paths
