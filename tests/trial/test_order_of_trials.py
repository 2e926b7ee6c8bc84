"""The same configuration has the same curve to the last bit, whether its trial is the first one or a later one."""

import os
import pickle
import tempfile
from pathlib import Path

import pytest

from tests.trial.conftest import Worker
from tests.trial.test_own_process import program
from tune.trial.process.client import prepare_template, process_server

DATA = "torch.linspace(-1, 1, 16).reshape(8, 2)"
DRAWN = "torch.randn(8, 2) + random.random() + torch.tensor(numpy.random.rand(8, 2)).float()"
PACKAGE = """
import random
import numpy
import torch

random.random()
numpy.random.seed(1337)
torch.manual_seed(7)
"""


@pytest.fixture
def run_twice(programs, tmp_path, monkeypatch):
    """Return what runs a program before its imports are prepared, and afterwards, and gives both trials."""

    def ran(text):
        (tmp_path / "site-packages").mkdir()
        (tmp_path / "site-packages" / "sidework.py").write_text(PACKAGE)
        path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(tmp_path / "site-packages")])
        monkeypatch.setenv("PYTHONPATH", path)
        with tempfile.TemporaryDirectory(prefix="order-") as folder, process_server(Path(folder)) as server:
            begun = Worker(programs("program", text), tmp_path / "storage", server, metric="Loss/Val", mode="min")
            first = begun.run(preflight=True)
            job = Path(folder) / "job"
            job.write_bytes(pickle.dumps(begun.job))
            prepare_template(server, job, {"sidework": None}, warm=True, wait_s=60)
            return first, begun.run()

    return ran


def test_an_installed_package_that_draws_or_seeds_numbers_does_so_in_each_trial(run_twice):
    text = program().replace(DATA, DRAWN)
    first, later = run_twice(
        text.replace("import os\n", "import os\nimport random\nimport numpy\nimport sidework\n", 1)
    )

    assert (first.failure, later.failure) == (None, None)
    assert later.record.curve == first.record.curve


def test_a_variable_that_a_library_reads_as_it_is_first_used_is_read_in_each_trial(run_twice):
    first, later = run_twice(program(at_import="os.environ['MKL_VERBOSE'] = '1'"))

    assert (first.failure, later.failure) == (None, None)
    assert ("MKL_VERBOSE" in first.log) == ("MKL_VERBOSE" in later.log)
