"""Failures are grouped by cause, and a region is claimed only where it explains them."""

import pytest

from tests.experiments import Trial, write_experiment
from tune.experiment.records import Failure
from tune.results.failure_groups import find_region, group_failures
from tune.space.dimensions import Choice, FloatRange

OOM = "CUDA out of memory. Tried to allocate {} GiB"


def oom(batch_size, gib=2, place="program.py:3"):
    failure = Failure(kind="OutOfMemoryError", message=OOM.format(gib), place=place, code="x = net(x)")
    return Trial(values={"BATCH_SIZE": batch_size}, state="FAIL", failure=failure)


def fine(batch_size, **values):
    return Trial(curve=[0.5], values={"BATCH_SIZE": batch_size, **values})


def groups_of(experiment):
    return group_failures(experiment.trials, experiment.space, experiment.paths)


def test_trials_that_ran_out_of_memory_are_one_group_wherever_they_did_and_have_a_region(tmp_path):
    sound = [fine(size) for size in (64, 64, 32, 128, 32, 64, 128, 32, 64, 128)]
    failed = [oom(256, 2), oom(512, 4, "program.py:4"), oom(256, 3), oom(512, 16), oom(256, 2)]
    (group,) = groups_of(write_experiment(tmp_path, [*sound, *failed]))

    assert group.cause == "out of memory"
    assert group.trials == (10, 11, 12, 13, 14)
    assert (group.place, group.code) == ("program.py:3", "x = net(x)")
    assert group.constants == {"LR": 0.01, "BATCH_SIZE": 256, "DROPOUT": 0.1, "OPTIMIZER": "adam"}
    assert group.log == tmp_path / "storage" / "exp" / group.example.version / "log.txt"
    assert group.sentence == (
        "all 5 out-of-memory trials have BATCH_SIZE >= 256, and none of the 10 that did not fail has"
    )


def test_a_region_when_a_trial_that_did_not_fail_lies_inside_then_is_not_claimed(tmp_path):
    sound = [fine(size) for size in (64, 64, 32, 128, 32, 64, 128, 32, 64, 256)]
    (group,) = groups_of(write_experiment(tmp_path, [*sound, *[oom(256)] * 5]))

    assert group.region is None
    assert group.sentence == "5 trials: out of memory"


def test_failures_of_several_causes_are_grouped_by_their_place_the_commonest_first(tmp_path):
    def raised(message, place):
        return Trial(state="FAIL", failure=Failure(kind="ValueError", message=message, place=place))

    not_finite = [
        Trial(
            curve=[0.1, float("nan")],
            state="FAIL",
            failure=Failure(kind="NaN", message=f"Score/Val is nan in epoch {n}"),
        )
        for n in (2, 3)
    ]
    died = Trial(state="FAIL", failure=Failure(kind="the worker died", message=""))
    trials = [fine(64), raised("7 is too wide", "a.py:3"), died, *not_finite, raised("9 is too wide", "a.py:3")]
    trials += [raised("8 is too wide", "a.py:3"), raised("7 is too wide", "a.py:9")]

    found = [(group.cause, group.trials) for group in groups_of(write_experiment(tmp_path, trials))]
    assert found == [
        ("ValueError: 7 is too wide", (1, 5, 6)),
        ("Score/Val is not finite", (3, 4)),
        ("the worker died", (2,)),
        ("ValueError: 7 is too wide", (7,)),
    ]


MEMORY = [
    "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "GET was unable to find an engine to execute this computation",
    "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
]


def test_memory_that_a_library_has_none_of_is_one_cause_by_whatever_name(tmp_path):
    failures = [Failure(kind="RuntimeError", message=text, place=f"a.py:{n}") for n, text in enumerate(MEMORY)]
    trials = [Trial(state="FAIL", failure=failure) for failure in (*failures, Failure(kind="MemoryError", message=""))]

    assert [group.cause for group in groups_of(write_experiment(tmp_path, [fine(64), *trials]))] == ["out of memory"]


DIMENSIONS = {
    "LR": FloatRange(low=1e-4, high=1.0, log=True),
    "WIDTH": FloatRange(low=0, high=1),
    "OPT": Choice(options=("a", "b")),
}


def values(*rates, opt="a"):
    return [{"LR": rate, "WIDTH": 0.5, "OPT": opt} for rate in rates]


@pytest.mark.parametrize(
    ("inside", "outside", "rule"),
    [
        (values(0.5, 0.6, 0.7, 0.8), values(*[0.1] * 9, 0.4), "LR >= 0.5"),
        (values(0.1, 0.2, 0.15, 0.1), values(*[0.5] * 9, 0.21), "LR <= 0.2"),
        (values(0.5, 0.6, 0.7, 0.8), values(*[0.1] * 9, 0.5), None),  # one lies on the bound
        (values(*[0.3] * 4, opt="b"), values(*[0.3] * 10), "OPT = b"),
        (values(0.5, 0.6, 0.7, 0.8), values(0.1, 0.1), None),  # too few to tell
        (values(0.5, 0.6), values(*[0.1] * 50), None),
        (values(0.5, 0.6, 0.7), values(*[0.1] * 4), None),  # chance
        ([], values(0.1), None),
    ],
)
def test_a_region_is_the_bound_that_parts_the_two_if_chance_would_hardly_have_made_it(inside, outside, rule):
    region = find_region(inside, outside, DIMENSIONS)
    assert (region and region.bound_text) == rule


def test_a_region_when_a_constant_has_a_value_in_few_trials_then_is_that_of_its_condition():
    inside = [{"OPT": "b", "WIDTH": number / 10} for number in range(5)]
    outside = [{"OPT": "a"} for _ in range(10)]
    dimensions = {"WIDTH": DIMENSIONS["WIDTH"], "OPT": DIMENSIONS["OPT"]}
    assert find_region(inside, outside, dimensions).bound_text == "OPT = b"
