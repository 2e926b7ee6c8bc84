"""How many trials a search will have is told before it runs."""

import pytest

from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.search_plan import count_trials
from tune.space.space_file import read_space

PROGRAM = """
import pytorch_lightning as pl

LR = 0.1
WIDTH = 8
OPTIMIZER = "adam"


class Net(pl.LightningModule):
    pass
"""


@pytest.mark.parametrize(
    ("sampler", "constants", "expected"),
    [
        ("grid", "  WIDTH: {randint: [6, 9]}\n  OPTIMIZER: {choice: [sgd, adam, adagrad]}\n", 12),
        ("grid", "  WIDTH: {qrandint: [4, 12, 4]}\n", 3),
        ("grid", "  LR: {quniform: [0.1, 0.5, 0.1]}\n", 5),
        ("grid", "  WIDTH: {randint: [1, 4]}\n", 5),  # the hardcoded 8 is trained, too
        ("grid", "  WIDTH: {qrandint: [7, 11, 2]}\n", 4),
        ("grid", "  WIDTH: {lograndint: [1, 1000]}\n", 30),
        ("random", "  WIDTH: {randint: [7, 9]}\n", 30),
    ],
)
def test_a_grid_may_have_fewer_points_than_trials_were_asked_for(tmp_path, sampler, constants, expected):
    (tmp_path / "net.py").write_text(PROGRAM)
    file = tmp_path / "net.yaml"
    text = f"system: net.py\nmetric: Loss/Val\nmode: min\ntrials: 30\nsampler: {sampler}\nconstants:\n{constants}"
    file.write_text(text)
    space = read_space(file)
    assert count_trials(space, resolve_constants(space, find_program(space.program))) == expected
