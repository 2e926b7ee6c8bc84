"""A requirement is computed as Python would, by a language that cannot do anything else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune.errors import SpaceError
from tune.promotion.checks.space_checks import baseline_doubts, check_feasible, metric_doubts
from tune.space.constraints import read_requirement
from tune.space.space_file import read_space, write_space

VALUES = {
    "D": 64,
    "N": 4,
    "LR": 0.1,
    "OPT": "sgd",
    "OFF": None,
    "FLAG": True,
    "SIZES": (1, 2),
    'CFG["lr"]': 0.5,
    "Net.width": 8,
    "Adam.lr@42": 0.01,
    "--lr": 0.2,
    "optim.lr=": 0.3,
}

COMPUTED = [
    ("D % N == 0", True),
    ("D % N", None),
    ("D // N >= 16 and N != 3", True),
    ("D / N < 16 or not FLAG", False),
    ("not D < N", True),
    ("1 < N < D", True),
    ("1 < N < 3", False),
    ("FLAG", True),
    ("OPT == 'sgd' and LR > 0.01", True),
    ("OPT in ['adam', 'sgd']", True),
    ("OPT not in ('adam', 'sgd')", False),
    ("OFF == None", True),
    ("len(SIZES) == 2 and SIZES == [1, 2]", True),
    ("max(D, N, 100) == 100", True),
    ("min(D, N) + abs(-3) == 7", True),
    ("N ** 2 == 16", True),
    ("-N + 5 > +0", True),
    ("CFG.lr == 0.5", True),
    ("CFG['lr'] == CFG[\"lr\"]", True),
    ("Net.width * N < D", True),
    ("Adam.lr@42 < --lr < optim.lr=", True),
    ("(D > N) == FLAG", True),
    ("D % (N - 4) == 0", False),  # by zero
    ("OPT < 3", False),
    ("OFF + 1 > 0", False),
    ("D ** D ** D > 0", False),  # too large
    ("(0 - N) ** 0.5 > 0", False),  # no real number
    ("  N == 4  ", True),
]


@pytest.mark.parametrize(("text", "result"), [case for case in COMPUTED if case[1] is not None])
def test_a_requirement_is_computed_as_it_reads(text, result):
    assert read_requirement(text, VALUES, "s.yaml:7").is_met(VALUES) is result


AMISS = [
    ("D % N", 1, "'D % N' is neither true nor false", "Compare it: `D_MODEL % N_HEADS == 0`."),
    ("D > 0 and N + 1", 11, "'N + 1' is neither true nor false", "Compare it: `D_MODEL % N_HEADS == 0`."),
    ("d % N == 0", 1, "no such constant in this space, got 'd'", "Did you mean 'D'?"),
    ("D > CFG.rate", 5, "no such constant in this space, got 'CFG.rate'", None),
    ("D == =", 6, "no expression", "Write one such as `D_MODEL % N_HEADS == 0`."),
    ("", 1, "no expression", "Write one such as `D_MODEL % N_HEADS == 0`."),
    ("D = 3", 1, None, "Write one such as `D_MODEL % N_HEADS == 0`."),
    ("exit() == 0", 1, "no such function, got 'exit()'", "There are min, max, abs and len."),
    ("D > max(N, key=3)", 5, "no such function, got 'max(N, key=3)'", "There are min, max, abs and len."),
    ("D > len()", 5, "no such function, got 'len()'", "There are min, max, abs and len."),
    ("D.__class__ == 3", 1, "no such constant in this space, got 'D.__class__'", None),
    ("FLAG is True", 1, "this language has no such expression, got 'FLAG is True'", "LANGUAGE"),
    ("3 == (lambda: 3)", 7, "this language has no such expression, got 'lambda: 3'", "LANGUAGE"),
    ("OPT == f'{D}'", 8, """this language has no such expression, got "f'{D}'\"""", "LANGUAGE"),
    ("'ä' == [x for x in D]", 8, "this language has no such expression, got '[x for x in D]'", "LANGUAGE"),
    ("D > 1 if N else D < 2", 1, "this language has no such expression, got 'D > 1 if N else D < 2'", "LANGUAGE"),
    ("D > " + "-" * 50 + "1", 1, "at most 40 parts within parts", "Write several requirements."),
    ("D > " + "1" * 1000, 1, "at most 1000 characters, got 1004", "Write several requirements."),
]


