"""`sampler_args` and `scheduler_args`: checked against Optuna's constructors, without importing Optuna."""

import pytest

from tune.errors import SpaceError
from tune.space.library_args import arguments_of_class
from tune.space.search_methods import SAMPLERS
from tune.space.settings import Settings
from tune.space.space import check_search_args


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_samplers_class_is_found_where_we_look_for_it(sampler):
    assert "seed" in arguments_of_class("optuna", *SAMPLERS[sampler].source)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            Settings(sampler_args={"n_startup_trial": 5}),
            "a: sampler_args of tpe: no such argument, got 'n_startup_trial'\n  Did you mean 'n_startup_trials'?",
        ),
        (
            Settings(sampler="random", sampler_args={"seed": 1}),
            "a: sampler_args of random: 'seed' is set by the search\n  Take it out: `seed:` sets it.",
        ),
        (
            Settings(sampler_args={"n_startup_trials": "five"}),
            "a: sampler_args of tpe: n_startup_trials takes int, got 'five'\n  Write a value of type int.",
        ),
        (
            Settings(scheduler_args={"grace": 1}),
            "b: scheduler_args of asha: no such argument, got 'grace'\n  Did you mean 'grace_period'?",
        ),
        (
            Settings(scheduler_args={"reduction_factor": 1}),
            "b: scheduler_args of asha: reduction_factor must be at least 1.1, got 1\n  Write a larger number.",
        ),
        (
            Settings(scheduler_args={"grace_period": 1.5}),
            "b: scheduler_args of asha: grace_period takes int, got 1.5\n  Write a value of type int.",
        ),
        (
            Settings(scheduler="none", scheduler_args={"grace_period": 1}),
            "b: the scheduler none takes no arguments, got 'grace_period'\n  Take it out.",
        ),
    ],
)
def test_an_argument_that_will_not_do_is_refused(settings, message):
    with pytest.raises(SpaceError) as error:
        check_search_args(settings, "a", "b")

    assert str(error.value) == message


def test_arguments_that_will_do_pass():
    check_search_args(Settings(sampler_args={"n_startup_trials": 5}, scheduler_args={"grace_period": 2}), None, None)
