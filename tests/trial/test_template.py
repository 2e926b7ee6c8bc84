"""The template that trials are forked from."""

import importlib
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from tune.internals import lightning_internals
from tune.trial.lightning.packages import PACKAGES
from tune.trial.process import template
from tune.trial.process.client import may_fork, prepare_template, process_server


@pytest.mark.parametrize("build", ["cuda", "hip"])
def test_a_template_where_a_gpu_may_be_asks_cuda_for_nothing_and_trains_nothing(tmp_path, monkeypatch, build):
    asked = []
    monkeypatch.setattr(torch.version, build, "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: asked.append("asks the driver") or True)
    monkeypatch.setattr(template, "GPU_DRIVERS", (os.devnull,))
    monkeypatch.delitem(sys.modules, "tune.trial.lightning.toy_fit", raising=False)

    template._train_toy(tmp_path)

    assert asked == []
    assert "tune.trial.lightning.toy_fit" not in sys.modules


@pytest.mark.parametrize(
    ("build", "drivers"),
    [
        pytest.param(None, (os.devnull,), id="a CPU build of torch"),
        pytest.param("12.8", ("/dev/no-gpu",), id="no driver"),
    ],
)
def test_without_a_gpu_or_a_build_for_one_no_fork_is_tried(monkeypatch, build, drivers):
    forks = []
    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(template, "GPU_DRIVERS", drivers)
    monkeypatch.setattr(os, "fork", lambda: forks.append(1))

    assert template._find_bad_fork() is None
    assert forks == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(template._may_use_gpus(), reason="no template trains here")
def test_a_template_trains_with_each_lightning_that_is_imported(tmp_path):
    for name in PACKAGES:
        importlib.import_module(name)
    lightning_internals._wrap_once.cache_clear()

    template._train_toy(tmp_path)

    with lightning_internals.skip_redundant_work(importlib.import_module("pytorch_lightning")):
        registry = importlib.import_module("lightning_fabric.utilities.registry")
        assert registry.entry_points.cache_info().misses == len(PACKAGES)  # each asks for callbacks of its own


@pytest.mark.skipif(not may_fork() or template._may_use_gpus(), reason="no template trains here")
def test_a_template_that_is_ended_while_it_trains_leaves_nothing(worker, programs, monkeypatch):
    job = worker("scripted", programs("scripted").read_text()).job
    with tempfile.TemporaryDirectory(prefix="own-") as folder:  # short: it holds a socket
        temporary, served = Path(folder) / "tmp", Path(folder) / "served"
        temporary.mkdir()
        served.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        with process_server(served) as server:
            (served / "job").write_bytes(pickle.dumps(job))
            prepare_template(server, served / "job", {}, warm=True)
            until = time.monotonic() + 60
            while not (trained := [*temporary.glob("promotune-*"), *served.glob("toy-*")]) and time.monotonic() < until:
                time.sleep(0.001)

        assert trained
        assert list(temporary.glob("*promotune*")) == []  # torch has a folder for its own there
