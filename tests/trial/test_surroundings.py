"""What a search ran on is written once, and a trial says only what is otherwise."""

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.nvml import FOLDER, fake_nvml
from tests.projects import write_program
from tune.experiment import environment
from tune.experiment.environment import (
    find_environment_changes,
    name_gpus,
    observe_environment,
    read_environment,
    write_environment,
)
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program

ROOT = Path(__file__).parents[2]


def test_what_a_program_imports_is_written_with_its_version(tmp_path):
    (tmp_path / "helper.py").write_text("from sklearn.datasets import load_digits\n")
    (tmp_path / "p.py").write_text("import helper\nimport os, psutil\nimport pytorch_lightning as pl\n")
    found = observe_environment(find_program(tmp_path / "p.py"), 2, "H200")

    assert found["scikit-learn"] == version("scikit-learn")
    assert found["torch"] == version("torch")
    assert found["python"] == platform.python_version()
    assert (found["threads"], found["GPU"]) == ("2", "H200")
    assert not found.keys() & {"os", "psutil"}  # Ray has its own psutil


def test_a_trial_says_what_is_otherwise_and_nothing_else(tmp_path):
    (tmp_path / "p.py").touch()
    then = observe_environment(find_program(tmp_path / "p.py"), 2, "")

    assert find_environment_changes(then, 2, gpus="") == {}
    assert find_environment_changes(then, 1, gpus="") == {"threads": "1"}
    assert find_environment_changes({**then, "torch": "2.4.1", "gone": "1.0"}, 2, gpus="") == {
        "torch": version("torch"),
        "gone": "",
    }


VERSIONS = {
    "cuda: Optional[str] = '12.8'\n": "12.8",
    "cuda = '11.8'\nhip = '6.0'\n": "11.8",
    "cuda: Optional[str] = None\nhip: Optional[str] = None\n": "",
    "": "",
}


@pytest.mark.parametrize(("text", "version"), VERSIONS.items())
def test_where_a_trial_has_a_gpu_its_driver_and_the_cuda_of_torch_are_written(monkeypatch, tmp_path, text, version):
    (tmp_path / "p.py").touch()
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "torch" / "version.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    fake_nvml(monkeypatch, MIXED)
    for each in (environment._read_driver, environment._read_torch_cuda):
        each.cache_clear()
        monkeypatch.setattr(environment, each.__name__, each.__wrapped__)

    found = observe_environment(find_program(tmp_path / "p.py"), 1, "NVIDIA A100")
    assert (found["driver"], found["CUDA"]) == ("570.86.10", version)
    monkeypatch.setenv("FAKE_DRIVER", "580.65.06")
    assert find_environment_changes(found, 1, gpus="NVIDIA A100") == {"driver": "580.65.06"}
    on_cpu = observe_environment(find_program(tmp_path / "p.py"), 1, "")
    assert (on_cpu["driver"], on_cpu["CUDA"]) == ("", "")


def test_what_an_earlier_version_did_not_write_is_no_change(tmp_path):
    (tmp_path / "p.py").touch()
    then = observe_environment(find_program(tmp_path / "p.py"), 1, "A100")
    del then["driver"], then["CUDA"]

    assert find_environment_changes(then, 1, gpus="A100") == {}


def test_nothing_is_said_where_nothing_was_written(tmp_path):
    assert find_environment_changes({}, 1, gpus="") == {}
    assert read_environment(ExperimentPaths(tmp_path)) == {}


def test_what_was_written_is_read(tmp_path):
    write_environment({"torch": "2.13"}, ExperimentPaths(tmp_path))

    assert read_environment(ExperimentPaths(tmp_path)) == {"torch": "2.13"}


MIXED = [{"uuid": "GPU-5ebe", "name": "NVIDIA A100"}, {"uuid": "GPU-77aa", "name": "NVIDIA T1000"}, {}]
NAMES = {
    None: "NVIDIA A100, NVIDIA T1000",
    "": "",
    "-1": "",
    "1": "NVIDIA T1000",
    "0,0": "",
    "1,9": "NVIDIA T1000",
    "GPU-77": "NVIDIA T1000",
    "GPU-5ebe,GPU-77aa": "NVIDIA A100, NVIDIA T1000",
    "2": "",
}


@pytest.mark.parametrize(("visible", "names"), NAMES.items())
def test_the_gpus_that_are_named_are_those_that_may_be_used(monkeypatch, visible, names):
    fake_nvml(monkeypatch, MIXED)
    name_gpus.cache_clear()

    assert name_gpus(visible) == names


def test_a_slice_has_the_name_of_its_gpu(monkeypatch):
    fake_nvml(monkeypatch, [{"uuid": "GPU-5ebe", "name": "NVIDIA A100", "slices": [{"uuid": "MIG-a1"}]}])
    name_gpus.cache_clear()

    assert (name_gpus("MIG-a1"), name_gpus("0")) == ("NVIDIA A100",) * 2


HAVING = [("A, B", "A", {}), ("A, B", "A, B", {}), ("A", "A, B", {"GPU": "A, B"}), ("A", "", {"GPU": ""}), ("", "", {})]


@pytest.mark.parametrize(("then", "now", "told"), HAVING)
def test_a_trial_on_one_of_the_gpus_of_its_search_has_no_other_gpu(then, now, told):
    known = {"GPU": then, "threads": "2"}

    assert {key: text for key, text in find_environment_changes(known, 2, gpus=now).items() if key == "GPU"} == told


TRIALS = """
system: scripted.py
metric: Score/Val
mode: max
constants: {LR: {loguniform: [1e-3, 1]}}
trials: 2
scheduler: none
trainer: {accelerator: auto, max_epochs: 1}
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--gpu", "1"], []])
def test_trials_ran_on_what_the_search_says_and_are_not_retrained_where_nothing_changed(monkeypatch, tmp_path, words):
    fake_nvml(monkeypatch, MIXED[:2])
    monkeypatch.setenv("PYTHONPATH", f"{FOLDER}:{ROOT}")
    program = write_program(tmp_path / "project", "scripted")
    program.with_name("s.yaml").write_text(TRIALS)

    def run(*arguments):
        command = [sys.executable, ROOT / "run_search.py", *arguments, *words, "--storage", tmp_path / "storage"]
        ran = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    run("--space", "s.yaml", "--no-report")
    paths = ExperimentPaths(tmp_path / "storage" / "s")
    names = "NVIDIA T1000" if words else "NVIDIA A100, NVIDIA T1000"
    assert read_environment(paths)["GPU"] == names
    assert [json.loads(file.read_text())["surroundings"] for file in paths.folder.glob("0*/trial.json")] == [{}] * 2
    run("retrain", "s")
    assert "1 of 1 runs are there already" in run("retrain", "s")
