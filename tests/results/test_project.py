"""Searches of one program and metric in one storage: in which order they stand, and what their verdicts left."""

import json
import os
import shutil
import time

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tune.cli import main
from tune.experiment.verdicts import write_verdict
from tune.results.confirm.plan import plan_confirmation
from tune.results.confirm.project import find_search_number, list_projects
from tune.space.settings import Confirm

TRIALS = [Trial(curve=[0.8]), Trial(curve=[0.9], values={"LR": 0.02})]


@pytest.fixture
def write(tmp_path):
    def begin(name, space=SPACE, *, age_s=0.0):
        experiment = write_experiment(tmp_path, TRIALS, space, name=name)
        began = time.time() - age_s
        os.utime(experiment.paths.source / "snapshot.json", (began, began))
        return experiment

    return begin


def plan_verdict(experiment):
    write_verdict(experiment.paths, plan_confirmation(experiment, Confirm()))


def listed(storage, capfd, *options):
    assert main(["list", *options, "--storage", str(storage)]) == 0
    return capfd.readouterr().out


def test_projects_when_there_are_two_metrics_then_their_searches_are_told_apart_in_the_order_of_their_beginning(write):
    first = write("b", age_s=20)
    write("a", age_s=10)
    write("loss", SPACE.replace("Score/Val", "Loss/Val"), age_s=15)
    plan_verdict(first)

    score, loss = list_projects(first.paths.folder.parent)

    assert (score.metric, score.searches, score.n_verdicts, score.n_next_seeds) == ("Score/Val", ("b", "a"), 1, 10)
    assert score.error_rate_left == pytest.approx(1 - 6 / 3.14159265**2)
    assert (loss.metric, loss.searches, loss.n_verdicts, loss.error_rate_left) == ("Loss/Val", ("loss",), 0, 1.0)


def test_projects_when_a_search_with_an_earlier_verdict_was_deleted_then_its_verdict_still_counts(write):
    first, second = write("first", age_s=20), write("second", age_s=10)
    plan_verdict(first)
    plan_verdict(second)
    shutil.rmtree(first.paths.folder)

    (project,) = list_projects(second.paths.folder.parent)

    assert (project.searches, project.n_verdicts) == (("second",), 2)
    assert find_search_number(second).number == 1


def test_projects_when_a_folder_is_damaged_or_never_began_then_the_others_are_counted(write, capfd):
    first, damaged, begun, last = (write(name, age_s=40 - 10 * n) for n, name in enumerate("abcd"))
    plan_verdict(damaged)
    damaged.paths.space.write_text("constants: [")
    begun.paths.journal.write_text("")
    (first.paths.folder.parent / "a file").write_text("x")

    (project,) = list_projects(first.paths.folder.parent)

    assert (project.searches, project.n_verdicts) == (("a", "d"), 1)
    assert find_search_number(last).number == 2
    told = {each["name"]: each["project"] for each in json.loads(listed(first.paths.folder.parent, capfd, "--json"))}
    assert told["b"] is told["c"] is None
    assert (told["a"]["search"], told["d"]["search"], told["d"]["n_searches"]) == (1, 2, 2)


def test_a_list_says_which_searches_share_an_error_rate_and_what_is_left_of_it(write, capfd):
    storage = write("one", age_s=20).paths.folder.parent
    assert "error rate" not in listed(storage, capfd)

    plan_verdict(write("two", age_s=10))
    write("loss", SPACE.replace("Score/Val", "Loss/Val"))

    heading, project = listed(storage, capfd).splitlines()[-2:]
    assert heading == "searches of one program and metric share an error rate of 5% for their verdicts:"
    assert project.endswith(
        "program.py, Score/Val: 2 searches (one, two), 1 verdict, 39% of it left; the next one takes 10 seeds"
    )


def test_a_list_when_a_project_has_many_searches_then_it_names_the_first_and_the_last_ones(write, capfd):
    experiments = [write(f"s{number}", age_s=60 - 10 * number) for number in range(6)]
    storage = experiments[0].paths.folder.parent

    assert (
        listed(storage, capfd)
        .splitlines()[-1]
        .endswith("program.py, Score/Val: 6 searches (s0, s1, ..., s4, s5), no verdict yet")
    )
