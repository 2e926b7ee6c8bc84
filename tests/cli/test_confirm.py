"""`--confirm`: a search, the race of its best trials, and the verdict, by the command; with a kill in the middle."""

import json
import re
import shutil
import sys

import pytest

from tests.projects import write_program
from tests.search.test_kill import Driver, wait_for
from tune.cli import main

SPACE = """\
system: chance.py
metric: Score/Val
mode: max
constants:
  EFFECT: {choice: [0.0, 2.0, 3.0]}
trials: 4
sampler: grid
scheduler: none
concurrency: 2
confirm: {top: 2, seeds: 2}
"""


@pytest.fixture
def project(tmp_path):
    program = write_program(tmp_path / "project", "chance")
    (program.parent / "pyproject.toml").touch()
    program.with_name("s.yaml").write_text(SPACE)
    return program.parent


def curves(folder):
    """Return the curve of each retrained run, by what it trained."""
    found = [json.loads(each.read_text()) for each in sorted((folder / "retrain").glob("*/trial.json"))]
    return {(json.dumps(each["constants"]), each["seed"]): each["curve"] for each in found}


@pytest.mark.usefixtures("ray")
def test_confirm_when_a_search_has_ended_then_its_best_race_and_the_winner_is_judged(
    project, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr(sys, "argv", ["run_search.py"])
    storage = ["--storage", str(tmp_path / "storage")]

    assert main(["--space", str(project / "s.yaml"), *storage]) == 0

    lines = capfd.readouterr().out.splitlines()
    (verdict,) = [line for line in lines if line.startswith("confirmed: ")]
    assert verdict.startswith("confirmed: the gain of 3 over the hardcoded values is real: 99.2% interval ")
    seeds = "8 fresh seeds beside the hardcoded values: 3, 4, 5, 6, 7, 8, 9, 10"
    assert f"over the fresh seeds 1, 2; then the winner runs with {seeds}" in lines
    assert "after the trials the confirmation trains at most 20 times more, and 16 where these leave it open" in lines
    assert "at most 20 trainings, and 16 where these leave it open" in lines
    assert not any("retrain s" in line for line in lines[-3:])
    assert lines.index(verdict) < next(n for n, line in enumerate(lines) if line.startswith("the report: "))
    folder = tmp_path / "storage" / "s"
    assert 2 + 16 <= len(curves(folder)) <= 4 + 16
    of_race = [int(each.name.partition(",")[0]) for each in (folder / "retrain").glob("*,seed=2,EFFECT=*")]
    assert max(of_race) < 8  # the race goes first: what comes of it may make others needless
    assert verdict.removeprefix("confirmed: ")[:20] in (folder / "report.html").read_text()

    main(["resume", "s", *storage])
    again = capfd.readouterr().out.splitlines()
    assert verdict in again
    assert not any(line.startswith("after the trials the confirmation") for line in again)
    assert any(line.endswith("runs are there already") for line in again)
    main(["results", "s", *storage])
    assert verdict in capfd.readouterr().out.splitlines()


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_confirm_when_resume_is_told_then_a_search_without_it_is_confirmed(project, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run_search.py"])
    space, storage = project / "s.yaml", ["--storage", str(tmp_path / "storage")]
    space.write_text(SPACE.partition("confirm:")[0])
    assert main(["--space", str(space), *storage]) == 0
    assert not (tmp_path / "storage" / "s" / "verdicts.json").exists()

    assert main(["resume", "s", "--confirm", *storage]) == 0

    assert any(line.startswith("confirmed: the gain of") for line in capfd.readouterr().out.splitlines())
    (noted,) = json.loads((tmp_path / "storage" / "s" / "verdicts.json").read_text())["verdicts"]
    assert (len(noted["race_seeds"]), len(noted["seeds"]), noted["number"]) == (3, 8, 1)


@pytest.mark.slow
def test_confirm_when_it_is_killed_in_the_middle_then_resume_comes_to_the_same_verdict(project, tmp_path):
    undisturbed = Driver(tmp_path, "--space", "s.yaml", "--name", "one")
    assert undisturbed.process.wait(180) == 0
    whole = next(line for line in undisturbed.told.splitlines() if line.startswith("confirmed: "))
    shutil.rmtree(tmp_path / "storage" / "one")  # so that the other one's verdict is the first of the project

    driver = Driver(tmp_path, "--space", "s.yaml", "--name", "other")
    retrained = tmp_path / "storage" / "other" / "retrain"
    wait_for(lambda: len([*retrained.glob("*/trial.json")]) >= 5, 120)
    driver.kill()
    resumed = Driver(tmp_path, "resume", "other")
    assert resumed.process.wait(180) == 0

    assert whole in resumed.told.splitlines()
    assert len(curves(tmp_path / "storage" / "other")) == len([*retrained.glob("*/trial.json")])


TWO_METRICS = """
    def validation_step(self, batch, idx):
        self.log("Score/Val", EFFECT + torch.randn(()).item())
        self.log("Cost/Val", EFFECT + 0.1 * torch.randn(()).item())
"""


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_confirm_of_several_metrics_tells_each_trial_of_the_front_in_each_metric(project, tmp_path, capfd):
    space, program, storage = project / "s.yaml", project / "chance.py", ["--storage", str(tmp_path / "storage")]
    head, _, tail = program.read_text().partition("\n    def validation_step")
    program.write_text(f"{head}{TWO_METRICS}\n    def configure{tail.partition('    def configure')[2]}")
    space.write_text(SPACE.replace("metric: Score/Val\nmode: max", "metric: [Score/Val, Cost/Val]\nmode: [max, min]"))

    assert main(["--space", str(space), *storage]) == 0

    told = capfd.readouterr().out
    assert re.search(r"^\d+,EFFECT=3, Score/Val: the gain of [\d.]+ .* is real: ", told, re.MULTILINE)
    assert re.search(r"^\d+,EFFECT=3, Cost/Val: the loss of [\d.]+ .* is real: ", told, re.MULTILINE)


WITHOUT_SEED = """
    def on_train_epoch_end(self):
        time.sleep(1.0)

    def validation_step(self, batch, idx):
        self.log("Score/Val", float(EFFECT))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_confirm_when_no_seed_changes_anything_then_the_search_takes_the_time_that_was_kept(project, tmp_path, capfd):
    space, program, storage = project / "s.yaml", project / "chance.py", ["--storage", str(tmp_path / "storage")]
    head, _, tail = program.read_text().partition("\n    def validation_step")
    program.write_text(f"import time\n{head}{WITHOUT_SEED}\n    def configure{tail.partition('    def configure')[2]}")
    text = SPACE.replace("choice: [0.0, 2.0, 3.0]", "uniform: [0.0, 3.0]").replace("sampler: grid\n", "")
    space.write_text(text.replace("trials: 4", "trials: 1000"))

    main(["--space", str(space), "--time-budget", "60s", *storage])

    told = capfd.readouterr().out
    trials, goes_on, more = told.partition("no seed changes anything: the search goes on")
    assert goes_on
    assert trials.count("EFFECT=") > 2
    assert more.partition("no verdict: the seed is not in force")[0].count("complete") >= 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("confirm: 3", "confirm: must be true, false or a mapping, got 3"),
        ("confirm: {top: 0}", "confirm: top must be a whole number, 1 to 100, got 0"),
        ("confirm: {seeds: 1}", "confirm: seeds must be a whole number, 2 to 100, got 1"),
        ("confirm: {seed: 3}", "confirm: no such key, got 'seed'"),
        ("confirm: {top: true}", "confirm: top must be a whole number, 1 to 100, got True"),
    ],
)
def test_a_wrong_confirm_is_told_before_anything_runs(project, tmp_path, capsys, text, what):
    (project / "s.yaml").write_text(SPACE.partition("confirm:")[0] + text)

    assert main(["--space", str(project / "s.yaml"), "--storage", str(tmp_path / "storage")]) == 2
    assert what in capsys.readouterr().err
    assert not (tmp_path / "storage").exists()
