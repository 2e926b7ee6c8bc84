"""`--confirm`: a search, the race of its best trials, and the verdict, by the command; with a kill in the middle."""

import json
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
    assert verdict.startswith("confirmed: the gain of 3 over the hardcoded values is real: 99% interval ")
    seeds = "8 fresh seeds beside the hardcoded values: 3, 4, 5, 6, 7, 8, 9, 10"
    assert f"over the fresh seeds 1, 2; then the winner runs with {seeds}" in lines
    assert not any("retrain s" in line for line in lines[-3:])
    assert lines.index(verdict) < next(n for n, line in enumerate(lines) if line.startswith("the report: "))
    folder = tmp_path / "storage" / "s"
    assert 2 + 16 <= len(curves(folder)) <= 4 + 16
    assert verdict.removeprefix("confirmed: ")[:20] in (folder / "report.html").read_text()

    main(["resume", "s", *storage])
    again = capfd.readouterr().out.splitlines()
    assert verdict in again
    assert any(line.endswith("runs are there already") for line in again)
    main(["results", "s", *storage])
    assert verdict in capfd.readouterr().out.splitlines()


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

    driver = Driver(tmp_path, "--space", "s.yaml", "--name", "other")
    retrained = tmp_path / "storage" / "other" / "retrain"
    wait_for(lambda: len([*retrained.glob("*/trial.json")]) >= 5, 120)
    driver.kill()
    shutil.rmtree(tmp_path / "storage" / "one")  # so that the other one's verdict is the first of the project
    resumed = Driver(tmp_path, "resume", "other")
    assert resumed.process.wait(180) == 0

    assert whole in resumed.told.splitlines()
    assert len(curves(tmp_path / "storage" / "other")) == len([*retrained.glob("*/trial.json")])


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
