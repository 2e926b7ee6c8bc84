"""A program that writes into the working directory: told, and kept apart on request."""

import os
import subprocess
import sys
from dataclasses import replace

from tune.trial.preflight import MOST, find_written_files, list_working_files

WRITES = """
import atexit, pathlib
pathlib.Path("outputs").mkdir(exist_ok=True)
pathlib.Path("outputs/x.txt").write_text("written")
"""


def test_files_are_found_below_a_folder_but_hidden_ones_and_the_experiments(tmp_path):
    for name in ("a.txt", "b/c.txt", ".git/d", "results/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert list_working_files(tmp_path, but=tmp_path / "results").keys() == {"a.txt", "b/c.txt"}


def test_a_file_that_is_written_again_counts_as_a_new_one_does(tmp_path):
    for name in ("same.txt", "longer.txt", "later.txt", "gone.txt"):
        (tmp_path / name).write_text("before")
    before = list_working_files(tmp_path, but=tmp_path / "none")

    (tmp_path / "longer.txt").write_text("before and after")
    os.utime(tmp_path / "later.txt", ns=(0, 1))
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "new.txt").touch()

    after = list_working_files(tmp_path, but=tmp_path / "none")
    assert find_written_files(before, after) == ["later.txt", "longer.txt", "new.txt"]


def test_what_other_searches_write_into_their_experiments_is_no_file_of_the_program(tmp_path):
    for name in ("x.txt", "runs/other/.lock", "runs/other/space.yaml", "runs/other/000,baseline/hparams.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert list_working_files(tmp_path, but=tmp_path / "results").keys() == {"x.txt"}


def test_a_folder_of_too_many_files_is_not_looked_through(tmp_path):
    for number in range(MOST + 1):
        (tmp_path / str(number)).touch()

    assert list_working_files(tmp_path, but=tmp_path / "none") is None
    assert find_written_files(None, {"a": (0, 0)}) == []


def test_what_the_preflight_leaves_in_the_working_directory_is_in_the_record(worker, programs):
    started = worker("scripted", programs("scripted").read_text() + WRITES)

    trial = started.run(preflight=True, LR=0.5)

    assert trial.record.wrote == ["outputs/x.txt"]


def test_a_trial_with_a_folder_of_its_own_writes_there(worker, programs):
    started = worker("scripted", programs("scripted").read_text() + WRITES)
    started.job = replace(started.job, own_folder=True)

    trial = started.run(preflight=True, LR=0.5)

    assert (trial.files.working_folder / "outputs" / "x.txt").read_text() == "written"
    assert not (started.job.folder / "outputs").exists()


def test_a_baseline_with_a_folder_of_its_own_finds_nothing_of_its_pre_flight(worker, programs):
    started = worker("scripted", programs("scripted").read_text() + "\nimport pathlib\npathlib.Path('out').mkdir()\n")
    started.job = replace(started.job, own_folder=True)

    trial = started.run(preflight=True, hardcoded=True)

    assert trial.record.stage == "complete", trial.log
    assert trial.record.wrote == []  # other trials do not share it
    assert (trial.files.working_folder / "out").is_dir()


def test_each_of_several_seeds_has_a_folder_of_its_own(worker, programs):
    started = worker("scripted", programs("scripted").read_text() + "\nimport pathlib\npathlib.Path('out').mkdir()\n")
    started.job = replace(started.job, own_folder=True, seeds_per_trial=2)

    trial = started.run(preflight=True, hardcoded=True)

    assert trial.record.stage == "complete", trial.log
    assert (trial.files.working_folder / "seed_1" / "out").is_dir()


def test_a_file_that_the_command_s_own_output_goes_into_is_none_of_the_program(tmp_path):
    look = "from pathlib import Path; from tune.cli.terminal.observer import _is_our_output as ours"
    tell = "import sys; sys.exit(str([ours(Path(name)) for name in ('out.txt', 'x.txt', 'gone')]))"
    (tmp_path / "x.txt").touch()

    with (tmp_path / "out.txt").open("w") as out:
        words = [sys.executable, "-c", f"{look}\n{tell}"]
        ran = subprocess.run(words, stdout=out, stderr=subprocess.PIPE, cwd=tmp_path, check=False)

    assert ran.stderr == b"[True, False, False]\n"
