"""A warning says what the author may not have meant."""

from dataclasses import dataclass

import pytest

from tests.space.test_suggestion import SUGGESTIONS
from tune.promotion.checks.space_checks import space_warnings
from tune.space.dimensions import Choice, Dimension, FloatRange, IntRange
from tune.space.suggest_range import suggest_range


@dataclass(frozen=True)
class Site:
    where: str = "a.py:3"


@dataclass(frozen=True)
class Entry:
    key: str
    dimension: Dimension
    value: object
    where: str = "s.yaml:5"
    constant: Site = Site()


def numbers(*options):
    return Choice(options=options)


@pytest.mark.parametrize(
    ("key", "dimension", "value", "warning"),
    [
        (
            "LR",
            FloatRange(low=1e-4, high=0.1),
            0.01,
            "a rate is searched best on a log scale, got uniform 0.0001 to 0.1; write `loguniform: [0.0001, 0.1]`",
        ),
        (
            "CFG['weight_decay']",
            FloatRange(low=0, high=0.1),
            0.01,
            "a rate is searched best on a log scale, got uniform 0 to 0.1; write `loguniform: [1e-05, 0.1]`",
        ),
        (
            "LR",
            FloatRange(low=1e-4, high=0.1, log=True),
            0.5,
            (
                "the hardcoded value 0.5 (a.py:3) is outside loguniform 0.0001 to 0.1; "
                "trial 0 runs it, and the sampler never draws it"
            ),
        ),
        ("OPT", numbers("a"), "a", "a choice of one never varies, got 'a'; add options or take it out"),
        (
            "WIDTH",
            numbers(10, 20, 30),
            10,
            "a choice knows no order, got 3 ordered numbers; a range learns faster: write `randint: [10, 30]`",
        ),
        (
            "RATE",
            numbers(0.1, 0.01, 0.001),
            0.1,
            "a choice knows no order, got 3 ordered numbers; a range learns faster: write `loguniform: [0.001, 0.1]`",
        ),
    ],
)
def test_what_may_not_be_meant_is_told(key, dimension, value, warning):
    assert space_warnings([Entry(key, dimension, value)]) == (f"s.yaml:5: {key}: {warning}",)


@pytest.mark.parametrize(
    ("key", "dimension", "value"),
    [
        ("LR", FloatRange(low=1e-4, high=0.1, log=True), 0.1),
        ("LR", FloatRange(low=0.1, high=0.2), 0.1),  # less than an order of magnitude
        ("LR_DECAY", FloatRange(low=0.0, high=1.0), 0.1),
        ("BATCH_SIZE", numbers(16, 32, 64, 128), 64),
        ("WIDTH", numbers(192, 384, 768, 1536), 768),
        ("HEADS", numbers(12, 6, 3), 12),
        ("N", numbers(1, 3), 1),
        ("N", numbers(3, 1, 2), 1),
        ("N", numbers(1, 2, 3, "auto"), 1),
        ("N", IntRange(low=1, high=3), object()),  # a value that only running the program can tell
        ("FLAG", numbers(True, False), True),
    ],
)
def test_what_is_in_order_is_not_told(key, dimension, value):
    assert space_warnings([Entry(key, dimension, value)]) == ()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value, _ in SUGGESTIONS if value != 0])
def test_a_range_that_was_suggested_is_not_told(name, value):
    dimension = suggest_range(name, value).dimension

    assert space_warnings([Entry(name, dimension, value)]) == ()
