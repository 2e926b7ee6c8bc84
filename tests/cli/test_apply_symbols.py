"""``apply`` writes a name as a name: ``ACTIVATION = nn.Tanh``, and no text."""

import pytest

from tests.cli.test_apply import apply, make  # noqa: F401 - fixtures
from tune.experiment.open import open_experiment
from tune.promotion.resolve import resolve_constants
from tune.results.report.value_table import source_diff

# ruff: noqa: F811

NET = """\
import torch
from torch import nn

ACT = nn.ReLU  # or another
CFG = {"opt": torch.optim.Adam, "lr": 0.1}


def build(norm=nn.Identity, mode="fast"):
    return ACT(), CFG["opt"], norm(), mode


net = build()
"""
SPACE = """\
system: net.py
metric: Loss
mode: min
constants:
  ACT: {choice: [nn.ReLU, nn.Tanh]}
  "CFG['opt']": {choice: [torch.optim.Adam, torch.optim.SGD]}
  build.norm: {choice: [nn.Identity, nn.BatchNorm1d]}
  build.mode: {choice: [fast, slow]}
"""
HARDCODED = {"ACT": "nn.ReLU", "CFG['opt']": "torch.optim.Adam", "build.norm": "nn.Identity", "build.mode": "fast"}
BEST = {"ACT": "nn.Tanh", "CFG['opt']": "torch.optim.SGD", "build.norm": "nn.BatchNorm1d", "build.mode": "slow"}
WRITTEN = (
    NET.replace("nn.ReLU", "nn.Tanh")
    .replace("optim.Adam", "optim.SGD")
    .replace("nn.Identity", "nn.BatchNorm1d")
    .replace("fast", "slow")
)


@pytest.fixture
def root(make):
    return make({"net.py": NET}, SPACE, [(0.9, HARDCODED), (0.1, BEST), (0.5, {**BEST, "ACT": "nn.ReLU"})])


def test_names_are_written_without_quotes_and_a_second_time_there_is_nothing_to_do(root, apply):
    assert apply("--write")[1].endswith("\nwritten: net.py\n")
    assert (root / "net.py").read_text() == WRITTEN
    assert "\nnothing to do: net.py holds ACT=nn.Tanh, " in apply("--write")[1]
    assert (root / "net.py").read_text() == WRITTEN


def test_another_trial_replaces_what_was_written_and_the_baseline_undoes_it(root, apply):
    apply("--write")

    assert apply("--trial", "2", "--write")[1].endswith("\nwritten: net.py\n")
    assert (root / "net.py").read_text() == WRITTEN.replace("nn.Tanh", "nn.ReLU")
    assert apply("--trial", "0", "--write")[1].endswith("\nwritten: net.py\n")
    assert (root / "net.py").read_text() == NET


def test_a_name_that_was_edited_by_hand_is_left_alone(root, apply):
    (root / "net.py").write_text(NET.replace("nn.ReLU", "nn.ELU"))

    told = apply("--write")[1]

    assert (root / "net.py").read_text() == WRITTEN.replace("ACT = nn.Tanh", "ACT = nn.ELU")
    assert "ACT" in told.partition("written: ")[0]


def test_the_diff_of_the_report_is_that_of_apply(root, apply):
    folder = root.parent / "storage" / "exp"
    experiment = open_experiment(str(folder), folder)
    diff = source_diff(experiment, resolve_constants(experiment.space, experiment.snapshot.stored_program))

    assert "+ACT = nn.Tanh  # or another\n" in diff
    assert diff in apply()[1]
