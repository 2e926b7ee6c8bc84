"""Where a worker finds the project."""

from dataclasses import replace

import pytest

from tests.projects import write_program
from tests.searched import Worker
from tune.trial.messages import PROJECT, find_unshared_error, localize_job

SPACE = "system: paced.py\nmetric: Score/Val\nmode: max\nconstants:\n  LR: {loguniform: [1e-3, 1]}\n"


@pytest.fixture
def job(tmp_path):
    program = write_program(tmp_path / "project", "paced")
    program.with_name("s.yaml").write_text(SPACE)
    (tmp_path / "project" / "sub").mkdir()
    return Worker(program.with_name("s.yaml"), tmp_path / "exp", server=None).job


FOLDERS = [("project", "."), ("project/sub", "sub"), ("project/gone", "."), (".", ".")]


@pytest.mark.parametrize(("was", "is_below"), FOLDERS)
def test_a_project_that_travelled_is_taken_from_where_ray_unpacked_it(job, tmp_path, monkeypatch, was, is_below):
    unpacked = tmp_path / "unpacked"
    (unpacked / PROJECT / "sub").mkdir(parents=True)
    monkeypatch.chdir(unpacked)
    there = localize_job(replace(job, travels=True, folder=(tmp_path / was)))
    assert there.program.root == unpacked / PROJECT
    assert there.program.path == unpacked / PROJECT / "paced.py"
    assert there.folder == unpacked / PROJECT / is_below
    assert there.snapshot == job.snapshot


def test_a_project_that_is_at_its_own_place_stays_there(job):
    assert localize_job(job) is job


def test_a_folder_that_this_node_has_not_is_the_project_s(job, tmp_path):
    assert localize_job(replace(job, folder=tmp_path / "gone")).folder == job.program.root


def test_a_node_that_does_not_see_the_experiment_says_so(job, tmp_path):
    assert find_unshared_error(job) is None
    error = find_unshared_error(replace(job, snapshot=tmp_path / "elsewhere"))
    assert error.where == str(tmp_path / "elsewhere")
    assert error.what.startswith("the node ")
    assert error.what.endswith(" does not see it")
