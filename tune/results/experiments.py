"""The experiments of a storage: list them, and delete them or some of their versions.

Delete an experiment or some of its versions: what lies in the storage, and nothing that a link leads to.

The ledger keeps every trial: a table shows one whose version was deleted as before, and only loading it fails.
"""

import contextlib
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tune.errors import ExperimentError, PromotuneError, suggest_name
from tune.experiment.lock import has_no_trial
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.preflight_failure import MEND, describe_preflight_failure, find_preflight_failure
from tune.experiment.records import read_record, read_request
from tune.paths import ExperimentPaths, VersionPaths, display_path
from tune.results.confirm.confirmation import read_confirmation
from tune.storage.download import download_experiments
from tune.storage.driver_sync import delete_at_url

State = Literal["running", "paused", "interrupted", "finished", "unreadable", "never began", "pre-flight failed"]


ENDED = ("complete", "pruned", "failed")
"""The states of a trial that came to an end of whatever kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentSummary:
    """One experiment."""

    name: str
    state: State
    """``interrupted``: `resume` would go on with it, as with one that is ``paused``, and runs."""
    n_trials: int
    """Trials that ended."""
    n_wanted: int
    """As many as there were to be."""
    n_failed: int
    metric: str
    best: float | None
    """The best trial's score; None where no trial has one."""
    baseline: float | None
    """The hardcoded values' score."""
    program: str
    """The path of the program's file; experiments of one program and metric share their verdicts' error rate."""
    verdict: str | None
    """What the confirmation found, such as ``gain`` or ``noise``; None where there is none."""
    changed: float
    """When the ledger was last written, in seconds since the epoch."""
    n_bytes: int
    """All files together; what links lead to is not counted."""
    error: str | None = None
    """Why it cannot be read, or why its pre-flight failed."""


def list_experiments(storage: Path) -> list[ExperimentPaths]:
    """Return the experiments of a storage, the one that was written last first."""
    if not storage.is_dir():
        return []
    found = [ExperimentPaths(folder) for folder in storage.iterdir()]
    return sorted((each for each in found if each.is_there), key=_modified_time, reverse=True)


def summarise_experiment(paths: ExperimentPaths, *, running: bool) -> ExperimentSummary:
    """Describe an experiment; ``running``: a process writes it now."""
    if has_no_trial(paths):
        return _summarise_empty(paths, "running" if running else "never began")
    try:
        experiment = open_experiment(str(paths.folder), paths.folder.parent)
    except PromotuneError as error:
        return _summarise_empty(paths, "running" if running else "unreadable", str(error))
    ended = [trial for trial in experiment.trials if trial.state in ENDED]
    best, baseline = experiment.best, experiment.baseline
    confirmation = read_confirmation(experiment)
    failure = None if running else find_preflight_failure(paths, experiment.trials)
    return ExperimentSummary(
        name=paths.name,
        state=find_state(experiment, running=running),
        n_trials=len(ended),
        n_wanted=experiment.n_wanted,
        n_failed=sum(trial.state == "failed" for trial in ended),
        metric=experiment.space.metric,
        best=None if best is None else best.score,
        baseline=None if baseline is None else baseline.final_score,
        program=str(experiment.snapshot.program.path),
        verdict=None if confirmation is None or confirmation.verdict is None else confirmation.verdict.finding,
        changed=_modified_time(paths),
        n_bytes=sum(_file_sizes(paths.folder)),
        error=None if failure is None else f"{paths.name}: {describe_preflight_failure(failure)}\n  {MEND}",
    )


def _summarise_empty(paths: ExperimentPaths, state: State, error: str | None = None) -> ExperimentSummary:
    return ExperimentSummary(
        name=paths.name,
        state=state,
        n_trials=0,
        n_wanted=0,
        n_failed=0,
        metric="",
        best=None,
        baseline=None,
        program="",
        verdict=None,
        changed=_modified_time(paths),
        n_bytes=sum(_file_sizes(paths.folder)),
        error=error,
    )


def _modified_time(paths: ExperimentPaths) -> float:
    for written in (paths.journal, paths.space, paths.lock):
        with contextlib.suppress(OSError):  # it may be deleted meanwhile
            return written.stat().st_mtime
    return 0.0


