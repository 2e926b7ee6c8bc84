"""TensorBoard itself on a search that runs: every trial is there in its state, and goes on without a restart."""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.browser import DEEP_TEXT
from tests.projects import write_program

ROOT = Path(__file__).parents[2]
WAIT_S = 120
# With this seed the one that raises comes last: a worker that stops a trial ends it when it takes the next one.
SPACE = """
system: stages.py
metric: Score/Val
mode: max
constants:
  STAGE: {choice: [steady, weak, raises, running]}
  LR: {choice: [0.1, 0.2]}
require: ["LR == 0.1 or STAGE == 'weak'"]
sampler: grid
trials: 5
seed: 10
concurrency: 2
"""


def wait_for(what, is_it=bool):
    """Return what comes of a call once it is as it should be."""
    give_up = time.monotonic() + WAIT_S
    while not is_it(found := what()):
        assert time.monotonic() < give_up, f"never came: {found}"
        time.sleep(0.2)
    return found


class Board:
    """TensorBoard as a process of its own."""

    def __init__(self, folder, out):
        words = ["--logdir", str(folder), "--port", "0", "--host", "127.0.0.1"]
        with out.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tensorboard.main", *words], stdout=file, stderr=subprocess.STDOUT
            )
        self.address = wait_for(lambda: re.search(r"http://127.0.0.1:\d+/", out.read_text())).group()

    def ask(self, path, **body):
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)

    def runs(self):
        return set(self.ask("data/runs"))

    def curve(self, run, tag="Score/Val"):
        query = urllib.parse.urlencode({"run": run, "tag": tag})
        return [round(value, 4) for _, _, value in self.ask(f"data/plugin/scalars/scalars?{query}")]

    def sessions(self):
        """Return the rows of the HPARAMS tab by version: constants, status, the metric."""
        statuses = [f"STATUS_{each}" for each in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
        groups = self.ask(
            "data/plugin/hparams/session_groups",
            experimentName="",
            allowedStatuses=statuses,
            colParams=[{"metric": {"tag": "Score/Val", "group": ""}}],
            startIndex=0,
            sliceSize=100,
        )["sessionGroups"]
        rows = {}
        for group in groups:
            (session,) = group["sessions"]
            values = [round(each["value"], 4) for each in group["metricValues"] if each["name"]["tag"] == "Score/Val"]
            rows[session["name"]] = (group["hparams"], session["status"], *values)
        return rows


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A search with one trial that waits, and TensorBoard that was started while it ran."""
    folder = tmp_path_factory.mktemp("tensorboard")
    program = write_program(folder / "project", "stages")
    (program.parent / "space.yaml").write_text(SPACE)
    experiment = folder / "storage" / "exp"
    words = ["--space", "space.yaml", "--name", "exp", "--storage", str(folder / "storage"), "--no-report"]
    with (folder / "out.txt").open("w") as out:
        driver = subprocess.Popen(
            [sys.executable, ROOT / "run_search.py", *words], cwd=program.parent, stdout=out, stderr=subprocess.STDOUT
        )
    board = None
    try:
        wait_for(lambda: driver.poll() is not None or list(experiment.glob("*/events.*")))
        board = Board(experiment, folder / "board.txt")
        wait_for(lambda: driver.poll() is not None or (folder / "out.txt").read_text().count("/5 ") == 4)
        assert driver.poll() is None, (folder / "out.txt").read_text()
        yield driver, experiment, program.with_name("go_on"), board
    finally:
        program.with_name("go_on").touch()
        driver.wait(WAIT_S)
        if board is not None:
            board.process.terminate()
            board.process.wait(WAIT_S)


def named(experiment):
    """Return the versions by their constants, as names have them."""
    return {folder.name.partition(",")[2]: folder.name for folder in experiment.glob("0*")}


ENDED = {
    "baseline": ({"STAGE": "steady", "LR": 0.1}, "STATUS_SUCCESS", 0.52),
    "STAGE=weak,LR=0.1": ({"STAGE": "weak", "LR": 0.1}, "STATUS_SUCCESS", 0.1),
    "STAGE=weak,LR=0.2": ({"STAGE": "weak", "LR": 0.2}, "STATUS_SUCCESS", 0.1),
    "STAGE=raises,LR=0.1": ({"STAGE": "raises", "LR": 0.1}, "STATUS_FAILURE", 0.7),
}
WAITS = "STAGE=running,LR=0.1"


def test_tensorboard_when_trials_run_and_ended_then_shows_them_all(search):
    _, experiment, _, board = search
    wait_for(lambda: len(named(experiment)) == 5)
    versions = named(experiment)
    wanted = {
        **ENDED,
        WAITS: ({"STAGE": "running", "LR": 0.1}, "STATUS_UNKNOWN", 0.7),
    }  # none is written before the end
    rows = {versions[name]: row for name, row in wanted.items()}
    wait_for(board.sessions, lambda found: found == rows)

    assert board.runs() == set(versions.values())
    assert board.curve(versions["baseline"]) == [0.5, 0.51, 0.52]
    assert board.curve(versions["STAGE=weak,LR=0.2"]) == [0.1]
    columns = {
        each["name"]: each["type"]
        for each in board.ask("data/plugin/hparams/experiment", experimentName="")["hparamInfos"]
    }
    assert columns == {"STAGE": "DATA_TYPE_STRING", "LR": "DATA_TYPE_FLOAT64"}


@pytest.mark.browser
def test_the_hparams_tab_when_it_is_looked_at_then_has_a_row_for_every_trial(search, browser, tmp_path):
    _, experiment, _, board = search
    browser.look(width=1600)
    browser.open(f"{board.address}#hparams")

    browser.wait(DEEP_TEXT, [*named(experiment).values(), "0.2", "weak", "raises", "running"])


def test_tensorboard_when_a_trial_goes_on_then_follows_it_without_a_restart(search):
    driver, experiment, go_on, board = search
    go_on.touch()
    version = named(experiment)[WAITS]

    ended = ({"STAGE": "running", "LR": 0.1}, "STATUS_SUCCESS", 0.72)
    wait_for(board.sessions, lambda found: found[version] == ended)
    assert board.curve(version) == [0.7, 0.71, 0.72]
    assert driver.wait(WAIT_S) == 0
