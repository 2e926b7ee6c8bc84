"""Whether a curve came out again, and what is otherwise where it did not."""

import pytest

from tune.results.retrain_results import Difference, compare_curves, diff_mappings

THEN = {1: 0.5, 2: 0.6, 3: 0.7}
OTHER = {1: 0.5, 2: 0.65, 3: 0.68}
FIRST = "not reproduced: epoch 2 differs first, the largest difference is 0.05"
AGREE = (
    "two runs of today agree with each other: what differs is not recorded, such as data files or environment variables"
)
NAN = float("nan")
CASES = {
    "the same": ((THEN, dict(THEN)), ["reproduced: the same curve in all 3 epochs that both have"]),
    "a trial that was pruned": (({1: 0.5}, THEN), ["reproduced: the same curve in the one epoch that both have"]),
    "the last bit": (
        (THEN, {**THEN, 3: 0.7000001}),
        ["reproduced: the same curve in all 3 epochs that both have"],
    ),
    "NaN then and now": (({1: NAN}, {1: NAN}), ["reproduced: the same curve in the one epoch that both have"]),
    "nothing then": (({}, THEN), ["nothing to compare: the search has no epoch of it"]),
    "something is otherwise": (
        (THEN, OTHER, [Difference("torch", "2.12", "2.13"), Difference("lightning", "", "2.6")]),
        [FIRST, "what differs: torch: 2.12 then, 2.13 now", "what differs: lightning: none then, 2.6 now"],
    ),
    "nothing is otherwise": ((THEN, OTHER), [FIRST, "nothing that is recorded differs"]),
    "not deterministic": (
        (THEN, OTHER, [], {1: 0.5, 2: 0.61, 3: 0.7}),
        [FIRST, "the program is not deterministic: two runs with the same seed, one after the other, differ too"],
    ),
    "unexplained": (
        (THEN, OTHER, [], dict(OTHER)),
        [
            FIRST,
            AGREE,
        ],
    ),
    "NaN now": (
        (THEN, {1: NAN}),
        [
            "not reproduced: epoch 1 differs first, the largest difference is inf",
            "nothing that is recorded differs",
        ],
    ),
}


@pytest.mark.parametrize(("given", "lines"), CASES.values(), ids=CASES)
def test_what_is_told(given, lines):
    assert compare_curves(*given).finding_lines == lines


def test_only_what_nothing_explains_is_run_again():
    assert compare_curves(THEN, OTHER).is_unexplained
    assert not compare_curves(THEN, OTHER, [Difference("seed", "0", "1")]).is_unexplained
    assert not compare_curves(THEN, THEN).is_unexplained
    assert not compare_curves({}, THEN).is_unexplained


def test_two_descriptions_are_compared_name_by_name():
    found = diff_mappings({"max_epochs": 10, "precision": 32}, {"max_epochs": 30, "precision": 32, "x": 1}, "trainer.")

    assert [str(each) for each in found] == [
        "trainer.max_epochs: 10 then, 30 now",
        "trainer.x: none then, 1 now",
    ]
