"""A range must fit the constant that it is for, and an error names both places."""

from pathlib import Path

import pytest

from tune.errors import UserError
from tune.promotion.options.option import option_words
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.space.dimensions import Choice, FloatRange, IntRange
from tune.space.space_file import read_space

HEAD = "system: p.py\nmetric: m\nmode: max\nconstants:\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()


def promoted(program, entries):
    Path("p.py").write_text(program)
    Path("s.yaml").write_text(HEAD + "".join(f"  {entry}\n" for entry in entries))
    space = read_space(Path("s.yaml"))
    return resolve_constants(space, find_program(space.program))


FITS = [
    ("X = 0.5", "{uniform: [0, 1]}", FloatRange(low=0.0, high=1.0)),
    ("X = 0.5", "{choice: [0, 1, 0.5]}", Choice(options=(0.0, 1.0, 0.5))),
    ("X = 0.5", "{choice: [null, 1]}", Choice(options=(None, 1.0))),
    ("X = 64", "{randint: [1, 99]}", IntRange(low=1, high=99)),
    ("X = 64", "{qrandint: [32, 96, 32]}", IntRange(low=32, high=96, step=32)),
    ("X = 64", "{choice: [16, 64]}", Choice(options=(16, 64))),
    ("X = 0", "{uniform: [0, 0.5]}", FloatRange(low=0.0, high=0.5)),
    ("X = 0", "{loguniform: [1e-5, 1e-2]}", FloatRange(low=1e-5, high=1e-2, log=True)),
    ("X = 1", "{loguniform: [0.01, 10]}", FloatRange(low=0.01, high=10.0, log=True)),
    ("X = 0", "{choice: [0, 0.1]}", Choice(options=(0.0, 0.1))),
    ("X = 0", "{choice: [0, 1]}", Choice(options=(0, 1))),
    ("X = True", "{choice: [true, false]}", Choice(options=(True, False))),
    ("X = 'a'", "{choice: [a, b]}", Choice(options=("a", "b"))),
    ("X = None", "{choice: [1, b, 0.5]}", Choice(options=(1, "b", 0.5))),
    ("X = None", "{uniform: [0, 1]}", FloatRange(low=0.0, high=1.0)),
    ("X = (1, 2)", "{choice: [[1, 2], [3]]}", Choice(options=((1, 2), (3,)))),
    ("X = [1, 2]", "{choice: [[1, 2], [3]]}", Choice(options=([1, 2], [3]))),
]


@pytest.mark.parametrize(("program", "written", "dimension"), FITS)
def test_a_range_that_fits_has_values_of_the_constants_type(project, program, written, dimension):
    (found,) = promoted(program, [f"X: {written}"])

    assert repr(found.dimension) == repr(dimension)
    assert (found.key, found.where, found.constant.where) == ("X", "s.yaml:5", "p.py:1")


TOGGLE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--fast", action=argparse.BooleanOptionalAction, default=True)
"""


BARE_TOGGLE = TOGGLE.replace("import argparse", "from argparse import *").replace("argparse.", "")


@pytest.mark.parametrize("text", [TOGGLE, BARE_TOGGLE])
def test_a_toggle_is_given_by_its_two_words(project, text):
    Path("p.py").write_text(text)
    Path("s.yaml").write_text(HEAD.replace("system", "script") + '  "--fast": {choice: [false, true]}\n')
    space = read_space(Path("s.yaml"))
    (item,) = resolve_constants(space, find_program(space.program))

    words = [option_words({"--fast": item.constant}, {"--fast": value}) for value in (True, False)]
    assert words == [["--fast"], ["--no-fast"]]


BOOL = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--bias", type=bool, default={default})
"""


@pytest.mark.parametrize(("default", "choice"), [("False", "[false, true]"), ("True", "[true]"), ("False", "[false]")])
def test_what_every_word_is_true_to_takes_what_can_be_given(project, default, choice):
    Path("p.py").write_text(BOOL.format(default=default))
    Path("s.yaml").write_text(HEAD.replace("system", "script") + f'  "--bias": {{choice: {choice}}}\n')
    space = read_space(Path("s.yaml"))
    (item,) = resolve_constants(space, find_program(space.program))

    words = [option_words({"--bias": item.constant}, {"--bias": value}) for value in (True, False)]
    assert words == [["--bias=true"], []]


