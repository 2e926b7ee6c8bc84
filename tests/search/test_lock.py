"""One process writes an experiment, and a dead one holds nothing."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from tune.errors import ExperimentError
from tune.experiment.lock import check_begun, has_no_trial, is_locked, lock_experiment, lock_on_this_machine
from tune.paths import ExperimentPaths

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from tune.paths import ExperimentPaths
from tune.experiment.lock import lock_experiment
with lock_experiment(ExperimentPaths(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path):
    paths = ExperimentPaths(tmp_path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ExperimentError) as refused, lock_experiment(paths):
            pass
        assert re.fullmatch(
            rf"{tmp_path}: this search is running \(process {holder.pid} on .+\)\n"
            r"  Wait for it, or end it with Ctrl-C\.",
            str(refused.value),
        )
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()

    with lock_experiment(paths):
        pass


def test_a_search_that_was_ended_before_its_ledger_was_there_has_no_trial(tmp_path):
    paths = ExperimentPaths(tmp_path)
    assert has_no_trial(paths)  # nothing of anybody's
    paths.space.write_text("system: program.py\n")
    assert not has_no_trial(paths)  # somebody's own folder with a space file in it
    with lock_experiment(paths), pytest.raises(ExperimentError, match="this search is beginning"):
        check_begun(paths)
    with pytest.raises(ExperimentError, match="this search never began"):
        check_begun(paths)
    for name in ("study.journal", "driver.log", ".surroundings.json.0a1b2c3d"):
        (tmp_path / name).touch()
    assert has_no_trial(paths)
    for name in ("notes.txt", "source-notes.txt", "space.yaml~"):
        (tmp_path / name).touch()
        assert not has_no_trial(paths)  # a search of this name would remove the user's notes
        (tmp_path / name).unlink()
    (tmp_path / "000,baseline").mkdir()
    assert not has_no_trial(paths)  # its ledger is lost
    (tmp_path / "000,baseline").rmdir()
    paths.journal.write_text('{"op_code":0}\n')
    assert has_no_trial(paths)
    paths.journal.write_text("{}\n{}\n")
    assert not has_no_trial(paths)
    check_begun(paths)


def test_a_search_begins_while_somebody_looks_whether_one_runs(tmp_path):
    paths = ExperimentPaths(tmp_path)
    look = FileLock(paths.lock, thread_local=False)  # as `is_locked` takes it for a moment
    look.acquire()
    timer = threading.Timer(0.05, look.release)
    timer.start()
    with lock_on_this_machine(paths):
        assert is_locked(paths)
    timer.join()
