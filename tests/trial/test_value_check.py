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


CONFIG = "class Config:\n    lr = 0.1\n\n\nc = Config()\nvars(c).update(lr=0.2)\n"
BELOW = "class D(Config):\n    lr = 0.3\n    def read(self):\n        return super().lr\n\n\n"
SEEN = {
    "an object that something else fills": (f"{CONFIG}lr = c.lr\n", ("0.2",)),
    "two of them": (f"{CONFIG}lr = c.lr\nd = Config()\nvars(d).update(lr=0.3)\nlr = d.lr, c.lr\n", ("0.2", "0.3")),
    "a class, too": (f"{CONFIG}lr = c.lr, Config.lr\n", None),
    "a class below it": (f"{CONFIG}class D(Config):\n    pass\n\n\nlr = c.lr, D.lr\n", None),
    "the class above": (f"{CONFIG}{BELOW}lr = c.lr, D().read()\n", None),
    "a class by an object": (f"{CONFIG}lr = c.lr, type(c).lr, c.__class__.lr\n", None),
    "no object": (CONFIG, None),
    "an object as it was made, later": (f"{CONFIG}lr = c.lr, Config().lr\n", None),
}


@pytest.mark.parametrize(("text", "instead"), SEEN.values(), ids=SEEN)
def test_an_attribute_that_no_object_holds_where_it_is_read_is_noticed(text, instead, tmp_path):
    check = check_values(text, "Config.lr", tmp_path)

    check.verify_executed()
    assert check.read_instead == ({} if instead is None else {"Config.lr": instead})


MEMBER = "from enum import Enum\n\n\nclass Config(Enum):\n    lr = 0.1\n"
OPEN = """class Open(type):
    def __getattr__(cls, name):
        return 3

class Config(metaclass=Open):
    lr = 0.1
"""
OWNED = """def own(made):
    value = made.lr
    made.lr = property(lambda self: value)
    return made

@own
class Config:
    lr = 0.1
"""
HELD = {
    "a member of an enumeration": MEMBER,
    "a class whose metaclass has any attribute": OPEN,
    "a property that has taken its place": OWNED,
}


@pytest.mark.parametrize("text", HELD.values(), ids=HELD)
def test_a_class_that_holds_the_value_in_its_own_way_is_in_force(text, tmp_path):
    check = check_values(text, "Config.lr", tmp_path)

    check.verify_executed()
    assert check.found["Config.lr"]["value"] == 0.5


def check_values(text, name, folder):
    """Return the check of a program that was executed with 0.5 as the value of a constant."""
    program = find_program(write_program(folder / "project", "train", text))
    constant = find_constant(name, program, find_constants(program), "")
    executor = Executor(take_snapshot(program, folder / "snapshot"), {name: constant.sites})
    with executor.import_program({name: 0.5}) as (_, in_force):
        check = PromotedValueCheck({name: constant}, {name: 0.5}, in_force, program)
        check.check_at_fit_start()
    return check
