"""Values of INI files: each with its line, and written back with nothing else changed."""

import configparser

import pytest

from tune.promotion.configs.ini_file import find_ini_values, read_ini, replace_ini_value

TEXT = """\
# of the whole file
[DEFAULT]
seed = 7

[train]
lr = 1e-3
Batch_Size: 64   ; images in a step
shuffle = true
optimizer = adam # as it is
widths = 64, 32
folder = %(seed)s/run
note = one
  two
; lr = 5
[net.layer]
dropout=0.5
nothing =
"""
VALUES = {
    ("DEFAULT", "seed"): (7, 3),
    ("train", "lr"): (1e-3, 6),
    ("train", "Batch_Size"): (64, 7),
    ("train", "shuffle"): (True, 8),
    ("train", "optimizer"): ("adam # as it is", 9),
    ("train", "widths"): ("64, 32", 10),
    ("net.layer", "dropout"): (0.5, 16),
}


def test_the_values_that_stand_on_one_line_are_found():
    assert find_ini_values(TEXT) == VALUES
    assert find_ini_values("lr = 1\n") == {}
    assert read_ini(TEXT)["net.layer"] == {"dropout": 0.5, "nothing": "", "seed": 7}


ODD = {
    "an indented file": (" [train]\n  lr = 1\n\n  decay = 2\n", {("train", "lr"): (1, 2), ("train", "decay"): (2, 4)}),
    "a value that goes on behind an empty line": ("[train]\nlr = 1\n\n  2\ndecay = 2\n", {("train", "decay"): (2, 5)}),
    "a value that goes on behind a comment": ("[train]\nlr = 1\n# or\n  2\ndecay = 2\n", {("train", "decay"): (2, 5)}),
    "an entry in a value": ("[train]\nnote = as\n  lr = 5\nlr = 1\n", {("train", "lr"): (1, 4)}),
}


@pytest.mark.parametrize(("text", "values"), ODD.values(), ids=ODD)
def test_a_value_counts_where_configparser_reads_the_whole_of_it_on_its_line(text, values):
    assert find_ini_values(text) == values


@pytest.mark.parametrize(
    ("keys", "value", "old", "new"),
    [
        (("train", "lr"), 0.05, "lr = 1e-3", "lr = 0.05"),
        (("train", "lr"), 1e-05, "lr = 1e-3", "lr = 1e-05"),
        (("train", "Batch_Size"), 128, ": 64   ;", ": 128   ;"),
        (("train", "shuffle"), False, "= true", "= false"),
        (("train", "optimizer"), "sgd", "adam # as it is", "sgd"),
        (("net.layer", "dropout"), 0.25, "dropout=0.5", "dropout=0.25"),
        (("DEFAULT", "seed"), 8, "seed = 7", "seed = 8"),
    ],
)
def test_one_value_alone_is_replaced(keys, value, old, new):
    written = replace_ini_value(TEXT, keys, value)

    assert written == TEXT.replace(old, new)
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",))
    parser.read_string(written)
    assert parser[keys[0]][keys[1]] == (str(value).lower() if isinstance(value, bool) else str(value))


@pytest.mark.parametrize(
    ("keys", "value"), [(("train", "optimizer"), "a\nb"), (("train", "optimizer"), "7"), (("train", "folder"), "x")]
)
def test_a_value_that_the_file_would_not_hold_is_not_written(keys, value):
    assert replace_ini_value(TEXT, keys, value) is None
