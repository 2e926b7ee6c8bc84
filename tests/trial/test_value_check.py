"""What a trial's record says of a value that the program holds."""

import pytest

from tests.projects import write_program
from tune.promotion.execute import Executor
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot
from tune.trial.lightning.value_check import PromotedValueCheck

READ = "from settings import *\nlr = LR\n"
LOOPED = "from settings import *\nfor LR in (1, 2):\n    lr = LR\n"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (READ, "settings when training began"),
        (LOOPED, "settings when training began, and nothing in the program reads it"),
    ],
    ids=["read", "bound again before it is read"],
)
def test_a_value_that_nothing_reads_is_found_as_such(text, where, tmp_path):
    write_program(tmp_path / "project", "settings", "LR = 0.1\n")
    program = find_program(write_program(tmp_path / "project", "train", text))
    constant = find_constant("settings.LR", program, find_constants(program), "")
    executor = Executor(take_snapshot(program, tmp_path / "snapshot"), {"settings.LR": constant.sites})

    with executor.import_program({"settings.LR": 0.5}) as (_, in_force):
        check = PromotedValueCheck({"settings.LR": constant}, {"settings.LR": 0.5}, in_force, program)
        check.check_at_fit_start()

    assert check.found == {"settings.LR": {"value": 0.5, "where": where}}
