"""Programs that are nested deep, or hold what Python cannot write: read as far as Python itself reads them."""

import pytest

from tests.projects import write_program
from tune.errors import ProgramError
from tune.promotion.execute import Executor
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import find_constants
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot

DEEP = {
    "a sum of many": "X = " + "+".join(["LR"] * 900),
    "many minuses": "X = " + "-" * 900 + "1",
    "a long number": "X = 0x" + "f" * 20_000,
}


@pytest.mark.parametrize("line", DEEP.values(), ids=DEEP)
def test_program_when_an_expression_is_deep_then_its_constants_are_found_and_it_runs(tmp_path, line):
    program = find_program(write_program(tmp_path / "project", "deep", f"LR = 0.5\n{line}\n"))
    constants = {each.name: each for each in find_constants(program)}
    executor = Executor(take_snapshot(program, tmp_path / "source"), {"LR": constants["LR"].sites})

    assert constants["LR"].value == 0.5
    assert constants["X"].value == 1 or isinstance(constants["X"].value, Unknown)
    with executor.import_program({"LR": 2.0}) as (module, _):
        assert module.LR == 2.0


@pytest.mark.parametrize(
    "line", ["X = " + "+".join(["LR"] * 20_000), "X = LR" + ".b" * 5_000], ids=["sum", "attribute"]
)
def test_program_when_python_itself_cannot_read_it_then_that_is_said(tmp_path, line):
    with pytest.raises(ProgramError, match="it is nested too deep for Python"):
        find_constants(find_program(write_program(tmp_path, "deep", f"LR = 0.5\n{line}\n")))
