"""The configuration of a space that should want the most memory."""

import pytest

from tune.cluster.auto_gpu_share import find_largest_config
from tune.space.space_file import read_space

HARDCODED = {"LR": 0.1, "BATCH": 8, "WIDTH": 64, "HEADS": 4, "LAYERS": (8, 8), "ACT": "relu", "OPT": "adam"}
SPACES = {
    "ranges and choices of whole numbers": (
        "{LR: {loguniform: [1e-4, 1]}, BATCH: {choice: [16, 64, 32]}, WIDTH: {qrandint: [16, 512, 16]}}",
        "",
        {"BATCH": 64, "WIDTH": 512},
    ),
    "a list of sizes": ("{LAYERS: {choice: [[8, 8], [64], [16, 16]]}}", "", {"LAYERS": [64]}),
    "names and truths are no sizes": ("{ACT: {choice: [relu, gelu]}, LR: {choice: [1, true]}}", "", {}),
    "from nought on it is no size": ("{BATCH: {randint: [0, 9]}, WIDTH: {randint: [1, 9]}}", "", {"WIDTH": 9}),
    "a condition that does not hold": (
        "{OPT: {choice: [adam, sgd]}, WIDTH: {randint: [1, 9], when: {OPT: sgd}}, BATCH: {randint: [1, 5]}}",
        "",
        {"BATCH": 5},
    ),
    "a condition between sizes": (
        "{BATCH: {choice: [1, 7]}, WIDTH: {randint: [1, 9], when: {BATCH: 7}}}",
        "",
        {"BATCH": 7, "WIDTH": 9},
    ),
    "a corner that is not allowed": (
        "{BATCH: {choice: [1, 2, 4, 8]}, WIDTH: {choice: [1, 2, 4, 8]}}",
        "require: [BATCH * WIDTH <= 16, WIDTH <= BATCH / 2]\n",
        {"BATCH": 8, "WIDTH": 2},
    ),
    "a constant that does not vary with it": (
        "{LR: {uniform: [0, 1]}, BATCH: {choice: [4, 8]}}",
        "require: [BATCH < 80 * LR]\n",
        {"BATCH": 4},
    ),
}


@pytest.mark.parametrize(("constants", "require", "found"), SPACES.values(), ids=SPACES)
def test_sizes_are_at_their_largest_and_all_else_is_as_the_source_says(tmp_path, constants, require, found):
    (tmp_path / "p.py").touch()
    file = tmp_path / "s.yaml"
    file.write_text(f"system: p.py\nmetric: m\nmode: max\nconstants: {constants}\n{require}")
    space = read_space(file)

    assert find_largest_config(space, space.dimensions, HARDCODED) == found


def test_where_no_draw_is_allowed_nothing_is_found(tmp_path):
    (tmp_path / "p.py").touch()
    file = tmp_path / "s.yaml"
    file.write_text("system: p.py\nmetric: m\nmode: max\nconstants: {B: {randint: [1, 9]}}\nrequire: [B > 9]\n")
    space = read_space(file)

    assert find_largest_config(space, space.dimensions, {}) == {}
