"""Get the model of a version back: the architecture its constants made, with its best weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune.errors import ExperimentError
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.records import TrialRecord, read_record, read_request
from tune.invocation import this_command
from tune.paths import ExperimentPaths, VersionPaths, display_path
from tune.promotion.constant import Constant
from tune.promotion.execute import Executor
from tune.promotion.program_kind import trains_at_import
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import Snapshot, open_snapshot
from tune.results.write_back import build_no_score_error, select_trial
from tune.space.conditions import restore_value
from tune.space.space import Space, System
from tune.space.space_file import read_space
from tune.storage.download import download_best_checkpoint, resolve_local_folder
from tune.storage_url import absolute_path, default_storage, is_url
from tune.trial.checkpoints.checkpoint_loading import load_model

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


def load(
    folder: str | Path,
    trial: int | None = None,
    *,
    storage: str | Path | None = None,
    trust_checkpoints: bool = False,
    **arguments: Any,
) -> "LightningModule":
    """Return the LightningModule of an experiment's best trial, or of one version; on the CPU, in eval mode.

    ``folder``: an experiment's name or folder, or a version's folder, retrained ones too; ``trial``: of the experiment,
    that trial and not the best. It is built by the version's own source snapshot with its constants in force, so its
    shapes are those that were trained, whatever the source says today; models with other constants may live beside it.
    ``arguments`` of the module's ``__init__`` win over its hyperparameters in the checkpoint, as in Lightning.

    Weights only: nothing of the checkpoint is executed. A checkpoint that holds objects of other classes, such as a
    program's own hyperparameters, is refused unless ``trust_checkpoints`` says that whoever wrote it may run code here.
    Raises ExperimentError when the folder is no version, or has no checkpoint that is whole.
    """
    home = absolute_path(storage, "storage") if storage else default_storage()
    version = _find_version(
        resolve_local_folder(folder) if is_url(folder) else folder, trial, home
    )  # a name is no path
    download_best_checkpoint(version)
    if version.freed_note.is_file() and not version.best_checkpoint.is_file():
        with version.freed_note.open(encoding="utf-8", errors="replace") as file:
            what, _, hint = file.read(FREED_NOTE_LENGTH).strip().partition("\n")
        raise ExperimentError(display_path(version.folder), what or "its checkpoints were freed", hint or _GIVE)
    experiment = _experiment_of(version)
    record = read_record(version)
    if record is None or not version.best_checkpoint.is_file():
        raise _missing_error(version, experiment)
    source = _source_of(version, experiment)
    return _build_model(version, record, experiment, source, arguments, trust=trust_checkpoints)


def _build_model(
    version: VersionPaths,
    record: TrialRecord,
    experiment: ExperimentPaths,
    snapshot: Snapshot,
    arguments: Mapping[str, Any],
    *,
    trust: bool,
) -> "LightningModule":
    space = _space_of(record, experiment)
    program = snapshot.stored_program
    if trains_at_import(program):
        name = snapshot.program.name_of(snapshot.program.path)
        what = "its model cannot be built: importing the program would train"
        hint = (
            f"Put the training under a main guard, or load {display_path(version.best_checkpoint)} "
            "with the class itself."
        )
        raise ExperimentError(name, what, hint)
    promoted = resolve_constants(space, program)
    executor = Executor(
        snapshot,
        {item.key: item.constant.sites for item in promoted if isinstance(item.constant, Constant)},
        {item.key: () for item in promoted if item.is_symbol},
    )
    wanted = space.shape.class_name if isinstance(space.shape, System) else None
    dimensions = {item.key: item.dimension for item in promoted}
    if unknown := record.constants.keys() - dimensions.keys():
        what = f"its constants are not those of the experiment's space: {', '.join(map(repr, sorted(unknown)))}"
        raise ExperimentError(display_path(version.record), what, "Load a version of the experiment that it lies in.")
    values = {name: restore_value(dimensions[name], value) for name, value in record.constants.items()}
    with executor.import_program(values) as (module, _):
        name = snapshot.program.name_of(snapshot.program.path)
        return load_model(module, wanted, name, version.best_checkpoint, arguments, trust=trust)


def _find_version(given: str | Path, trial: int | None, storage: Path) -> VersionPaths:
    """Return the version itself, or that trial's, or the best one, of an experiment."""
    folder = absolute_path(given, "load")
    named = storage / given
    experiment = next((each for each in (folder, named) if ExperimentPaths(each).journal.is_file()), None)
    if experiment is None:
        if trial is None:
            return VersionPaths(folder if folder.exists() or not named.exists() else named)
        raise ExperimentError(
            display_path(folder), f"this is not an experiment, and trial {trial} of one is wanted", _GIVE
        )
    return version_of(open_experiment(str(experiment), experiment.parent), trial)


FREED_NOTE_LENGTH = 1000
"""Characters of the note that a freed checkpoint leaves, at most."""
_GIVE = "Give an experiment's name or folder, or the folder of one version."


def version_of(experiment: StoredExperiment, trial: int | None) -> VersionPaths:
    """Return the version of a trial, or of the best one."""
    if trial is None and experiment.best is None:
        raise build_no_score_error(experiment)
    return experiment.paths.version(select_trial(experiment, trial).version)


def _space_of(record: TrialRecord, experiment: ExperimentPaths) -> Space:
    """Return the space that a version ran in: an edited one may have left its constants out."""
    newest = read_space(experiment.space, program_is_here=False)
    earlier = (read_space(path, program_is_here=False) for path in reversed(experiment.earlier_spaces))
    fitting = (space for space in (newest, *earlier) if record.constants.keys() <= space.dimensions.keys())
    return next(fitting, newest)


def _experiment_of(version: VersionPaths) -> ExperimentPaths:
    for folder in version.folder.parents:
        if ExperimentPaths(folder).journal.is_file():
            return ExperimentPaths(folder)
    raise ExperimentError(display_path(version.folder), "this is not the folder of a version", _GIVE)


def _source_of(version: VersionPaths, experiment: ExperimentPaths) -> Snapshot:
    """Return the source that the version ran: a retrained one may have had another than the search."""
    request = read_request(version)
    return open_snapshot(experiment.source if request is None else experiment.folder / request.source)


def _missing_error(version: VersionPaths, paths: ExperimentPaths) -> ExperimentError:
    """Return the error that says what became of a version, and how to get it again."""
    if version.best_checkpoint.is_file() and version.record.exists():
        what = "this file is damaged: it does not say which constants the trial had"
        return ExperimentError(display_path(version.record), what, "Take it from a backup; nothing else is amiss.")
    try:
        trials = open_experiment(str(paths.folder), paths.folder.parent).trials
    except ExperimentError:
        trials = ()
    trial = next((each for each in trials if each.version == version.folder.name), None)
    if trial is None or version.folder.parent != paths.folder:
        return ExperimentError(display_path(version.folder), "this is not the folder of a version", _GIVE)
    hint = f"To train it again: {this_command()} retrain {paths.cli_argument} --trial {trial.number}"
    if not version.folder.exists():
        return ExperimentError(display_path(version.folder), "this version was deleted", hint)
    return ExperimentError(display_path(version.folder), "this version has no checkpoint", hint)
