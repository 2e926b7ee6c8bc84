"""An experiment as its files tell it. Reads the ledger; imports no Ray and no torch."""

from dataclasses import dataclass
from pathlib import Path

from tune.errors import ExperimentError, suggest
from tune.paths import ExperimentPaths, short
from tune.promotion.snapshot import Snapshot, open_snapshot
from tune.space.file import read_space
from tune.space.space import Space
from tune.trial.outcome import Outcome, check_format, outcome_of, ranked


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One search."""

    paths: ExperimentPaths
    space: Space
    """As it was run, everything resolved."""
    snapshot: Snapshot
    """The source that its trials executed."""
    trials: tuple[Outcome, ...]
    """Every trial of the ledger, in the order of their numbers."""

    @property
    def best(self) -> Outcome | None:
        """The best trial that did not fail; None when there is none."""
        return next(iter(ranked(self.trials, self.space.mode)), None)

    @property
    def baseline(self) -> Outcome | None:
        """The hardcoded values' trial."""
        return next((trial for trial in self.trials if trial.is_baseline), None)


def open_experiment(name: str, storage: Path) -> Experiment:
    """Return an experiment by its name in the storage, or by its folder; raise ExperimentError where there is none."""
    folder = find_experiment(name, storage)
    paths = ExperimentPaths(folder)
    space = read_space(paths.space, program_is_here=False)
    return Experiment(paths=paths, space=space, snapshot=open_snapshot(paths.source), trials=_read_trials(paths, space))


def find_experiment(name: str, storage: Path) -> Path:
    """Return an experiment's folder."""
    for folder in (storage / name, Path(name).expanduser().absolute()):
        if ExperimentPaths(folder).journal.is_file():
            return folder
    there = [entry.name for entry in storage.iterdir() if _is_experiment(entry)] if storage.is_dir() else []
    raise ExperimentError(short(storage), f"no experiment {name!r}", suggest(name, there, what="experiments"))


def _is_experiment(folder: Path) -> bool:
    return ExperimentPaths(folder).journal.is_file()


def _read_trials(paths: ExperimentPaths, space: Space) -> tuple[Outcome, ...]:
    import optuna  # here: that there is no such experiment is told without it
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = JournalStorage(JournalFileBackend(str(paths.journal)))
        study = optuna.load_study(study_name=None, storage=storage)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise ExperimentError(
            short(paths.journal), f"the ledger cannot be read: {error}", "Is it a study of ours?"
        ) from error
    check_format(study.user_attrs.get("format"), paths)
    return tuple(outcome_of(trial, space.mode) for trial in study.get_trials(deepcopy=False))
