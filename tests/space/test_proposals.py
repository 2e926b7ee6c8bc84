"""Proposals of many kinds against a space: taken with the values that the program gets, or refused with the reason."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.space.proposal_kinds import KINDS
from tune.errors import UserError
from tune.experiment.proposals import check_proposal, check_why, split_assignment
from tune.promotion.program import find_program
from tune.promotion.resolve import hardcoded_values, resolve_constants
from tune.space.dimensions import could_draw
from tune.space.space_file import read_space

PROGRAM = """\
LR = 0.01
BATCH_SIZE = 64
DROPOUT = 0
OPTIMIZER = "adam"
MOMENTUM = 0.9
BETAS = (0.9, 0.999)
NESTEROV = False
WIDTHS = [64, 64]
DEPTH = 3
STEPS = 100
"""
SPACE = """\
system: program.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
  BATCH_SIZE: {choice: [32, 64, 128]}
  DROPOUT: {uniform: [0.0, 0.5]}
  OPTIMIZER: {choice: [adam, sgd, "1e-4", null]}
  MOMENTUM: {uniform: [0.5, 0.99], when: {OPTIMIZER: sgd}}
  BETAS: {choice: [[0.9, 0.999], [0.8, 0.99]]}
  NESTEROV: {choice: [true, false]}
  WIDTHS: {choice: [[64, 64], [128]]}
  DEPTH: {randint: [1, 8]}
  STEPS: {qrandint: [100, 500, 100]}
require:
  - DEPTH * BATCH_SIZE <= 512
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").touch()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "space.yaml").write_text(SPACE)
    found = read_space(folder / "space.yaml")
    return found, resolve_constants(found, find_program(found.program))


def check(space, named, **options):
    found, promoted = space
    return check_proposal(named, found, promoted, hardcoded_values(promoted), **options)


@pytest.mark.parametrize(
    ("named", "got"),
    [
        ({"LR": "3e-3"}, {"LR": 3e-3}),
        ({"LR": 3e-3}, {"LR": 3e-3}),
        ({"LR": "0.1"}, {"LR": 0.1}),
        ({"BATCH_SIZE": "32"}, {"BATCH_SIZE": 32}),
        ({"BATCH_SIZE": 128.0, "DEPTH": 1}, {"BATCH_SIZE": 128, "DEPTH": 1}),
        ({"DROPOUT": 0}, {"DROPOUT": 0.0}),
        ({"OPTIMIZER": "1e-4"}, {"OPTIMIZER": "1e-4"}),
        ({"OPTIMIZER": "None"}, {"OPTIMIZER": None}),
        ({"OPTIMIZER": "null"}, {"OPTIMIZER": None}),
        ({"OPTIMIZER": "sgd"}, {"OPTIMIZER": "sgd", "MOMENTUM": 0.9}),
        ({"OPTIMIZER": "sgd", "MOMENTUM": "0.5"}, {"OPTIMIZER": "sgd", "MOMENTUM": 0.5}),
        ({"BETAS": "(0.8, 0.99)"}, {"BETAS": (0.8, 0.99)}),
        ({"BETAS": "[0.8, 0.99]"}, {"BETAS": (0.8, 0.99)}),
        ({"BETAS": [0.8, 0.99]}, {"BETAS": (0.8, 0.99)}),
        ({"NESTEROV": "true"}, {"NESTEROV": True}),
        ({"WIDTHS": "[128]"}, {"WIDTHS": [128]}),
        ({"DEPTH": "2e0"}, {"DEPTH": 2}),
        ({"STEPS": "300"}, {"STEPS": 300}),
    ],
    ids=repr,
)
def test_a_proposal_inside_of_the_space_is_taken_in_the_types_of_the_program(space, named, got):
    checked = check(space, named)

    assert {name: checked.values[name] for name in got} == got
    assert {name: type(checked.values[name]) for name in got} == {name: type(value) for name, value in got.items()}
    assert list(checked.values) == [name for name in space[0].dimensions if name in checked.values]
    assert checked.outside == ()


