"""Optuna draws what the space file says: both ends included, every option itself."""

import itertools
import warnings

import optuna
import pytest

from tune.search.samplers.optuna_samplers import axis_of, build_sampler
from tune.search.samplers.optuna_values import distribution_of, from_label, labels_of, to_label
from tune.space.dimensions import Choice, FloatRange, IntRange, is_in_dimension

optuna.logging.set_verbosity(optuna.logging.ERROR)


def drawn(dimension, n=400, sampler=None):
    study = optuna.create_study(sampler=sampler or optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask({"X": distribution_of(dimension)}) for _ in range(n)]
    return [from_label(dimension, trial.params["X"]) for trial in trials]


GRIDS = [
    (IntRange(low=-2, high=2), [-2, -1, 0, 1, 2]),
    (IntRange(low=1, high=4, log=True), [1, 2, 3, 4]),
    (IntRange(low=10, high=40, step=10), [10, 20, 30, 40]),
    (FloatRange(low=0.0, high=0.5, step=0.25), [0.0, 0.25, 0.5]),
    (FloatRange(low=0.1, high=0.7, step=0.3), [0.1, 0.4, 0.7]),
    (Choice(options=(16, 32, "x")), [16, 32, "x"]),
]


@pytest.mark.parametrize(("dimension", "points"), GRIDS, ids=lambda each: type(each).__name__)
def test_every_point_is_drawn_both_ends_included(dimension, points):
    values = drawn(dimension)

    assert {repr(value) for value in values} == {repr(point) for point in points}
    assert axis_of(dimension) == points


@pytest.mark.parametrize(
    "dimension", [FloatRange(low=-1.0, high=3.0), FloatRange(low=1e-4, high=1e-1, log=True)], ids=repr
)
def test_a_continuous_range_is_drawn_from_end_to_end(dimension):
    values = drawn(dimension, 2000)

    assert all(is_in_dimension(dimension, value) for value in values)
    if dimension.log:
        assert min(values) < dimension.low * 1.02
        assert max(values) > dimension.high / 1.02
        assert 600 < sum(value < 1e-3 for value in values) < 740  # a third below the first of three decades
    else:
        assert min(values) < -0.99
        assert max(values) > 2.99


def test_both_ends_of_a_continuous_range_may_be_enqueued():
    for dimension in (FloatRange(low=-1.0, high=3.0), FloatRange(low=1e-4, high=1e-1, log=True)):
        study = optuna.create_study()
        for end in (dimension.low, dimension.high):
            study.enqueue_trial({"X": end})
            assert study.ask({"X": distribution_of(dimension)}).params["X"] == end


OPTIONS = [
    (16, 32, 64),
    ("adam", "sgd"),
    (None, 0.1, "x"),
    (1, True, 1.5),
    (0, False),
    ([1, 2], [3]),
    ((1, 2), (3,), None),
    ({"lr": 1}, {"lr": 2}),
    ("1", 1, "True", True),
]


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_every_option_comes_back_as_itself(options):
    choice = Choice(options=options)
    labels = [to_label(choice, option) for option in options]

    assert len(labels_of(choice)) == len(options)
    assert not any(a == b for a, b in itertools.combinations(labels, 2))
    assert [repr(from_label(choice, label)) for label in labels] == [repr(option) for option in options]
    assert {repr(value) for value in drawn(choice)} == {repr(option) for option in options}
    for option in options:
        study = optuna.create_study()
        study.enqueue_trial({"X": to_label(choice, option)})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            trial = study.ask({"X": distribution_of(choice)})
        assert repr(from_label(choice, trial.params["X"])) == repr(option)


@pytest.mark.parametrize("name", ["tpe", "cmaes", "qmc", "random"])
def test_the_same_seed_draws_the_same(name):
    dimensions = {"A": IntRange(low=1, high=9), "B": Choice(options=("x", "y"))}

    def draws(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # QMC
            study = optuna.create_study(sampler=build_sampler(name, {}, seed))
        rows = []
        for number in range(8):
            trial = study.ask({key: distribution_of(dimension) for key, dimension in dimensions.items()})
            study.tell(trial, number)
            rows.append(tuple(trial.params.values()))
        return rows

    assert draws(0) == draws(0)
    assert draws(0) != draws(1)


def test_the_arguments_of_the_space_file_win_over_ours():
    sampler = build_sampler("tpe", {"n_startup_trials": 3, "multivariate": True}, 0)

    assert sampler._n_startup_trials == 3
    assert sampler._multivariate is True
    assert build_sampler("tpe", {}, 0)._multivariate is False
