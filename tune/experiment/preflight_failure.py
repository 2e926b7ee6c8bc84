"""A search whose baseline failed in the pre-flight: nothing of it trained, and its name is free again."""

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from tune.errors import PromotuneError
from tune.experiment.lock import has_no_trial, is_written_by_search, lock_experiment
from tune.experiment.open import open_experiment
from tune.experiment.records import Failure, read_record
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths, VersionPaths
from tune.storage.download import download_experiment, download_version
from tune.storage.driver_sync import delete_at_url
from tune.storage.remote_folder import RemoteFolder
from tune.storage_url import url_of

EVENTS = "events.out.tfevents."
"""How TensorBoard's files begin."""

NEVER_BEGAN = "it was ended before its first trial"
"""Why nothing of a search trained whose pre-flight did not run."""

MEND = "Mend the program and search again. `resume` runs the copy of the program that failed."
"""What to do about a pre-flight that failed."""


def find_preflight_failure(paths: ExperimentPaths, trials: Sequence[TrialResult]) -> Failure | None:
    """Return why the baseline failed in the pre-flight; None where it did not, or where a trial has an epoch.

    ``trials`` are those of the ledger.
    """
    baseline = next((trial for trial in trials if trial.is_baseline), None)
    if baseline is None or any(trial.curve or trial.state not in ("waiting", "running") for trial in trials):
        return None
    record = read_record(paths.version(baseline.version))
    if record is None or record.ready or record.curve or record.stage != "failed":
        return None
    return record.failure


def describe_preflight_failure(failure: Failure) -> str:
    """Return one line: what failed, and where."""
    message = failure.message.strip().partition("\n")[0]
    text = f"{failure.kind}: {message}" if message else failure.kind
    return f"the pre-flight failed: {text}" + (f" ({failure.place})" if failure.place else "")


def remove_untrained_search(paths: ExperimentPaths) -> str | None:
    """Remove a search of which nothing trained, and return why nothing did; return None where the folder stays.

    It stays where a process holds the experiment, where a trial has an epoch, and where somebody put files into it.
    What lies at a URL is removed there, too.
    """
    aside = paths.folder.with_name(f".deleted-{secrets.token_hex(4)}")
    try:
        if paths.folder.is_symlink() or not _has_search_files(paths) or _explain_untrained(paths) is None:
            return None
        with lock_experiment(paths):
            download_version(paths.folder)  # all files: somebody may have put one to those of the search
            why = _explain_untrained(paths)  # again: another process may have gone on with it
            if why is not None:
                paths.folder.rename(aside)
                delete_at_url(paths.folder)
    except (PromotuneError, OSError):
        if aside.is_dir() and not paths.folder.exists():
            aside.rename(paths.folder)
        return None
    if why is not None:
        shutil.rmtree(aside, ignore_errors=True)
    return why


def _has_search_files(paths: ExperimentPaths) -> bool:
    """Tell whether a search wrote a folder; of one at a URL that may be free what tells of trials is brought."""
    url = url_of(paths.folder)
    if url is None:
        return paths.lock.is_file() or not any(paths.folder.iterdir())
    names = RemoteFolder(url).list_files()
    is_begun = not all(is_written_by_search(paths.folder / name.partition("/")[0], paths) for name in names)
    if (is_begun and paths.space.name not in names) or any(name.endswith(".ckpt") for name in names):
        return False
    paths.folder.mkdir(parents=True, exist_ok=True)  # nothing may lie there but a lease
    download_experiment(paths.folder)
    return True


def _explain_untrained(paths: ExperimentPaths) -> str | None:
    """Return why nothing trained; None where something may have, and where the folder holds files of somebody else."""
    try:
        if has_no_trial(paths):
            return NEVER_BEGAN
        if not paths.journal.is_file() or not all(map(_is_ours, paths.folder.iterdir())):
            return None
        if any(map(_may_have_trained, paths.folder.iterdir())):  # before the ledger: Optuna takes long to import
            return None
        failure = find_preflight_failure(paths, open_experiment(str(paths.folder), paths.folder.parent).trials)
    except (PromotuneError, OSError):
        return None
    return None if failure is None else describe_preflight_failure(failure)


def _may_have_trained(path: Path) -> bool:
    """Tell whether a trial's folder holds an epoch, or a record that says that the pre-flight passed."""
    version = VersionPaths(path)
    if not version.record.is_file():
        return False
    record = read_record(version)
    return record is None or record.ready or bool(record.curve)


def _is_ours(path: Path) -> bool:
    """Tell whether an entry of an experiment's folder is one that a search writes before anything trains."""
    paths = ExperimentPaths(path.parent)
    if is_written_by_search(path, paths):
        return True
    version = VersionPaths(path)
    if path.is_symlink() or not version.record.is_file() or any(version.checkpoints.rglob("*.ckpt")):
        return False
    ours = (version.record, version.hparams, version.log, version.error, version.checkpoints, version.working_folder)
    names = {each.name for each in ours}
    return all(each.name in names or each.name.startswith((EVENTS, ".")) for each in path.iterdir())
