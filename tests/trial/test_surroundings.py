"""What a search ran on is written once, and a trial says only what is otherwise."""

import platform
from importlib.metadata import version

from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.trial.surroundings import changed, read_surroundings, surroundings, write_surroundings


def test_what_a_program_imports_is_written_with_its_version(tmp_path):
    (tmp_path / "helper.py").write_text("from sklearn.datasets import load_digits\n")
    (tmp_path / "p.py").write_text("import helper\nimport os, psutil\nimport pytorch_lightning as pl\n")
    found = surroundings(find_program(tmp_path / "p.py"), 2, "H200")

    assert found["scikit-learn"] == version("scikit-learn")
    assert found["torch"] == version("torch")
    assert found["python"] == platform.python_version()
    assert (found["threads"], found["GPU"]) == ("2", "H200")
    assert not found.keys() & {"os", "psutil"}  # Ray has its own psutil


def test_a_trial_says_what_is_otherwise_and_nothing_else(tmp_path):
    (tmp_path / "p.py").touch()
    then = surroundings(find_program(tmp_path / "p.py"), 2, "")

    assert changed(then, 2, on_gpu=False) == {}
    assert changed(then, 1, on_gpu=False) == {"threads": "1"}
    assert changed({**then, "torch": "2.4.1", "gone": "1.0"}, 2, on_gpu=False) == {
        "torch": version("torch"),
        "gone": "",
    }


def test_nothing_is_said_where_nothing_was_written(tmp_path):
    assert changed({}, 1, on_gpu=False) == {}
    assert read_surroundings(ExperimentPaths(tmp_path)) == {}


def test_what_was_written_is_read(tmp_path):
    write_surroundings({"torch": "2.13"}, ExperimentPaths(tmp_path))

    assert read_surroundings(ExperimentPaths(tmp_path)) == {"torch": "2.13"}
