"""``python -m tune.trial.trackers.close_runs FOLDER MODE``: close what a trial left open whose process died.

A process of its own: trackers take seconds to import, and may wait for a network that is not there.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tune.experiment.records import read_record
from tune.experiment.trial_result import Mode
from tune.paths import VersionPaths
from tune.trial.trackers.run_records import read_run_records

LIMIT_S = 60
"""Then it ends, closed or not."""
VARIABLES = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "WANDB_FINISH_TIMEOUT": "45",
    "WANDB_SILENT": "true",
}
"""Where the user says nothing else."""
MODULE = "tune.trial.trackers.close_runs"


def start_closing_runs(files: VersionPaths, mode: Mode, folder: Path) -> subprocess.Popen[bytes] | None:
    """Close the runs of a trial whose process died, in the background; ``folder``: its working directory.

    Return the process; None where no run is open.
    """
    if all(each.state != "running" for each in read_run_records(files)):
        return None
    path = os.pathsep.join((str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])))
    with files.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", MODULE, str(files.folder), mode],
            cwd=files.working_folder if files.working_folder.is_dir() else folder,
            env={**VARIABLES, **os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def main(folder: str, mode: Mode) -> None:
    """Close the runs of a version."""
    from tune.trial.trackers.run_labels import label_runs
    from tune.trial.trackers.tracked_trial import TrackedTrial, describe_end

    signal.alarm(LIMIT_S)
    files = VersionPaths(Path(folder))
    if (record := read_record(files)) is None:
        return
    end = describe_end(record, mode, stopped=False)
    labels = label_runs(files, record.number, record.constants)
    TrackedTrial(labels, files, lambda: end).close_runs(end)


if __name__ == "__main__":
    main(sys.argv[1], "max" if sys.argv[2] == "max" else "min")
