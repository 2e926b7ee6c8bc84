"""Get the model of a version back: the architecture its constants made, with its best weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, VersionPaths, short
from tune.promotion.constants import Constant
from tune.promotion.execute import Executor
from tune.promotion.resolve import resolve
from tune.promotion.shape import trains_at_import
from tune.promotion.snapshot import open_snapshot
from tune.space.file import read_space
from tune.space.space import System
from tune.space.when import restored
from tune.trial.record import read_record
from tune.trial.system import find_model_class

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


def load(folder: str | Path) -> "LightningModule":
    """Return the LightningModule of an experiment's best trial, or of one version's folder; on the CPU, in eval mode.

    It is built by the experiment's source snapshot with the version's constants in force, so its shapes are those that
    were trained, whatever the source says today. Weights only: nothing of the checkpoint is executed. Raises
    ExperimentError when the folder is no version, or has no checkpoint.
    """
    version = _version_of(Path(folder).expanduser().absolute())
    record = read_record(version)
    if record is None or not version.best.is_file():
        raise ExperimentError(short(version.folder), "no version with a checkpoint", "Give the folder of a trial.")
    experiment = _experiment_of(version)
    space = read_space(experiment.space, program_is_here=False)
    snapshot = open_snapshot(experiment.source)
    if trains_at_import(snapshot.stored):
        name = snapshot.program.name_of(snapshot.program.path)
        what = "to build its model the program would be imported, and that would train"
        hint = f"Put the training under a main guard, or load {short(version.best)} with the class itself."
        raise ExperimentError(name, what, hint)
    promoted = resolve(space, snapshot.stored)
    executor = Executor(
        snapshot, {item.key: item.constant.sites for item in promoted if isinstance(item.constant, Constant)}
    )
    wanted = space.shape.class_name if isinstance(space.shape, System) else None
    dimensions = {item.key: item.dimension for item in promoted}
    values = {name: restored(dimensions[name], value) for name, value in record.constants.items()}
    with executor.execute(values) as (module, _):
        model_class = find_model_class(module, wanted, snapshot.program.name_of(snapshot.program.path))
        model: LightningModule = model_class.load_from_checkpoint(version.best, map_location="cpu", weights_only=True)
    return model.eval()


def _version_of(folder: Path) -> VersionPaths:
    """Return the version itself, or the best one of an experiment."""
    if not ExperimentPaths(folder).journal.is_file():
        return VersionPaths(folder)
    from tune.results.experiment import open_experiment

    best = open_experiment(str(folder), folder.parent).best
    if best is None:
        raise ExperimentError(short(folder), "no trial came to an end", "Give the folder of one version.")
    return VersionPaths(folder / best.version)


def _experiment_of(version: VersionPaths) -> ExperimentPaths:
    for folder in version.folder.parents:
        if ExperimentPaths(folder).journal.is_file():
            return ExperimentPaths(folder)
    raise ExperimentError(short(version.folder), "not in an experiment", "Give the folder of a trial.")
