"""An experiment as runs of Weights & Biases: sent again, runs that are there as they are stay."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tune.results.exports.exported_run import ExportCount, ExportedRun, describe_tracker_error, import_tracker
from tune.trial.trackers.run_labels import PREFIX

OFFLINE = frozenset({"offline", "dryrun"})
"""What WANDB_MODE is where nothing is to be sent yet."""
BEGUN, DONE = f"{PREFIX}-begun", f"{PREFIX}-exported"
"""Files in an offline run's folder: it is ours, and all of it is there."""
HINT = "`wandb login`, or WANDB_MODE=offline for files that `wandb sync` sends. The same command goes on."


def export_to_wandb(runs: Sequence[ExportedRun], folder: Path, project: str) -> ExportCount:
    """Send runs to a project; ``folder``: where W&B keeps its files, and runs that are offline."""
    os.environ.setdefault("WANDB_SILENT", "true")
    wandb = import_tracker("wandb")
    is_offline = os.environ.get("WANDB_MODE", "").lower() in OFFLINE
    try:
        known = _list_offline(folder) if is_offline else _list_online(wandb, project)
        new = [run for run in runs if _run_id(run) not in known]
        written = []
        for run in new:
            for old in [each for each in known if each.startswith(f"{run.key}-")]:
                _delete_run(known.pop(old))
            written.append(_send_run(wandb, run, folder, project))
        wandb.teardown()  # a run that finished may not be on disk yet
        for each in written if is_offline else ():
            (each / DONE).touch()
        where = f"{folder / 'wandb'} (project {project}; `wandb sync` sends it)" if is_offline else f"project {project}"
        return ExportCount(n_new=len(new), n_known=len(runs) - len(new), place=where)
    except Exception as error:  # whatever W&B raises
        raise describe_tracker_error("wandb", error, HINT) from error


def _run_id(run: ExportedRun) -> str:
    """Return the id of a run: another one once anything about it is, for W&B takes no id a second time."""
    return f"{run.key}-{run.digest}"


def _list_offline(folder: Path) -> dict[str, Any]:
    """Return the folders of offline runs by their ids; what is cut short goes."""
    found = {}
    for each in (folder / "wandb").glob("offline-run-*"):
        run_id = each.name.removeprefix("offline-run-").partition("-")[2]
        if (each / DONE).is_file():
            found[run_id] = each
        elif (each / BEGUN).is_file():
            shutil.rmtree(each)
    return found


def _list_online(wandb: Any, project: str) -> dict[str, Any]:
    api = wandb.Api()
    try:
        return {each.id: each for each in api.runs(project) if each.state in ("finished", "failed")}
    except ValueError:  # there is no such project yet
        return {}


def _delete_run(known: Any) -> None:
    """Delete a run that is not as it was."""
    if isinstance(known, Path):
        shutil.rmtree(known)
    else:
        known.delete()


def _send_run(wandb: Any, run: ExportedRun, folder: Path, project: str) -> Path:
    """Send a run; return its folder."""
    labels = run.labels
    folder.mkdir(parents=True, exist_ok=True)
    sent = wandb.init(
        project=project,
        id=_run_id(run),
        resume="allow",
        name=labels.name,
        group=labels.experiment,
        job_type=labels.kind,
        tags=[*labels.tags, run.end.state],
        config={**labels.constants, PREFIX: {**labels.fields, "key": run.key, "reason": run.reason}},
        dir=folder,
        reinit="create_new",
        settings=wandb.Settings(console="off"),
    )
    place = Path(sent.settings.sync_dir)
    if sent.offline:
        (place / BEGUN).touch()
    epochs = sorted({epoch for curve in run.curves.values() for epoch in curve})
    for epoch in epochs:
        values = {name: curve[epoch] for name, curve in run.curves.items() if epoch in curve}
        sent.log({**values, "epoch": epoch}, step=epoch)
    sent.summary.update({f"{PREFIX}/state": run.end.state, f"{PREFIX}/score": run.end.score})
    sent.finish(exit_code=1 if run.end.has_failed else 0)
    return place
