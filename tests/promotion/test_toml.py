"""Values of TOML files: each with its line, and written back with nothing else changed."""

import pytest

from tune.promotion.configs.toml_file import find_toml_values, replace_toml_value

TEXT = """\
title = "a # b"  # a name
[optim]
lr = 1e-3   # of Adam
betas = [0.9, 0.99]
nested.decay = 0.01
inline = { a = 1, b.c = [2, 3], d = "x, y = {1}", e = {f = 4e-3} }
long = [
  1,
]
note = \"\"\"
lr = 5
\"\"\"
[net.layer]
width = 64
[[runs]]
lr = 3
[runs.data]
size = 8
[[runs]]
lr = 5
[[runs.folds]]
share = 0.5
"""
VALUES = {
    ("title",): ("a # b", 1),
    ("optim", "lr"): (1e-3, 3),
    ("optim", "betas"): ([0.9, 0.99], 4),
    ("optim", "nested", "decay"): (0.01, 5),
    ("optim", "inline", "a"): (1, 6),
    ("optim", "inline", "b", "c"): ([2, 3], 6),
    ("optim", "inline", "d"): ("x, y = {1}", 6),
    ("optim", "inline", "e", "f"): (4e-3, 6),
    ("net", "layer", "width"): (64, 14),
    ("runs", 0, "lr"): (3, 16),
    ("runs", 0, "data", "size"): (8, 18),
    ("runs", 1, "lr"): (5, 20),
    ("runs", 1, "folds", 0, "share"): (0.5, 22),
}


def test_the_values_that_stand_on_one_line_are_found():
    assert find_toml_values(TEXT) == VALUES
    assert find_toml_values("a = [1, 2\n") == {}


@pytest.mark.parametrize(
    ("keys", "value", "old", "new"),
    [
        (("title",), 'c "d"', '"a # b"', '"c \\"d\\""'),
        (("optim", "lr"), 0.05, "1e-3 ", "0.05 "),
        (("optim", "betas"), (0.5, 0.9), "[0.9, 0.99]", "[0.5, 0.9]"),
        (("optim", "nested", "decay"), 1e-05, "0.01", "1e-05"),
        (("net", "layer", "width"), 128, "64", "128"),
        (("net", "layer", "width"), True, "64", "true"),
        (("optim", "inline", "a"), 7, "{ a = 1,", "{ a = 7,"),
        (("optim", "inline", "d"), "z", '"x, y = {1}"', '"z"'),
        (("optim", "inline", "e", "f"), 0.5, "4e-3", "0.5"),
        (("runs", 1, "lr"), 7, "\nlr = 5\n[[", "\nlr = 7\n[["),
        (("runs", 1, "folds", 0, "share"), 0.25, "share = 0.5", "share = 0.25"),
    ],
)
def test_a_value_is_replaced_and_nothing_else(keys, value, old, new):
    assert replace_toml_value(TEXT, keys, value) == TEXT.replace(old, new)


@pytest.mark.parametrize(("keys", "value"), [(("optim", "long"), [2]), (("nothing",), 1), (("optim", "lr"), None)])
def test_what_cannot_be_replaced_alone_is_refused(keys, value):
    assert replace_toml_value(TEXT, keys, value) is None


def test_lines_that_end_as_windows_ends_them_stay():
    assert replace_toml_value("[a]\r\nlr = 0.1\r\nb = 2\r\n", ("a", "lr"), 0.2) == "[a]\r\nlr = 0.2\r\nb = 2\r\n"
