"""An edited space keeps the trials that it could have drawn, and says of every other one why not."""

import pytest

from tune.promotion.program import find_program
from tune.promotion.resolve import hardcoded_values, resolve_constants
from tune.space.edit import convert_config
from tune.space.space_file import read_space

PROGRAM = "LR = 0.1\nSIZES = (4, 2)\nOPT = 'adam'\nMOMENTUM = 0.5\nN = 2\nD = 8\nWIDTH = int('7')\n"
VALUES = {"LR": 0.05, "SIZES": [4, 2], "OPT": "sgd", "MOMENTUM": 0.5, "D": 6}
"""Of a trial that is kept; as the ledger holds it."""

FULL = """
  LR: {uniform: [0.0, 0.2]}
  SIZES: {choice: [[4, 2], [8]]}
  OPT: {choice: [sgd, rms]}
  MOMENTUM: {uniform: [0.0, 0.9], when: {OPT: sgd}}
  D: {qrandint: [2, 10, 4]}
"""
FATES = [
    (FULL, {**VALUES, "SIZES": (4, 2)}),
    (FULL + "  N: {choice: [2, 3]}", {**VALUES, "SIZES": (4, 2), "N": 2}),
    (FULL.replace("  MOMENTUM: {uniform: [0.0, 0.9], when: {OPT: sgd}}\n", ""), "drop MOMENTUM"),
    (FULL.replace("when: {OPT: sgd}", "when: {OPT: rms}"), "drop MOMENTUM"),
    (FULL.replace("0.2]", "0.04]"), "LR outside of uniform 0 to 0.04"),
    (FULL.replace("[[4, 2], [8]]", "[[8]]"), "SIZES outside of choice (8,)"),
    (FULL.replace("[2, 10, 4]", "[2, 10, 8]"), "D outside of qrandint 2 to 10 by 8"),
    (FULL + "  N: {choice: [3, 4]}", "N outside of choice 3, 4"),
    (
        FULL.replace("  OPT: {choice: [sgd, rms]}\n", "").replace(", when: {OPT: sgd}", ""),
        "OPT not 'adam', and it is not searched any more",
    ),
    (FULL.replace("0.2]}", "0.2], when: {OPT: rms}}"), "LR not 0.1, where it does not vary any more"),
    (FULL + "  WIDTH: {randint: [1, 9]}", "only the program knows what WIDTH was"),
    (FULL + "require: D % 4 == 0", "against `D % 4 == 0`"),
]  # fmt: skip


@pytest.mark.parametrize(("constants", "fate"), FATES)
def test_a_trial_is_kept_with_its_values_or_left_out_with_the_reason(constants, fate, tmp_path):
    (tmp_path / "p.py").write_text(PROGRAM)
    (tmp_path / "s.yaml").write_text(f"system: p.py\nmetric: m\nmode: max\nconstants:{constants}")
    space = read_space(tmp_path / "s.yaml")
    program = find_program(space.program)
    promoted = resolve_constants(space, program)
    known = {"LR": 0.1, "SIZES": (4, 2), "OPT": "adam", "MOMENTUM": 0.5, "D": 8, **hardcoded_values(promoted)}
    if fate == "drop MOMENTUM":
        fate = {name: value for name, value in {**VALUES, "SIZES": (4, 2)}.items() if name != "MOMENTUM"}

    assert convert_config(VALUES, space, {item.key: item.dimension for item in promoted}, known) == fate
