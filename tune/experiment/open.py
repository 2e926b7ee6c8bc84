"""Open an experiment from its files: read the study, and refuse what no search writes. Imports no Ray and no torch.

Trials of a ledger that somebody else may have written: data, of the shape that we write, or refused.

A version's name becomes a path, and values become text in a program: neither may say what we would not have written.
"""

import json
import math
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune.errors import ExperimentError, suggest_name
from tune.experiment.contradictions import (
    BACKUP,
    check_record_lengths,
    count_whole_records,
    find_changed_settings,
    find_doubts,
)
from tune.experiment.lock import check_begun
from tune.experiment.proposal_note import PAUSED, PROPOSED, SearchPause, read_pause, read_proposal
from tune.experiment.trial_result import (
    DEVICE_FAULTS,
    LEFT_OUT,
    MUTATIONS,
    OUTGROWN,
    SEALED,
    TrialResult,
    check_format,
    create_trial_result,
    rank_trials,
)
from tune.experiment.verdicts import find_confirmation
from tune.paths import ExperimentPaths, display_path, read_json
from tune.promotion.find.literals import Unknown
from tune.promotion.resolve import PromotedConstant, baseline_value
from tune.promotion.snapshot import Snapshot, open_snapshot
from tune.space.dimensions import Value, is_int, is_number
from tune.space.space import Space
from tune.space.space_file import read_space
from tune.storage.download import download_experiment, list_remote_experiments, resolve_local_folder
from tune.storage_url import is_url, local_folder_of

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


REASON = "reason"
HINT = "If Promotune wrote this file, take it from a backup."
ATTRIBUTES: dict[str, type] = {
    REASON: str,
    "repeat_of": int,
    "attempt": int,
    "deaths": int,
    "last_epoch": int,
    "best_epoch": int,
}
"""What we note of a trial, where it is read again."""
MOST = 2**53
"""An epoch's number is never larger."""
LONGEST = 100  # characters of a wrong value in an error
LONGEST_NAME = 255  # bytes of a file's name


def validate_trials(trials: Sequence["FrozenTrial"], paths: ExperimentPaths) -> None:
    """Raise ExperimentError at the first trial that no search of ours wrote."""
    for trial in trials:
        noted: Any = trial.user_attrs  # Optuna passes on whatever the record held
        problem = _describe_problem(noted, trial, paths) if isinstance(noted, dict) else f"no attributes, got {noted!r}"
        if problem is not None:
            raise ExperimentError(display_path(paths.journal), f"trial {trial.number}: {problem}", HINT)


def validate_study(attributes: Any, paths: ExperimentPaths) -> None:
    """Raise ExperimentError where what is noted of the whole search is not as we write it."""
    known = attributes.get("knowledge") if isinstance(attributes, dict) else None
    if known is None or (isinstance(known, dict) and _is_known(known.get("trials"))):
        return
    what = f"`knowledge`, the trials of --from, holds no list of trials, got {_shorten_repr(known)}"
    raise ExperimentError(display_path(paths.journal), what, HINT)


def _is_known(trials: Any) -> bool:
    return isinstance(trials, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("params"), dict)
        and each.get("state") in ("COMPLETE", "PRUNED")
        and isinstance(each.get("curve"), list)
        and all(isinstance(point, list) and len(point) == 2 and is_int(point[0]) for point in each["curve"])
        and isinstance(each.get("scores"), list)
        and all(map(is_number, each["scores"]))
        for each in trials
    )


def _describe_problem(noted: dict[str, Any], trial: "FrozenTrial", paths: ExperimentPaths) -> str | None:
    if (strange := _describe_invalid_json(noted)) is not None:
        return strange
    version = noted.get("version", str(trial.number))
    if not isinstance(version, str) or not _is_safe_name(version):
        return f"a version is the name of a folder in the experiment, got {_shorten_repr(version)}"
    folder = paths.folder / version
    if folder.is_symlink() and not Path(os.path.realpath(folder)).is_relative_to(paths.folder.resolve()):
        return f"its version {version!r} is a link that leads out of the experiment"
    constants = noted.get("constants", trial.params)
    if not isinstance(constants, dict):
        return f"constants are a mapping, got {_shorten_repr(constants)}"
    for name, kind in ATTRIBUTES.items():
        if noted.get(name) is not None and type(noted[name]) is not kind:
            return f"{name} is no {kind.__name__}, got {_shorten_repr(noted[name])}"
    mutations = noted.get(MUTATIONS, [])
    if not isinstance(mutations, list) or not all(map(_is_mutation, mutations)):
        return f"{MUTATIONS} hold an epoch, a donor and constants each, got {_shorten_repr(noted[MUTATIONS])}"
    return _describe_invalid_list(noted) or _curve_problem(noted, trial)