@pytest.mark.parametrize(("text", "column", "what", "hint"), AMISS)
def test_what_is_no_requirement_is_refused_with_line_and_column(text, column, what, hint):
    with pytest.raises(SpaceError) as error:
        read_requirement(text, VALUES, "s.yaml:7")

    if what is not None:
        assert error.value.what == f"require: {what} in column {column} of {text!r}"
    assert error.value.where == "s.yaml:7"
    if hint == "LANGUAGE":
        hint = "It knows == != < <= > >= in, and or not, + - * / // % **, min max abs len, numbers, strings, lists."
    assert error.value.hint == (hint or error.value.hint)


@given(st.text("DNLR()[]{}.,:'\"=<>!+-*/%@ andornotinfw0123456789lambda\\\n", max_size=40))
def test_any_text_is_computed_or_refused(text):
    with contextlib.suppress(SpaceError):
        assert read_requirement(text, VALUES, "s.yaml:7").is_met(VALUES) in (True, False)


def test_a_value_that_only_a_trial_knows_is_no_offence():
    requirement = read_requirement("D > N", VALUES, "s.yaml:7")

    assert requirement.is_met({"D": 1})
    assert not requirement.is_met({"D": 1, "N": 1})


SPACE = """system: p.py
metric: m
mode: max
constants:
  D: {choice: [30, 64, 100]}
  N: {randint: [2, 8]}
require:
  - D > 0
  - REQUIREMENT
"""


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.py").touch()

    def read(text):
        (tmp_path / "s.yaml").write_text(SPACE.replace("REQUIREMENT", text))
        return read_space(tmp_path / "s.yaml")

    return read


def test_requirements_are_written_with_the_space(space, tmp_path):
    read = space("D % N == 0")
    write_space(read, tmp_path / "again.yaml")

    assert [each.text for each in read_space(tmp_path / "again.yaml").requirements] == ["D > 0", "D % N == 0"]


def test_requirements_that_some_draws_meet_are_feasible(space):
    read = space("D % N == 0")
    check_feasible(read, read.dimensions, {"D": 1, "N": 1})


NEVER = [
    ("D < 30", "s.yaml:9: require: none of 1,000 draws meets 'D < 30', the last with D={D}"),
    (
        "D % 0 == N",
        (
            "s.yaml:9: require: none of 1,000 draws meets 'D % 0 == N', the last with D={D}, N={N} "
            "(ZeroDivisionError: integer modulo by zero)"
        ),
    ),
]


@pytest.mark.parametrize(("text", "message"), NEVER)
def test_a_requirement_that_no_draw_meets_is_an_error_at_the_start(space, text, message):
    read = space(text)
    with pytest.raises(SpaceError) as error:
        check_feasible(read, read.dimensions, {})

    shown = str(error.value).partition(", the last with ")[2].partition("\n")[0]
    values = dict(pair.split("=") for pair in shown.partition(" (")[0].split(", "))
    assert str(error.value) == f"{message.format(**values)}\n  Mend it, or the ranges of its constants."


def test_requirements_that_no_draw_meets_together_are_an_error(space):
    read = space("D < 30 or D > 64 and N == 2 or D == 64\n  - D < 40 and N > 100 or D == 30")
    with pytest.raises(SpaceError) as error:
        check_feasible(read, read.dimensions, {})

    assert str(error.value) == (
        "s.yaml:7: require: 3 requirements that none of 1,000 draws meets together\n"
        "  Mend one, or the ranges of their constants."
    )


def test_a_baseline_that_does_not_meet_them_is_a_warning(space):
    requirements = space("D % N == 0").requirements

    assert baseline_doubts(requirements, {"D": 64, "N": 4}) == ()
    assert baseline_doubts(requirements, {"D": 64, "N": 3}) == (
        (
            "s.yaml:9: require: the hardcoded values do not meet 'D % N == 0', D=64, N=3; "
            "trial 0 runs them, and the sampler never draws them"
        ),
    )


@pytest.mark.parametrize(
    ("metric", "is_doubted"),
    [("train_loss", True), ("Loss/Train", True), ("val_loss", False), ("loss", False), ("train/val_acc", False)],
)
def test_a_metric_of_training_is_doubted(metric, is_doubted):
    assert [f"{metric} is a metric of training" in told for told in metric_doubts(metric)] == [True] * is_doubted