def test_what_every_word_is_true_to_is_never_given_false(project):
    Path("p.py").write_text(BOOL.format(default="True"))
    Path("s.yaml").write_text(HEAD.replace("system", "script") + '  "--bias": {choice: [false, true]}\n')
    space = read_space(Path("s.yaml"))

    with pytest.raises(UserError) as refused:
        resolve_constants(space, find_program(space.program))
    assert str(refused.value) == (
        "s.yaml:5: --bias: `type=bool` makes True of every word, so False cannot be given (p.py:4)\n"
        "  Write `action=argparse.BooleanOptionalAction` in the program."
    )


MISFITS = [
    (
        "X = 64",
        "{uniform: [16, 512]}",
        "an int constant gets no float range, got uniform 16 to 512 for X = 64 (p.py:1)",
        "Write `randint: [16, 512]`, or write 64.0 in the program if it is a float.",
    ),
    (
        "X = 64",
        "{loguniform: [0.5, 512]}",
        "an int constant gets no float range, got loguniform 0.5 to 512 for X = 64 (p.py:1)",
        "Write `lograndint` with whole numbers, or write 64.0 in the program if it is a float.",
    ),
    (
        "X = 0",
        "{uniform: [0, 1]}",
        "an int constant gets no float range, got uniform 0 to 1 for X = 0 (p.py:1)",
        "Write `randint: [0, 1]`, or write 0.0 in the program if it is a float.",
    ),
    (
        "X = 64",
        "{choice: [16, 0.5]}",
        "an option must be of the constant's type, int, got 0.5 for X = 64 (p.py:1)",
        "Write every option as an int, or 64.0 in the program.",
    ),
    (
        "X = 64",
        "{choice: [16, true]}",
        "an option must be of the constant's type, int, got True for X = 64 (p.py:1)",
        "Write every option as an int.",
    ),
    (
        "X = 0.5",
        "{randint: [1, 9]}",
        "a float constant gets no int range, got randint 1 to 9 for X = 0.5 (p.py:1)",
        "Write `quniform: [1, 9, 1]`.",
    ),
    (
        "X = 0.5",
        "{lograndint: [1, 9]}",
        "a float constant gets no int range, got lograndint 1 to 9 for X = 0.5 (p.py:1)",
        "Write `loguniform: [1, 9]`.",
    ),
    (
        "X = 0.5",
        "{choice: ['0.5', 1]}",
        "an option must be of the constant's type, float, got '0.5' for X = 0.5 (p.py:1)",
        "Write every option as a float.",
    ),
    (
        "X = True",
        "{randint: [0, 1]}",
        "a bool constant takes a choice alone, got randint 0 to 1 for X = True (p.py:1)",
        "Write `choice: [true, false]`.",
    ),
    (
        "X = True",
        "{choice: [0, 1]}",
        "an option must be of the constant's type, bool, got 0 for X = True (p.py:1)",
        "Write every option as a bool.",
    ),
    (
        "X = 'adam'",
        "{uniform: [0, 1]}",
        "a str constant takes a choice alone, got uniform 0 to 1 for X = 'adam' (p.py:1)",
        "Write `choice: [adam, ...]`.",
    ),
    (
        "X = (1, 2)",
        "{choice: [1, 2]}",
        "an option must be of the constant's type, tuple, got 1 for X = (1, 2) (p.py:1)",
        "Write every option as a tuple.",
    ),
]


@pytest.mark.parametrize(("program", "written", "what", "hint"), MISFITS)
def test_a_range_that_does_not_fit_is_refused(project, program, written, what, hint):
    with pytest.raises(UserError) as error:
        promoted(program, [f"X: {written}"])

    assert str(error.value) == f"s.yaml:5: X: {what}\n  {hint}"


def test_two_names_of_one_constant_are_refused(project):
    with pytest.raises(UserError) as error:
        promoted("\nX = 1", ["X: {randint: [1, 2]}", "p.X: {randint: [1, 2]}"])

    assert str(error.value) == "s.yaml:6: p.X: 'X' (s.yaml:5) is the same constant, p.py:2\n  Keep one of the two."


def test_a_name_that_is_no_constant_is_told_with_its_line(project):
    with pytest.raises(UserError, match=r"^s\.yaml:6: 'Y' is not a constant of p\.py\n"):
        promoted("X = 1", ["X: {randint: [1, 2]}", "Y: {randint: [1, 2]}"])
