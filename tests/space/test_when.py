"""A condition names other constants of the space and values that these can have; all else is refused with its line."""

import pytest

from tune.errors import SpaceError
from tune.space.conditions import describe_condition, in_order, only_active
from tune.space.space_file import read_space, write_space

HEAD = """system: p.py
metric: m
mode: max
constants:
  OPT: {choice: [sgd, adam, null]}
  DEPTH: {randint: [1, 4]}
  SIZES: {choice: [[1, 2], [3]]}
  CFG["lr"]: {uniform: [0, 1]}
"""


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.py").touch()

    def read(*lines):
        (tmp_path / "s.yaml").write_text(HEAD + "".join(f"  {line}\n" for line in lines))
        return read_space(tmp_path / "s.yaml")

    return read


READ = [
    ("{OPT: sgd}", {"OPT": ("sgd",)}),
    ("{OPT: [sgd, null]}", {"OPT": ("sgd", None)}),
    ("{OPT: null}", {"OPT": (None,)}),
    ("{DEPTH: [2, 3], OPT: adam}", {"DEPTH": (2, 3), "OPT": ("adam",)}),
    ("{SIZES: [[1, 2]]}", {"SIZES": ([1, 2],)}),
]


@pytest.mark.parametrize(("written", "condition"), READ)
def test_a_condition_is_read_as_it_is_meant(space, tmp_path, written, condition):
    read = space(f"X: {{uniform: [0, 1], when: {written}}}")

    assert read.conditions == {"X": condition}
    write_space(read, tmp_path / "again.yaml")
    assert read_space(tmp_path / "again.yaml").conditions == read.conditions


AMISS = [
    (
        "X: {uniform: [0, 1], when: sgd}",
        "X: when takes constants and their values, got 'sgd'",
        "Write `when: {OPTIMIZER: sgd}`, or a list of values.",
    ),
    (
        "X: {uniform: [0, 1], when: {}}",
        "X: when takes constants and their values, got {}",
        "Write `when: {OPTIMIZER: sgd}`, or a list of values.",
    ),
    (
        "X: {uniform: [0, 1], when: {opt: sgd}}",
        "X: when names a constant of this space, got 'opt'",
        "Did you mean 'OPT'?",
    ),
    (
        "X: {uniform: [0, 1], when: {OPT: sdg}}",
        "X: OPT is never 'sdg', got OPT: choice sgd, adam, None",
        "Did you mean 'sgd'?",
    ),
    (
        "X: {uniform: [0, 1], when: {DEPTH: 5}}",
        "X: DEPTH is never 5, got DEPTH: randint 1 to 4",
        "Write a value of that range.",
    ),
    (
        "X: {uniform: [0, 1], when: {DEPTH: true}}",
        "X: DEPTH is never True, got DEPTH: randint 1 to 4",
        "Write a value of that range.",
    ),
    (
        "X: {uniform: [0, 1], when: {SIZES: [1, 2]}}",
        "X: SIZES is never 1, got SIZES: choice [1, 2], [3]",
        "Write one of its options; a list of lists where an option is a list.",
    ),
    (
        "X: {uniform: [0, 1], when: {OPT: []}}",
        "X: when OPT is one of no values, got []",
        "Write one, or a list of them.",
    ),
    (
        "X: {uniform: [0, 1], when: {CFG.lr: 0.5}}",
        """X: when needs a parent that can be exactly a value, got CFG["lr"]: uniform 0 to 1""",
        """Make CFG["lr"] a choice, or take the condition out.""",
    ),
    (
        "X: {randint: [0, 1], when: {X: 1}}",
        "X: when leads back to itself: X needs X",
        "One of them has to vary always.",
    ),
    (
        "X: {randint: [0, 1], when: {Y: 1}}\n  Y: {randint: [0, 1], when: {Z: 1}}\n  Z: {choice: [0, 1], when: {X: 1}}",
        "X: when leads back to itself: X needs Y needs Z needs X",
        "One of them has to vary always.",
    ),
    (
        "X: {uniform: [0, 1], when: {Y: 1, OPT: adam}}\n  Y: {randint: [0, 1], when: {OPT: sgd}}",
        "X: never varies: OPT would have to be adam, and sgd for Y",
        "Mend one of the two conditions.",
    ),
]


@pytest.mark.parametrize(("line", "what", "hint"), AMISS)
def test_a_condition_that_cannot_hold_is_refused_with_its_line(space, line, what, hint):
    with pytest.raises(SpaceError) as error:
        space(line)

    assert str(error.value) == f"s.yaml:9: {what}\n  {hint}"


NESTED = {"C": {"B": (1,)}, "B": {"A": ("x", "y")}}


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({"C": 0, "B": 1, "A": "x"}, "CBA"),
        ({"C": 0, "B": 2, "A": "x"}, "BA"),
        ({"C": 0, "B": 1, "A": "z"}, "A"),
        ({"C": 0, "B": True, "A": "y"}, "BA"),
        ({"C": 0, "A": "x"}, "A"),
    ],
)
def test_a_constant_varies_where_all_that_it_depends_on_does(values, active):
    assert list(only_active(values, NESTED)) == list(active)


def test_parents_come_first():
    assert in_order(dict.fromkeys("CDBA"), NESTED) == ["A", "B", "C", "D"]


def test_a_condition_is_shown_in_words():
    assert describe_condition({"OPT": ("sgd",), "DEPTH": (2, 3)}) == "OPT is sgd, DEPTH is 2 or 3"
