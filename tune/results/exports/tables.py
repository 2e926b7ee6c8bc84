"""An experiment as two tables, of CSV or Parquet: its trials, and their curves."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tune.errors import OptionError
from tune.experiment.open import StoredExperiment
from tune.paths import atomic_write, display_path
from tune.results.exports.exported_run import ExportCount, ExportedRun, import_tracker, list_exported_runs
from tune.results.results_as_json import as_rows

CURVES = ("experiment", "version", "number", "retrained", "epoch", "metric", "value")
"""The columns of the table of curves."""
RETRAINED = ("experiment", "version", "number", "state", "score", "reason")
"""The columns of the table of retrained versions, before their constants."""


def export_tables(experiment: StoredExperiment, folder: Path, kind: str) -> ExportCount:
    """Write the tables into a folder; those that are there are replaced."""
    write = write_csv if kind == "csv" else write_parquet
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder {display_path(folder)} cannot be made: {error.strerror}"
        raise OptionError("--output", what, "Give another one.") from error
    runs = list_exported_runs(experiment)
    retrained = [run for run in runs if run.labels.is_retrained]
    tables: dict[str, Iterable[Sequence[Any]]] = {
        "trials": as_rows([(experiment, experiment.trials)]),
        "curves": _curve_rows(experiment, retrained),
        **({"retrained": _retrained_rows(retrained)} if retrained else {}),
    }
    for name, rows in tables.items():
        with atomic_write(folder / f"{name}.{kind}") as aside:
            write(aside, list(rows))
    return ExportCount(n_new=len(experiment.trials) + len(retrained), n_known=0, place=display_path(folder))


def _curve_rows(experiment: StoredExperiment, retrained: Sequence[ExportedRun]) -> Iterable[Sequence[Any]]:
    """Yield a header, and a row for each value: of all trials, those that have not ended too."""
    yield CURVES
    names = [each.metric for each in experiment.space.objectives]
    for trial in experiment.trials:
        for epoch, values in sorted(trial.measures.items()):
            for name, value in zip(names, values, strict=False):
                yield experiment.paths.name, trial.version, trial.number, False, epoch, name, value
    for run in retrained:
        for name, curve in run.curves.items():
            for epoch, value in curve.items():
                yield run.labels.experiment, run.labels.version, run.labels.number, True, epoch, name, value


def _retrained_rows(runs: Sequence[ExportedRun]) -> Iterable[Sequence[Any]]:
    constants = dict.fromkeys(name for run in runs for name in run.labels.constants)
    yield (*RETRAINED, *(f"constants.{name}" for name in constants))
    for run in runs:
        labels, end = run.labels, run.end
        held = [labels.constants.get(name) for name in constants]
        yield (labels.experiment, labels.version, labels.number, end.state, end.score, run.reason, *held)


def write_csv(path: Path, rows: list[Sequence[Any]]) -> None:
    """Write rows, the header first, as ``results --csv`` does."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_parquet(path: Path, rows: list[Sequence[Any]]) -> None:
    """Write rows, the header first; a column of values of several types is one of texts."""
    pyarrow = import_tracker("pyarrow")
    from pyarrow import parquet

    header, *body = rows
    columns = {name: _make_column(pyarrow, [row[at] for row in body]) for at, name in enumerate(header)}
    parquet.write_table(pyarrow.table(columns), path)


def _make_column(pyarrow: Any, values: list[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and kinds != {int}:
        return pyarrow.array([None if value is None else float(value) for value in values], pyarrow.float64())
    if len(kinds) == 1 and kinds <= {int, bool}:
        try:
            return pyarrow.array(values)
        except OverflowError:  # an int of more than 64 bits
            pass
    texts = [None if value is None else str(value).encode(errors="backslashreplace").decode() for value in values]
    return pyarrow.array(texts, pyarrow.string())
