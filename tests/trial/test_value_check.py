"""What a trial's record says of a value that the program holds."""

from contextlib import nullcontext

import pytest

from tests.projects import write_program
from tune.errors import ProgramError
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


CONFIG = "class Config:\n    lr = 0.1\n\n\nc = Config()\nvars(c).update(lr=0.2)\n"
SEEN = {
    "an object that something else fills": (f"{CONFIG}lr = c.lr\n", "the search set 0.5, and the program reads 0.2"),
    "a class, too": (f"{CONFIG}lr = c.lr, Config.lr\n", None),
    "a class by an object": (f"{CONFIG}lr = c.lr, type(c).lr, c.__class__.lr\n", None),
    "no object": (CONFIG, None),
    "an object as it was made, later": (f"{CONFIG}lr = c.lr, Config().lr\n", None),
}


@pytest.mark.parametrize(("text", "message"), SEEN.values(), ids=SEEN)
def test_an_attribute_that_no_object_holds_where_it_is_read_is_not_in_force(text, message, tmp_path):
    program = find_program(write_program(tmp_path / "project", "train", text))
    constant = find_constant("Config.lr", program, find_constants(program), "")
    executor = Executor(take_snapshot(program, tmp_path / "snapshot"), {"Config.lr": constant.sites})

    with executor.import_program({"Config.lr": 0.5}) as (_, in_force):
        check = PromotedValueCheck({"Config.lr": constant}, {"Config.lr": 0.5}, in_force, program)
        check.check_at_fit_start()
        with nullcontext() if message is None else pytest.raises(ProgramError, match=message):
            check.verify_executed()
