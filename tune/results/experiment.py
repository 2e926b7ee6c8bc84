"""An experiment as its files tell it. Reads the ledger; imports no Ray and no torch."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tune.errors import ExperimentError, suggest
from tune.paths import ExperimentPaths, short
from tune.places import is_url, place
from tune.promotion.literals import Unknown
from tune.promotion.resolve import Promoted, baseline_value
from tune.promotion.snapshot import Snapshot, open_snapshot
from tune.results.doubts import find_changed_settings, find_doubts
from tune.results.vetting import vet, vet_study
from tune.space.dimensions import Value
from tune.space.file import read_space
from tune.space.space import Space
from tune.storage.bring import arrived, bring, names_at
from tune.trial.journal_records import BACKUP, count_whole_records
from tune.trial.outcome import LEFT_OUT, Outcome, check_format, outcome_of, ranked

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One search."""

    paths: ExperimentPaths
    space: Space
    """As it was run, everything resolved."""
    snapshot: Snapshot
    """The source that its trials executed."""
    trials: tuple[Outcome, ...]
    """Every trial of the ledger that the space, if it was edited, leaves in; in the order of their numbers."""
    folder: Path
    """The working directory of its trials; the current one where that is gone."""
    commands: tuple[str, ...] = ()
    """What was typed to start it, and then to go on with it; none where nothing was."""
    changed: tuple[str, ...] = ()
    """The settings in space.yaml that are not those that the search ran by: ``scheduler none -> asha``."""
    doubts: tuple[str, ...] = ()
    """What contradicts itself in the files, a sentence each: they were damaged, or edited."""

    @property
    def best(self) -> Outcome | None:
        """The best trial that did not fail; None when there is none."""
        return next(iter(ranked(self.trials, self.space.mode)), None)

    @property
    def baseline(self) -> Outcome | None:
        """The hardcoded values' trial."""
        return next((trial for trial in self.trials if trial.is_baseline), None)

    def baseline_value(self, item: Promoted) -> Value | Unknown:
        """Return what the baseline trained with; what the source says where it has not run."""
        return baseline_value(item, {} if self.baseline is None else self.baseline.values)


def open_experiment(name: str, storage: Path) -> Experiment:
    """Return an experiment by its name in the storage, or by its folder; raise ExperimentError where there is none."""
    folder = find_experiment(name, storage)
    paths = ExperimentPaths(folder)
    space = read_space(paths.space, program_is_here=False)
    study = _read_study(paths)
    trials = [trial for trial in study.get_trials(deepcopy=False) if LEFT_OUT not in trial.user_attrs]
    changed = find_changed_settings(space, study)
    noted = study.user_attrs.get("folder")
    began_in = Path(noted if isinstance(noted, str) else "")
    return Experiment(
        paths=paths,
        space=space,
        snapshot=open_snapshot(paths.source),
        trials=tuple(outcome_of(trial, space.mode) for trial in trials),
        folder=began_in if began_in.is_absolute() and began_in.is_dir() else Path.cwd(),
        commands=_commands(study.user_attrs.get("commands")),
        changed=changed,
        doubts=tuple(find_doubts(paths, trials, space.mode, changed)),
    )


def _commands(noted: object) -> tuple[str, ...]:
    return tuple(each for each in noted if isinstance(each, str)) if isinstance(noted, list) else ()


def find_experiment(name: str, storage: Path) -> Path:
    """Return an experiment's folder."""
    for folder in (arrived(name),) if is_url(name) else (storage / name, place(name)):
        bring(folder)
        if ExperimentPaths(folder).journal.is_file():
            return folder
    here = [entry.name for entry in storage.iterdir() if _is_experiment(entry)] if storage.is_dir() else []
    there = sorted({*here, *names_at(storage)})
    raise ExperimentError(short(storage), f"no experiment {name!r}", suggest(name, there, what="experiments"))


def _is_experiment(folder: Path) -> bool:
    return ExperimentPaths(folder).journal.is_file()


def _read_study(paths: ExperimentPaths) -> "optuna.Study":
    with warnings.catch_warnings():  # tqdm, which Optuna imports, asks for ipywidgets in every notebook
        warnings.filterwarnings("ignore", "IProgress not found")
        import optuna  # here: that there is no such experiment is told without it
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = JournalStorage(JournalFileBackend(str(paths.journal)))
        names = [each.study_name for each in storage.get_all_studies()]
        if len(names) != 1:
            what = f"a ledger holds one study, got {len(names)}"
            raise ExperimentError(short(paths.journal), what, BACKUP)
        study = optuna.load_study(study_name=names[0], storage=storage)
        attributes, trials = study.user_attrs, study.get_trials(deepcopy=False)
    except Exception as error:  # Optuna checks no record: a wrong one raises whatever it is wrong for
        count_whole_records(paths.journal.read_bytes(), paths.journal)
        if isinstance(error, ExperimentError):
            raise
        what = f"the ledger cannot be read: {type(error).__name__}: {error}"
        raise ExperimentError(short(paths.journal), what, "Is it a study of ours?") from error
    check_format(attributes.get("format"), paths)
    vet_study(attributes, paths)
    vet(trials, paths)
    return study
