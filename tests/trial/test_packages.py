"""Which modules of installed packages a template imports for its trials, and that each of these then costs nothing."""

import os
import pickle
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.events import scalars
from tests.processes import run_in_process
from tune.promotion.program import find_program
from tune.trial.messages import TrialTask
from tune.trial.process.client import prepare_template, process_server
from tune.trial.process.program_imports import find_new_imports, find_top_level_imports

IMPORTS = {
    "whatever happens": ("import json, numpy as np\nfrom os import path", ("json", "numpy", "os")),
    "of the project": ("import mine\nfrom pack.own import x\nimport json", ("json",)),
    "under a condition": (
        "if True:\n    import json\ntry:\n    import csv\nexcept ImportError: pass\nimport abc",
        ("abc",),
    ),
    "in a function": ("def f():\n    import json\nimport abc", ("abc",)),
    "behind a variable": ("import os\nos.environ['HOME'] = 'x'\nimport json", ()),
    "behind a path": ("import sys\nsys.path.append('..')\nimport json", ()),
}


@pytest.mark.parametrize(("text", "names"), IMPORTS.values(), ids=IMPORTS)
def test_modules_that_a_program_imports_first_are_those_of_its_top_level(programs, text, names):
    path = programs("main", text)
    path.with_name("mine.py").write_text("import csv\n")
    (path.parent / "pack").mkdir()
    (path.parent / "pack" / "own.py").write_text("x = 1\n")

    found = find_top_level_imports(find_program(path))

    assert tuple(name for name in found if name != "csv") == names
    assert ("csv" in found) == ("import mine" in text)  # what its own modules import counts, too


def test_modules_that_were_imported_since_come_with_their_files_and_without_the_projects(programs):
    path = programs("main", "import os\nos.environ['X'] = '1'\n")
    before = set(sys.modules) - {"json", "json.decoder"}
    program = find_program(path)

    found = find_new_imports(before, program, {})

    assert found.keys() >= {"json", "json.decoder"}
    assert all(file is not None and not file.startswith(str(path.parent)) for file in found.values())
    assert find_new_imports(before, program, {"X": "1"}) == {}, "an import may have read what the program set"


SLOW_S = 1.0
PROGRAM = """
import os, sys, time
BEGAN = time.monotonic()
import slow_package
TOOK_S = time.monotonic() - BEGAN
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

MAX_EPOCHS = 1


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(1, 1)

    def training_step(self, batch, idx):
        return self.net(batch[0]).mean()

    def validation_step(self, batch, idx):
        self.log("Import/S", TOOK_S)
        self.log("Variable", float(os.environ.get("SET_BY_PACKAGE", 0)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders():
    data = DataLoader(TensorDataset(torch.zeros(2, 1)))
    return data, data
"""
PACKAGES = {
    "slow": f"import time; time.sleep({SLOW_S})",
    "that sets a variable": f"import os, time; time.sleep({SLOW_S}); os.environ['SET_BY_PACKAGE'] = '7'",
    "that starts a thread": f"import threading, time; time.sleep({SLOW_S}); threading.Thread(target=time.sleep, "
    "args=(600,), daemon=True).start()",
    "that asks CUDA for its GPUs": f"""
import os, sys, time
import torch
from tune.trial.process import template

# what a CUDA build on a machine with GPUs does: forks made from now on cannot use CUDA, though it is not initialised
bad = []
os.register_at_fork(after_in_child=lambda: bad.append(True))
torch.cuda._is_in_bad_fork = lambda: bool(bad)
torch.version.cuda = "12.8"
template.GPU_DRIVERS = (os.devnull,)
time.sleep({SLOW_S})
""",
}
BREAK_FORKS = ("that starts a thread", "that asks CUDA for its GPUs")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server whose processes find one more package, as an installed one."""
    packages = tmp_path_factory.mktemp("site-packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(packages))
        with tempfile.TemporaryDirectory(prefix="promotune-") as folder, process_server(Path(folder)) as path:
            patch.undo()
            yield path, packages


@pytest.mark.parametrize("kind", PACKAGES)
def test_a_package_that_was_prepared_costs_a_trial_no_import_unless_it_breaks_a_fork(own_server, worker, kind):
    server, packages = own_server
    shutil.rmtree(packages / "__pycache__", ignore_errors=True)
    (packages / "slow_package.py").write_text(PACKAGES[kind])
    begun = worker("net", PROGRAM, metric="Import/S", mode="min")
    file = server.with_name("job")
    file.write_bytes(pickle.dumps(begun.job))
    prepare_template(server, file, {}, warm=False, wait_s=60)  # without those of other kinds
    prepare_template(server, file, {"slow_package": None}, warm=True, wait_s=60)

    told = run_in_process(server, begun.job, TrialTask(number=0, version=str(begun.storage / "000"), seed=0))

    (epoch,) = told.epochs
    assert (epoch.value < SLOW_S / 2) == (kind not in BREAK_FORKS)
    assert "SET_BY_PACKAGE" not in os.environ
    if kind == "that sets a variable":
        assert scalars(begun.storage / "000")["Variable"][0][1] == 7
