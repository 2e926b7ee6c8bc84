"""The template that trials are forked from."""

import contextlib
import importlib
import os
import pickle
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from tests.trial.test_own_process import parent_of, program, run, server_of
from tune.errors import StartError
from tune.internals import lightning_internals
from tune.trial.lightning.packages import PACKAGES
from tune.trial.process import template
from tune.trial.process.client import ForkedProcess, may_fork, prepare_template, process_server
from tune.trial.process.linux import children_of, command_of
from tune.trial.process.packets import encode_line
from tune.trial.process.server import MOST_RETRIES


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


@pytest.fixture(scope="module")
def own_server():
    with tempfile.TemporaryDirectory(prefix="own-") as folder, process_server(Path(folder)) as path:
        yield path


@pytest.fixture
def begun(worker, own_server):
    """Return a worker of a server of this module's own, which has a template for it."""
    started = worker("program", program(), metric="Loss/Val", mode="min")
    started.server = own_server
    own_server.with_name("job").write_bytes(pickle.dumps(started.job))
    prepare_template(own_server, own_server.with_name("job"), {}, warm=True, wait_s=60)
    return started


def test_templates_that_are_asked_for_one_after_the_other_end_no_server(begun):
    """One is asked for while the template before it ends, as by two actors whose pre-flights end together."""
    for number in range(24):
        wait_s = 60.0 if number % 3 == 0 else 0.0
        prepare_template(begun.server, begun.server.with_name("job"), {}, warm=True, wait_s=wait_s)
        time.sleep(number % 7 * 0.02)

    told, record, _ = run(begun)
    assert (told.death, record.stage) == (None, "complete")


@pytest.mark.parametrize("which", ["current", "first"])
def test_a_template_that_is_asked_for_as_another_one_dies_is_made(begun, which):
    trial = ForkedProcess(begun.server)
    victim = parent_of(trial.pid) if which == "current" else min(children_of(server_of(trial)))
    trial.close()
    file = str(begun.server.with_name("job"))
    os.kill(victim, signal.SIGSTOP)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as client:
        client.connect(str(begun.server))
        client.sendall(encode_line({"do": "prepare", "job": file, "packages": {}, "warm": which == "current"}))
        time.sleep(0.2)  # the server has asked the one that has stopped
        os.kill(victim, signal.SIGKILL)
        client.settimeout(60)
        assert b'"ready": true' in client.recv(65536)

    told, record, _ = run(begun)
    assert (told.death, record.stage) == (None, "complete")


def test_a_template_that_is_killed_again_and_again_is_not_told_as_one_that_cannot_import():
    before = set(children_of(os.getpid()))
    with tempfile.TemporaryDirectory(prefix="own-") as folder, process_server(Path(folder)) as path:
        server, killed, until = None, set(), time.monotonic() + 60
        while server is None and time.monotonic() < until:  # until the fork has begun its own command
            started = set(children_of(os.getpid())) - before  # by a thread of another test perhaps, too
            server = next((each for each in started if b"tune.trial.process.server" in command_of(each)), None)
            time.sleep(0.05)
        while len(killed) <= MOST_RETRIES and time.monotonic() < until:
            for template in set(children_of(server)) - killed:
                killed.add(template)
                os.kill(template, signal.SIGKILL)
            time.sleep(0.05)

        with pytest.raises(StartError, match=r"imports torch and Lightning was ended: killed by SIGKILL"):
            ForkedProcess(path)
