"""What a worker is told arrives as it was said."""

import math

import pytest

from tune.trial.messages import TrialTask

VALUES = [
    1,
    1.0,
    True,
    None,
    "a'\"\n",
    (1, 2),
    (1,),
    (),
    [1, [2.5]],
    {"a": {"b": (None,)}},
    1e-300,
    math.inf,
    -math.inf,
]


@pytest.mark.parametrize("value", [*VALUES, VALUES, {"x": [(math.inf,)]}], ids=repr)
def test_a_value_arrives_in_its_type(value):
    task = TrialTask(number=7, version="/a b/007,X=1", seed=3, values={"X": value, "CFG['lr']": 1}, gated=True)

    arrived = TrialTask.decode(task.encode())

    assert arrived == task
    assert repr(arrived) == repr(task)
