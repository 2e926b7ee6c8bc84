"""A range as one word of a command line, and errors that point into the word."""

import pytest

from tune.errors import OptionError
from tune.space.dimensions import Choice, FloatRange, IntRange
from tune.space.range_words import read_guess, read_range, split_range, widen_to
from tune.space.suggest_range import suggest_range


def read(word, held):
    written = split_range(word)
    suggested = None if held is None else suggest_range(written.name, held).dimension
    return read_range(written, held, suggested)


@pytest.mark.parametrize(
    ("word", "name", "text"),
    [
        ("LR", "LR", ""),
        ("LR=1e-4..1e-1", "LR", "1e-4..1e-1"),
        ("CFG['a=b']=1,2", "CFG['a=b']", "1,2"),
        ("--lr=0.1", "--lr", "0.1"),
        ("optimizer.lr=", "optimizer.lr=", ""),
        ("Adam.lr@42=0.1..0.2", "Adam.lr@42", "0.1..0.2"),
    ],
)
def test_a_word_is_split_into_a_name_and_a_range(word, name, text):
    found = split_range(word)
    assert (found.name, found.text) == (name, text)


@pytest.mark.parametrize(
    ("word", "held", "dimension"),
    [
        ("LR=1e-4..1e-1", 1e-3, FloatRange(low=1e-4, high=0.1, log=True)),
        ("DROPOUT=0..0.5", 0.2, FloatRange(low=0.0, high=0.5)),
        ("DROPOUT=0..0.5", 0, FloatRange(low=0.0, high=0.5)),
        ("DROPOUT=0..1", 0, FloatRange(low=0.0, high=1.0)),
        ("LAYERS=0..1", 0, IntRange(low=0, high=1)),
        ("LAYERS=1..6", 2, IntRange(low=1, high=6)),
        ("HIDDEN=16..256", 64, IntRange(low=16, high=256, log=True)),
        ("HIDDEN=1e1..1e3", 60, IntRange(low=10, high=1000, log=True)),
        ("X=1..10", None, IntRange(low=1, high=10)),
        ("X=1e-5..0.1", None, FloatRange(low=1e-5, high=0.1, log=True)),
        ("BATCH_SIZE=32..256", None, IntRange(low=32, high=256, log=True)),
        ("--lr=0.01..0.5", None, FloatRange(low=0.01, high=0.5, log=True)),
        ("dropout=0.1..0.5", None, FloatRange(low=0.1, high=0.5)),
        ("n_layers=2..6", None, IntRange(low=2, high=6)),
        ("BATCH_SIZE=16,32,64", 64, Choice(options=(16, 32, 64))),
        ("LR=1,0.1", 1e-3, Choice(options=(1.0, 0.1))),
        ("OPT=adam,sgd", "adam", Choice(options=("adam", "sgd"))),
        ("MODEL=18,34", "18", Choice(options=("18", "34"))),
        ("FAST=true,false", False, Choice(options=(True, False))),
        ("CLIP=null,0.5", 1.0, Choice(options=(None, 0.5))),
        ("CLIP=None,0.5", None, Choice(options=(None, 0.5))),
    ],
)
def test_a_range_has_the_constants_type_and_the_scale_that_promote_would_choose(word, held, dimension):
    found = read(word, held)
    assert found == dimension
    assert repr(found) == repr(dimension)


def test_ends_without_a_point_are_of_floats_where_the_parser_makes_floats():
    found = read_range(split_range("--rate=0..1"), None, None, is_float=True)

    assert repr(found) == repr(FloatRange(low=0.0, high=1.0))