REFUSED = [
    ({}, "a proposal names at least one constant and its value"),
    ({"lrr": 1}, "'lrr' is no constant of this search"),
    ({"": 1}, "'' is no constant of this search"),
    ({"LR\0": 1}, "'LR\\x00' is no constant of this search"),
    ({"EPOCHS": 1}, "'EPOCHS' is no constant of this search"),
    ({"LR": 1}, "LR: outside of loguniform 0.0001 to 0.1, got 1.0"),
    ({"LR": 0}, "LR: outside of loguniform 0.0001 to 0.1, got 0.0"),
    ({"LR": "nan"}, "LR: must be a number, got 'nan'"),
    ({"LR": ".nan"}, "LR: must be finite, got nan"),
    ({"LR": ".inf"}, "LR: must be finite, got inf"),
    ({"LR": "1" * 350}, "LR: must be finite, got 1"),
    ({"LR": "x"}, "LR: must be a number, got 'x'"),
    ({"LR": ""}, "LR: must be a number, got None"),
    ({"LR": True}, "LR: must be a number, got True"),
    ({"LR": [0.01]}, "LR: must be a number, got [0.01]"),
    ({"LR": {"a": 1}}, "LR: must be a number, got {'a': 1}"),
    ({"BATCH_SIZE": 33}, "BATCH_SIZE: outside of choice 32, 64, 128, got 33"),
    ({"BATCH_SIZE": "64.5"}, "BATCH_SIZE: outside of choice 32, 64, 128, got 64.5"),
    ({"BATCH_SIZE": True}, "BATCH_SIZE: outside of choice 32, 64, 128, got True"),
    ({"OPTIMIZER": "adamw"}, "OPTIMIZER: outside of choice adam, sgd, 1e-4, None, got 'adamw'"),
    ({"MOMENTUM": 0.6}, "MOMENTUM: varies only when OPTIMIZER is sgd, got OPTIMIZER='adam'"),
    ({"MOMENTUM": 0.6, "OPTIMIZER": None}, "MOMENTUM: varies only when OPTIMIZER is sgd, got OPTIMIZER=None"),
    ({"NESTEROV": 1}, "NESTEROV: outside of choice True, False, got 1"),
    ({"DEPTH": 2.5}, "DEPTH: must be a whole number, got 2.5"),
    ({"DEPTH": 9}, "DEPTH: outside of randint 1 to 8, got 9"),
    ({"DEPTH": 2**53 + 1}, "DEPTH: must be at most 2**53 in size, got 9007199254740993"),
    ({"STEPS": 150}, "STEPS: outside of qrandint 100 to 500 by 100, got 150"),
    ({"DEPTH": 8, "BATCH_SIZE": 128}, "against `DEPTH * BATCH_SIZE <= 512`, which the space requires"),
    ({"BETAS": "(" * 5000}, "BETAS: outside of choice (0.9, 0.999), (0.8, 0.99), got '(((((("),
    ({"BETAS": "__import__('os')"}, "BETAS: outside of choice (0.9, 0.999), (0.8, 0.99), got \"__import__('os')\""),
]


@pytest.mark.parametrize(("named", "what"), REFUSED, ids=lambda each: repr(each)[:60])
def test_a_proposal_that_the_space_does_not_hold_is_refused_with_the_reason(space, named, what):
    with pytest.raises(UserError) as refused:
        check(space, named)

    assert refused.value.what.startswith(what)


@pytest.mark.parametrize(
    ("named", "got", "outside"),
    [
        ({"LR": 1}, 1.0, True),
        ({"LR": 0}, 0.0, True),
        ({"LR": -1}, -1.0, True),
        ({"LR": 0.05}, 0.05, False),
        ({"BATCH_SIZE": 33}, 33, True),
        ({"BATCH_SIZE": "33"}, 33, True),
        ({"DEPTH": 100}, 100, True),
        ({"STEPS": 150}, 150, True),
        ({"OPTIMIZER": "adamw"}, "adamw", True),
        ({"BETAS": "[0.7, 0.9]"}, (0.7, 0.9), True),
        ({"WIDTHS": "[1, 2, 3]"}, [1, 2, 3], True),
    ],
    ids=repr,
)
def test_a_value_outside_is_taken_on_request_in_the_type_of_the_program(space, named, got, outside):
    checked = check(space, named, outside=True)
    (name,) = named

    assert (checked.values[name], type(checked.values[name])) == (got, type(got))
    assert checked.outside == ((name,) if outside else ())


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ({"BATCH_SIZE": "x"}, "BATCH_SIZE: must be of the constant's type, int, got 'x'"),
        ({"BATCH_SIZE": 1.5}, "BATCH_SIZE: must be of the constant's type, int, got 1.5"),
        ({"NESTEROV": "maybe"}, "NESTEROV: must be of the constant's type, bool, got 'maybe'"),
        ({"OPTIMIZER": "3"}, "OPTIMIZER: must be of the constant's type, str, got 3"),
        ({"WIDTHS": "64"}, "WIDTHS: must be of the constant's type, list, got 64"),
        ({"LR": "x"}, "LR: must be a number, got 'x'"),
        ({"BATCH_SIZE": 2**60}, "BATCH_SIZE: must be at most 2**53 in size, got 1152921504606846976"),
        ({"MOMENTUM": 0.6}, "MOMENTUM: varies only when OPTIMIZER is sgd, got OPTIMIZER='adam'"),
    ],
    ids=repr,
)
def test_a_value_of_another_type_is_refused_outside_too(space, named, what):
    with pytest.raises(UserError) as refused:
        check(space, named, outside=True)

    assert refused.value.what == what


