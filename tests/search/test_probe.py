"""What a node says of itself when it is asked."""

from dataclasses import replace

import pytest

from tune.cluster import node_checks as probe
from tune.cluster.node_checks import TOKEN, NodeAnswer, NodeQuestion, check_node, read_file_identity

FINE = NodeAnswer(sees_storage=True, write_error=None, sees_project=True, missing=())


@pytest.fixture
def question(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "PATIENCE_S", 0.3)
    (tmp_path / TOKEN).write_text("abc")
    program = tmp_path / "train.py"
    program.write_text("LR = 1\n")
    return NodeQuestion(
        folder=tmp_path,
        token="abc",
        program=program,
        sign=read_file_identity(program),
        packages=("torch", "ruamel.yaml"),
    )


def test_a_node_that_sees_all_says_so_and_leaves_its_own_file(question):
    assert check_node(question, "node") == FINE
    assert (question.folder / "node").read_text() == "abc"


@pytest.mark.parametrize("text", [None, "of another search"])
def test_a_node_with_another_folder_of_that_name_does_not_see_the_storage(question, tmp_path, text):
    folder = tmp_path / "other"
    folder.mkdir()
    if text is not None:
        (folder / TOKEN).write_text(text)
    assert check_node(replace(question, folder=folder), "node") == replace(FINE, sees_storage=False)
    assert not (folder / "node").exists()


def test_a_node_that_cannot_write_says_why(question):
    (question.folder / "node").mkdir()
    assert check_node(question, "node") == replace(FINE, write_error="Is a directory")


def test_a_copy_of_the_project_is_not_the_project(question, tmp_path):
    program = tmp_path / "copy" / "train.py"
    program.parent.mkdir()
    program.write_bytes(question.program.read_bytes())
    assert check_node(replace(question, program=program), "node") == replace(FINE, sees_project=False)
    assert check_node(replace(question, program=tmp_path / "none.py"), "node") == replace(FINE, sees_project=False)


def test_packages_that_are_not_there_are_named(question):
    asked = replace(question, packages=("torch", "no_such_module", "no_such_package.part"))
    assert check_node(asked, "node") == replace(FINE, missing=("no_such_module", "no_such_package.part"))