WRONG = [
    ("X=0..1", None, 2, 4, "the source does not tell whether X is a whole number, and 0..1 has two of them"),
    ("LR=1e-4..1e-x", 1e-3, 9, 4, "the high end must be a number, got '1e-x'"),
    ("LR=..0.1", 1e-3, 3, 1, "the low end must be a number, got ''"),
    ("LR=0.1..1e-4", 1e-3, 3, 9, "the low end must be below the high one, got 0.1 and 1e-4"),
    ("LR=0..0.1", 1e-3, 3, 1, "LR is searched by orders of magnitude, and 0 has none"),
    ("BATCH_SIZE=16,32.5", 64, 14, 4, "BATCH_SIZE is a whole number in the source, 64, got 32.5"),
    ("BATCH_SIZE=16,,64", 64, 14, 1, "there is no option here"),
    ("BATCH_SIZE=16,64,16", 64, 17, 2, "the option 16 stands twice"),
    ("FAST=yes,no", True, 5, 3, "it must be true or false, got 'yes'"),
    ("OPT=a..b", "adam", 4, 4, "OPT is a text, and has no range"),
    ("LR=1e-4...1e-2", 1e-3, 7, 3, "two dots stand between the ends of a range, got '...'"),
    ("LAYERS=1....6", 2, 8, 4, "two dots stand between the ends of a range, got '....'"),
    ("BETAS=1..2", (0.9, 0.99), 6, 4, "BETAS holds (0.9, 0.99), which no range in a word can replace"),
]


@pytest.mark.parametrize(("word", "held", "place", "length", "what"), WRONG, ids=lambda each: str(each))
def test_a_wrong_range_is_told_with_a_mark_below_the_part_that_is_wrong(word, held, place, length, what):
    with pytest.raises(OptionError) as error:
        read(word, held)
    line, marks, *rest = error.value.hint.split("\n")
    assert (error.value.where, error.value.what) == (word.partition("=")[0], what)
    assert (line, marks) == (word, f"  {' ' * place}{'^' * length}")
    assert len(rest) == 1


def test_a_guess_that_is_no_number_is_told_with_the_three_forms():
    with pytest.raises(OptionError) as error:
        read_guess(split_range("LR=1e-4:1e-1"), 1e-3)
    assert str(error.value) == (
        "LR: this is no number, and LR is 0.001, got '1e-4:1e-1'\n"
        "  LR=1e-4:1e-1\n"
        "     ^^^^^^^^^\n"
        "  Write LR=LOW..HIGH, LR=ONE,ANOTHER, or one number to look around."
    )


ONE_OPTION = [
    ("OPT=sgd", "adam", "'sgd'", "OPT=sgd,adam"),
    ("OPT=sgd", "sgd", "'sgd'", "OPT=sgd,ANOTHER"),
    ("FAST=true", False, "'true'", "FAST=true,false"),
    ("FAST=false", False, "'false'", "FAST=true,false"),
    ("CLIP=null", 1.0, "'null'", "CLIP=null,1.0"),
    ("OPT=sgd", None, "'sgd'", "OPT=sgd,ANOTHER"),
]


@pytest.mark.parametrize(("word", "held", "got", "example"), ONE_OPTION)
def test_a_choice_of_one_option_is_refused(word, held, got, example):
    with pytest.raises(OptionError) as error:
        read_guess(split_range(word), held)
    name, _, text = word.partition("=")
    assert str(error.value) == (
        f"{name}: a choice needs several values, got {got} alone\n"
        f"  {word}\n"
        f"  {' ' * (len(name) + 1)}{'^' * len(text)}\n"
        f"  Write {example}. A constant that is not named keeps its hardcoded value."
    )


def test_ends_in_the_wrong_order_are_told_without_another_range():
    with pytest.raises(OptionError) as error:
        read("EPOCHS=1..0", 5)
    assert str(error.value) == (
        "EPOCHS: the low end must be below the high one, got 1 and 0\n"
        "  EPOCHS=1..0\n"
        "         ^^^^\n"
        "  The low end comes first."
    )


@pytest.mark.parametrize(
    ("name", "guess", "held", "dimension"),
    [
        ("LR", 0.1, 1e-3, FloatRange(low=1e-3, high=1.0, log=True)),
        ("LR", 0.01, 0.0, FloatRange(low=1e-3, high=0.1, log=True)),
        ("BATCH_SIZE", 256, 16, Choice(options=(16, 64, 128, 256, 512))),
        ("LAYERS", 2, 7, IntRange(low=1, high=7)),
    ],
)
def test_a_range_around_a_guess_holds_the_sources_value_too(name, guess, held, dimension):
    assert widen_to(suggest_range(name, guess).dimension, guess, held) == dimension
