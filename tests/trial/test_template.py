"""The template that trials are forked from."""

import os
import sys

import pytest
import torch

from tune.trial.process import template


@pytest.mark.parametrize("build", ["cuda", "hip"])
def test_a_template_where_a_gpu_may_be_asks_cuda_for_nothing_and_trains_nothing(monkeypatch, build):
    asked = []
    monkeypatch.setattr(torch.version, build, "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: asked.append("asks the driver") or True)
    monkeypatch.setattr(template, "GPU_DRIVERS", (os.devnull,))
    monkeypatch.delitem(sys.modules, "tune.trial.process.toy_fit", raising=False)

    template._train_toy()

    assert asked == []
    assert "tune.trial.process.toy_fit" not in sys.modules


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
