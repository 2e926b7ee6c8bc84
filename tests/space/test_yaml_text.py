"""One value of a YAML text is replaced, and nothing else of the text changes."""

import pytest

from tune.space.yaml_document import find_values, replace_value

REPLACED = {
    "a number": ("lr: 0.1  # rate\n", ("lr",), 0.25, "lr: 0.25  # rate\n"),
    "a small number": ("lr: 0.1\n", ("lr",), 1e-05, "lr: 1.0e-05\n"),
    "a small number, written short": ("lr: 1e-3\n", ("lr",), 1e-05, "lr: 1e-05\n"),
    "a whole number": ("# n\nn:   8\nm: 8\n", ("n",), 16, "# n\nn:   16\nm: 8\n"),
    "in a flow": ("net: {width: 8, depth: 2} # x\n", ("net", "width"), 64, "net: {width: 64, depth: 2} # x\n"),
    "a truth": ("fast: False\n", ("fast",), True, "fast: True\n"),
    "a truth in small letters": ("fast: false\n", ("fast",), True, "fast: true\n"),
    "text": ("name: relu\n", ("name",), "gelu", "name: gelu\n"),
    "text in quotes": ("name: 'relu'\n", ("name",), "it's", "name: 'it''s'\n"),
    "text that needs quotes": ("name: relu\n", ("name",), "a: b", 'name: "a: b"\n'),
    "text that is a word of YAML's": ("name: relu\n", ("name",), "no", 'name: "no"\n'),
    "nothing": ("name: relu # x\n", ("name",), None, "name: null # x\n"),
    "where nothing stands": ("name:\nlr: 1\n", ("name",), "relu", "name: relu\nlr: 1\n"),
    "a class in a list": ("all:\n- {p: 1}\n- a: 2 # x\n", ("all", 1, "a"), 3, "all:\n- {p: 1}\n- a: 3 # x\n"),
    "items of a list": ("s:\n  - 8 # a\n  - 4 # b\n", ("s",), [8, 2], "s:\n  - 8 # a\n  - 2 # b\n"),
    "a longer list": ("s: [8, 4] # x\n", ("s",), [8, 4, 2], "s: [8, 4, 2] # x\n"),
    "a longer list in lines": ("s:\n  - 8\nt: 1 # x\n", ("s",), [4, 2], "s:\n  - 4\n  - 2\nt: 1 # x\n"),
    "line ends of Windows": ("lr: 0.1\r\nn: 1\r\n", ("n",), 2, "lr: 0.1\r\nn: 2\r\n"),
    "an anchor": ("a: &x 1\nb: *x\n", ("a",), 2, None),
    "a list with comments": ("s:\n  - 8 # a\n  - 4\n", ("s",), [1], None),
    "a text of several lines": ("s: |\n  a\n  b\n", ("s",), "c", None),
    "a key that is not there": ("a: 1\n", ("b",), 2, None),
    "no YAML": ("a: [1\n", ("a",), 2, None),
}


@pytest.mark.parametrize(("text", "keys", "value", "expected"), REPLACED.values(), ids=REPLACED)
def test_replace_value_changes_this_value_alone(text, keys, value, expected):
    assert replace_value(text, keys, value) == expected


def test_find_values_returns_scalars_and_lists_of_them_with_their_lines():
    text = "# c\na: {b: 1e-3, c: 'x'}\nd:\n  - 1\n  - 2\ne:\n  - f: null\n"

    assert find_values(text) == {
        ("a", "b"): (1e-3, 2),
        ("a", "c"): ("x", 2),
        ("d",): ([1, 2], 4),
        ("e", 0, "f"): (None, 7),
    }


BOMB = "c0: &c0 [{a: 1}]\n" + "".join(f"c{n}: &c{n} [{', '.join([f'*c{n - 1}'] * 9)}]\n" for n in range(1, 12))
"""A hundred thousand million values in a kilobyte."""


@pytest.mark.parametrize("text", [BOMB, "a: &a\n  b: *a\n", "a: &a [*a]\n"])
def test_anchors_that_hold_each_other_hold_no_values(text):
    assert find_values(text) == {}
    assert replace_value(text, ("c0", 0, "a"), 2) is None


def test_anchors_that_a_person_writes_hold_their_values():
    assert find_values("a: &a {b: 1}\nc: *a\n") == {("a", "b"): (1, 1), ("c", "b"): (1, 1)}