def test_a_name_that_is_given_twice_in_two_spellings_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "program.py").write_text('CFG = {"lr": 0.01}\n')
    (tmp_path / "space.yaml").write_text(
        "system: program.py\nmetric: m\nmode: max\nconstants:\n  CFG.lr: {loguniform: [1e-4, 1e-1]}\n"
    )
    found = read_space(tmp_path / "space.yaml")
    promoted = resolve_constants(found, find_program(found.program))

    assert check_proposal({'CFG["lr"]': 0.02}, found, promoted, {}).values == {"CFG.lr": 0.02}
    with pytest.raises(UserError, match="named twice"):
        check_proposal({'CFG["lr"]': 0.02, "CFG.lr": 0.03}, found, promoted, {})


def test_there_are_200_kinds_and_no_two_are_the_same():
    assert len({repr(kind[:2]) for kind in KINDS}) == len(KINDS) >= 200


@pytest.mark.parametrize(("named", "options", "expected"), KINDS, ids=lambda each: repr(each)[:60])
def test_a_proposal_of_any_kind_is_taken_or_refused_with_the_reason(space, named, options, expected):
    if isinstance(expected, str):
        with pytest.raises(UserError) as refused:
            check(space, named, **options)
        assert refused.value.what.startswith(expected)
    else:
        values = check(space, named, **options).values
        got = {name: values[name] for name in expected}
        assert repr(got) == repr(expected)  # the types, and the sign of a zero


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=2),
    max_leaves=5,
)
NAMES = st.sampled_from(["LR", "BATCH_SIZE", "DROPOUT", "OPTIMIZER", "MOMENTUM", "BETAS", "NESTEROV", "DEPTH", "STEPS"])


@given(st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=4), st.booleans(), st.booleans())
def test_whatever_is_proposed_is_taken_as_the_space_holds_it_or_refused(space, named, outside, sampled):
    try:
        checked = check(space, named, outside=outside, sampled=sampled)
    except UserError:
        return
    dimensions = {item.key: item.dimension for item in space[1]}
    assert all(
        could_draw(dimensions[name], value) for name, value in checked.values.items() if name not in checked.outside
    )
    assert outside or not set(checked.outside) & named.keys()
    for value in checked.values.values():
        assert not isinstance(value, float) or math.isfinite(value) or outside


@pytest.mark.parametrize(
    ("word", "known", "got"),
    [
        ("LR=3e-4", ["LR"], ("LR", "3e-4")),
        ("--lr=0.1", ["--lr"], ("--lr", "0.1")),
        ("lr=0.1", ["--lr"], ("lr", "0.1")),
        ("optimizer.lr=0.1", ["optimizer.lr="], ("optimizer.lr", "0.1")),
        ("Net(hidden=)=64", ["Net(hidden=)"], ("Net(hidden=)", "64")),
        ("NAME=a=b", ["NAME"], ("NAME", "a=b")),
        ("LR=", ["LR"], ("LR", "")),
    ],
)
def test_a_word_is_a_name_and_a_value(word, known, got):
    assert split_assignment(word, known) == got


def test_a_reason_is_one_printable_line():
    assert check_why("a\nb\x1b[31m") == "a b [31m"
    with pytest.raises(UserError, match="1000 characters"):
        check_why("a" * 1001)
    with pytest.raises(UserError):
        check_why(3)