def _describe_invalid_json(noted: dict[str, Any]) -> str | None:
    """Return what no JSON of ours holds: text that is no Unicode, but for a program's, or a number that is no float."""
    try:
        ours = {name: value for name, value in noted.items() if name != REASON}
        read_json(json.dumps(ours, ensure_ascii=False).encode("utf-8"))
    except (ValueError, TypeError, RecursionError) as error:
        return f"its attributes cannot be read: {error}"
    return None


def _describe_invalid_list(noted: dict[str, Any]) -> str | None:
    faults = noted.get(DEVICE_FAULTS, [])
    if not isinstance(faults, list) or not all(isinstance(each, str) for each in faults):
        return f"{DEVICE_FAULTS} are names of devices, got {_shorten_repr(faults)}"
    shares = noted.get(OUTGROWN, [])
    if not isinstance(shares, list) or not all(map(is_number, shares)):
        return f"{OUTGROWN} are numbers, got {_shorten_repr(shares)}"
    return None


def _is_mutation(each: Any) -> bool:
    return (
        isinstance(each, dict)
        and is_int(each.get("epoch"))
        and is_int(each.get("donor"))
        and isinstance(each.get("constants"), dict)
    )


def _shorten_repr(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _curve_problem(noted: dict[str, Any], trial: "FrozenTrial") -> str | None:
    for epoch, value in trial.intermediate_values.items():
        if not is_int(epoch) or not 1 <= epoch <= MOST or not _is_value(value):
            return f"an epoch has a number and a value, got {_shorten_repr(epoch)}: {_shorten_repr(value)}"
    others = {name: value for name, value in noted.items() if name.startswith("others in epoch ")}
    for name, values in others.items():
        if not isinstance(values, list) or not all(map(_is_value, values)):
            return f"{name}: numbers, got {_shorten_repr(values)}"
    if not all(map(_is_value, trial.values or ())):
        return f"its value is no number, got {_shorten_repr(trial.values)}"
    if any(isinstance(value, float) and math.isnan(value) for value in trial.values or ()):
        return "its value is NaN"
    return None


def _is_value(value: object) -> bool:
    """Tell whether it is a number that a float can be."""
    return isinstance(value, float) or (is_int(value) and abs(value) <= sys.float_info.max)


def _is_safe_name(name: str) -> bool:
    """Tell whether a name stays in its folder, on any system, and can be printed."""
    return (
        name not in ("", ".", "..")
        and not {"/", "\\", "\0"} & set(name)
        and name.isprintable()
        and len(name.encode("utf-8")) <= LONGEST_NAME
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExperiment:
    """One search."""

    paths: ExperimentPaths
    space: Space
    """As it was run, everything resolved."""
    snapshot: Snapshot
    """The source that its trials executed."""
    trials: tuple[TrialResult, ...]
    """Every trial of the ledger that the space, if it was edited, leaves in; in the order of their numbers."""
    folder: Path
    """The working directory of its trials; the current one where that is gone."""
    is_sealed: bool = False
    """Whether no further trial was to come: there were as many as asked for, or every point of the grid."""
    pause: SearchPause | None = None
    """Who paused the search that runs; None where it goes on. It says nothing of a search that does not run."""
    commands: tuple[str, ...] = ()
    """What was typed to start it, and then to go on with it; none where nothing was."""
    changed: tuple[str, ...] = ()
    """The settings in space.yaml that are not those that the search ran by: ``scheduler none -> asha``."""
    doubts: tuple[str, ...] = ()
    """What contradicts itself in the files, a sentence each: they were damaged, or edited."""

    @property
    def n_proposed(self) -> int:
        """How many trials somebody proposed; the search has them beside those that were asked for."""
        return sum(trial.proposal is not None for trial in self.trials)

    @property
    def n_wanted(self) -> int:
        """How many trials there are to be in all."""
        return self.space.settings.trials + self.n_proposed

    @property
    def best(self) -> TrialResult | None:
        """The best trial that did not fail; None when there is none."""
        return next(iter(rank_trials(self.trials, self.space.mode)), None)

    @property
    def chosen(self) -> TrialResult | None:
        """The trial to hand over: the one that the confirmation of this search chose, else the best."""
        record = find_confirmation(self.paths, self.trials)
        if record is None or record.chosen is None:
            return self.best
        return next((each for each in self.trials if each.number == record.chosen), self.best)

    @property
    def baseline(self) -> TrialResult | None:
        """The hardcoded values' trial."""
        return next((trial for trial in self.trials if trial.is_baseline), None)

    def baseline_value(self, item: PromotedConstant) -> Value | Unknown:
        """Return what the baseline trained with; what the source says where it has not run."""
        return baseline_value(item, {} if self.baseline is None else self.baseline.values)


def open_experiment(name: str, storage: Path) -> StoredExperiment:
    """Return an experiment by its name in the storage, or by its folder; raise ExperimentError where there is none."""
    folder = find_experiment(name, storage)
    paths = ExperimentPaths(folder)
    space = read_space(paths.space, program_is_here=False)
    study = _read_study(paths)
    trials = [trial for trial in study.get_trials(deepcopy=False) if LEFT_OUT not in trial.user_attrs]
    n_proposed = sum(read_proposal(trial.user_attrs.get(PROPOSED)) is not None for trial in trials)
    changed = find_changed_settings(space, study)
    noted = study.user_attrs.get("folder")
    began_in = Path(noted if isinstance(noted, str) else "")
    return StoredExperiment(
        paths=paths,
        space=space,
        snapshot=open_snapshot(paths.source),
        trials=tuple(create_trial_result(trial, space.mode) for trial in trials),
        folder=began_in if began_in.is_absolute() and began_in.is_dir() else Path.cwd(),
        is_sealed=len(trials) - n_proposed >= space.settings.trials or study.user_attrs.get(SEALED) == len(trials),
        pause=read_pause(study.user_attrs.get(PAUSED)),
        commands=_read_commands(study.user_attrs.get("commands")),
        changed=changed,
        doubts=tuple(find_doubts(paths, trials, space.mode, changed)),
    )


def _read_commands(noted: object) -> tuple[str, ...]:
    return tuple(each for each in noted if isinstance(each, str)) if isinstance(noted, list) else ()


def find_experiment(name: str, storage: Path) -> Path:
    """Return an experiment's folder; raise ExperimentError where there is none, or no ledger in it."""
    paths = locate_experiment(name, storage)
    check_begun(paths)
    return paths.folder


def locate_experiment(name: str, storage: Path) -> ExperimentPaths:
    """Return an experiment by its name in the storage, or by its folder, whether or not it has a ledger."""
    for folder in (resolve_local_folder(name),) if is_url(name) else (storage / name, local_folder_of(name)):
        download_experiment(folder)
        if (paths := ExperimentPaths(folder)).is_there:
            return paths
    here = [entry.name for entry in storage.iterdir() if ExperimentPaths(entry).has_ledger] if storage.is_dir() else []
    there = sorted({*here, *list_remote_experiments(storage)} - {name})  # at a URL a lease may be left of it
    raise ExperimentError(
        display_path(storage), f"no experiment {name!r}", suggest_name(name, there, what="experiments")
    )


def _read_study(paths: ExperimentPaths) -> "optuna.Study":
    with warnings.catch_warnings():  # tqdm, which Optuna imports, asks for ipywidgets in every notebook
        warnings.filterwarnings("ignore", "IProgress not found")
        import optuna  # here: that there is no such experiment is told without it
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_record_lengths(paths.journal)
    try:
        storage = JournalStorage(JournalFileBackend(str(paths.journal)))
        names = [each.study_name for each in storage.get_all_studies()]
        if len(names) != 1:
            what = f"a ledger holds one study, got {len(names)}"
            raise ExperimentError(display_path(paths.journal), what, BACKUP)
        study = optuna.load_study(study_name=names[0], storage=storage)
        attributes, trials = study.user_attrs, study.get_trials(deepcopy=False)
    except Exception as error:  # Optuna checks no record: a wrong one raises whatever it is wrong for
        count_whole_records(paths.journal.read_bytes(), paths.journal)
        if isinstance(error, ExperimentError):
            raise
        what = f"the ledger cannot be read: {type(error).__name__}: {error}"
        raise ExperimentError(display_path(paths.journal), what, HINT) from error
    check_format(attributes.get("format"), paths)
    validate_study(attributes, paths)
    validate_trials(trials, paths)
    return study