def find_state(experiment: StoredExperiment, *, running: bool) -> State:
    """Return what state an experiment is in; a grid may be through before its number of trials is.

    ``running``: a process writes it now.
    """
    if running:
        return "running" if experiment.pause is None else "paused"
    if find_preflight_failure(experiment.paths, experiment.trials) is not None:
        return "pre-flight failed"
    is_through = all(trial.state in ENDED for trial in experiment.trials)
    return "finished" if is_through and experiment.is_sealed else "interrupted"


def _file_sizes(folder: Path) -> Iterator[int]:
    """Yield the size of every file below a folder; one that goes away meanwhile does not count."""
    try:
        for entry in folder.iterdir():
            if entry.is_symlink():
                continue
            if entry.is_dir():
                yield from _file_sizes(entry)
            else:
                yield entry.stat().st_size
    except OSError:
        return


def experiment_to_delete(name: str, storage: Path) -> ExperimentPaths:
    """Return an experiment by its name; raise ExperimentError unless it is a folder right in the storage."""
    _check_plain(name, "experiment")
    folder = storage / name
    download_experiments(storage, [name])
    if folder.is_symlink():
        what = f"{name!r} is a link, to {display_path(folder.readlink())}"
        raise ExperimentError(display_path(storage), what, "Delete the link yourself; what it leads to is not touched.")
    if not ExperimentPaths(folder).is_there:
        there = sorted(each.name for each in storage.iterdir()) if storage.is_dir() else []
        known = [each for each in there if ExperimentPaths(storage / each).is_there]
        raise ExperimentError(
            display_path(storage), f"no experiment {name!r}", suggest_name(name, known, what="experiments")
        )
    return ExperimentPaths(folder)


def versions_to_delete(paths: ExperimentPaths, names: Sequence[str]) -> tuple[VersionPaths, ...]:
    """Return versions by their names or trials' numbers; raise ExperimentError at what is none.

    ``retrain/NAME`` or ``retrain/NUMBER`` is a retrained one.
    """
    return tuple(_version_to_delete(paths, name) for name in dict.fromkeys(names))


def _version_to_delete(paths: ExperimentPaths, name: str) -> VersionPaths:
    plain = name.removeprefix(f"{paths.retrain_folder.name}/")
    _check_plain(plain, "version")
    parent = paths.folder if plain == name else paths.retrain_folder
    version = VersionPaths(parent / (_find_numbered_version(parent, int(plain)) if plain.isdecimal() else plain))
    if version.folder.is_symlink() or parent.is_symlink():
        what = f"{name!r} is a link, or lies behind one"
        raise ExperimentError(
            display_path(paths.folder), what, "Delete the link yourself; what it leads to is not touched."
        )
    if not version.folder.is_dir() or (read_record(version) is None and read_request(version) is None):
        there = _list_versions(parent)
        known = [each.partition(",")[0] for each in there] if plain.isdecimal() else there
        raise ExperimentError(
            display_path(paths.folder), f"no version {name!r}", suggest_name(plain, known, what="versions")
        )
    return version


def _list_versions(parent: Path) -> list[str]:
    if not parent.is_dir():
        return []
    return [each.name for each in parent.iterdir() if read_record(VersionPaths(each)) is not None]


def _find_numbered_version(parent: Path, number: int) -> str:
    """Return the name of the version with this number, else the number."""
    there = (each.name for each in (parent.iterdir() if parent.is_dir() else ()))
    heads = ((each, each.partition(",")[0]) for each in sorted(there))
    return next((name for name, head in heads if head.isdecimal() and int(head) == number), str(number))


def _check_plain(name: str, what: str) -> None:
    """Refuse whatever could lead elsewhere."""
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name or "\0" in name:
        article = "an" if what == "experiment" else "a"
        hint = "Give the name of its folder, without a path."
        raise ExperimentError(None, f"not the name of {article} {what}, got {name!r}", hint)


def delete_stored_folder(folder: Path) -> None:
    """Delete a folder of ours, at its URL too if it has one; links are not followed.

    It leaves its name first, so that nobody sees half of it. Raises StorageError, and it is back under its name, where
    what lies at the URL cannot be deleted.
    """
    aside = folder.with_name(f".deleted-{secrets.token_hex(4)}")
    folder.rename(aside)
    try:
        delete_at_url(folder)
    except BaseException:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)
