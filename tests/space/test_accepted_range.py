"""A suggested range holds nothing that the function which takes the value refuses."""

import pytest

from tune.space.accepted_ranges import find_accepted_range
from tune.space.dimensions import describe_dimension
from tune.space.suggest_range import suggest_range

RANGES = [
    ("b1", 0.5, ("Adam", "betas"), "uniform 0 to 0.99"),
    ("x", 0.5, ("AdamW", "betas"), "uniform 0.25 to 0.99"),
    ("x", 0.999, ("Adam", "betas"), "uniform 0.99 to 0.9999"),
    ("SGD.momentum", 0, ("SGD", "momentum"), "uniform 0 to 0.99"),
    ("SGD.dampening", 0, ("SGD", "dampening"), "uniform 0 to 0.99"),
    ("k", 0.6, ("Dropout", "p"), "uniform 0.3 to 0.99"),
    ("k", 0.6, ("Dropout2d", "p"), "uniform 0.3 to 0.99"),
    ("rate", 0.6, ("LSTM", "dropout"), "uniform 0.3 to 0.99"),
    ("x", 0.0, ("Adam", "weight_decay"), "uniform 0 to 1"),
    ("CrossEntropyLoss.label_smoothing", 0.8, ("CrossEntropyLoss", "label_smoothing"), "uniform 0.4 to 1"),
    ("CrossEntropyLoss.label_smoothing", 0, ("CrossEntropyLoss", "label_smoothing"), "uniform 0 to 0.3"),
    ("factor", 0.5, ("ReduceLROnPlateau", "factor"), "uniform 0.25 to 0.99"),
    ("StepLR.gamma", 0.5, ("StepLR", "gamma"), "uniform 0.25 to 1"),
    ("size", 1, ("StepLR", "step_size"), "randint 1 to 4"),
    ("alpha", 0.9, ("FocalLoss", "alpha"), "uniform 0.45 to 1"),
    ("alpha", 5.0, ("sigmoid_focal_loss", "alpha"), "loguniform 0.5 to 50"),
    ("jitter", 0.4, ("ColorJitter", "hue"), "uniform 0.2 to 0.5"),
    ("share", 0.8, ("train_test_split", "test_size"), "uniform 0.4 to 0.99"),
    ("k", 3, ("KFold", "n_splits"), "randint 2 to 6"),
    ("k", 3, ("GroupShuffleSplit", "n_splits"), "randint 1 to 6"),
    ("start", 0.9, ("OneCycleLR", "pct_start"), "uniform 0.45 to 1"),
    ("decay", 0.99, ("ExponentialMovingAverage", "decay"), "uniform 0.9 to 0.999"),
    ("Trainer.limit_train_batches", 1, ("Trainer", "limit_train_batches"), "randint 1 to 4"),
    ("Trainer.accumulate_grad_batches", 1, ("Trainer", "accumulate_grad_batches"), "randint 1 to 4"),
    ("Trainer.gradient_clip_val", 1.0, ("Trainer", "gradient_clip_val"), "uniform 0.5 to 2"),
    ("x", 0.8, ("TripletMarginLoss", "margin"), "uniform 0.4 to 1.6"),
    ("x", 0.8, ("Trainer", "limit_train_batches"), "uniform 0.4 to 1"),
    ("x", 0.5, ("my_function", "p"), "uniform 0.25 to 1"),
]


@pytest.mark.parametrize(("name", "value", "receiver", "described"), RANGES)
def test_a_range_when_a_library_takes_the_value_then_holds_what_it_accepts_alone(name, value, receiver, described):
    dimension = suggest_range(name, value, [receiver]).dimension

    assert dimension is not None
    assert describe_dimension(dimension) == described


def test_a_range_that_a_library_bounds_says_so():
    suggestion = suggest_range("MOM", 0.9, [("SGD", "momentum"), ("Own", "mom")])

    assert suggestion.remark == "half to twice, as SGD.momentum accepts it"
    assert suggest_range("MOM", 0.3, [("SGD", "momentum")]).remark == "half to twice, at most 1"


NAMES = [
    ("--b1", 0.5, "uniform 0 to 0.99"),
    ("B2", 0.999, "uniform 0.9 to 0.9999"),
    ("adam_beta1", 0.9, "uniform 0.8 to 0.99"),
    ("ema_decay", 0.999, "uniform 0.9 to 0.9999"),
    ("momentum", 0.95, "uniform 0.8 to 0.99"),
]


@pytest.mark.parametrize(("name", "value", "described"), NAMES)
def test_a_name_with_a_number_in_it_says_what_it_is(name, value, described):
    dimension = suggest_range(name, value).dimension

    assert dimension is not None
    assert describe_dimension(dimension) == described


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "SGD", "RMSprop", "Adadelta", "Adagrad"])
def test_what_an_optimizer_of_torch_accepts_is_what_the_table_says(name):
    import torch

    weights = [torch.nn.Parameter(torch.zeros(1))]
    for parameter, value in (("lr", 0.0), ("weight_decay", 0.0), ("eps", 1e-12), ("momentum", 0.99), ("rho", 0.99)):
        accepted = find_accepted_range(name, parameter)
        assert accepted is not None
        if parameter in getattr(torch.optim, name).__init__.__code__.co_varnames:
            getattr(torch.optim, name)(weights, **{parameter: value})
    if name in ("Adam", "AdamW", "NAdam"):
        with pytest.raises(ValueError, match="beta"):
            getattr(torch.optim, name)(weights, betas=(1.0, 0.9))
        assert find_accepted_range(name, "betas").high_is_out
