"""Arguments of the Trainer are known without importing Lightning."""

import pytest

from tune.errors import SpaceError
from tune.space.library_args import OURS, check_trainer_args, parse_trainer_value, trainer_args


def test_the_arguments_are_those_of_the_installed_lightning():
    import inspect

    from pytorch_lightning import Trainer

    assert list(trainer_args()) == list(inspect.signature(Trainer.__init__).parameters)[1:]


def test_every_argument_of_ours_is_one_of_lightnings():
    assert OURS.keys() <= trainer_args().keys()


@pytest.mark.parametrize(
    "args",
    [
        {"max_epochs": 3},
        {"max_epochs": None},
        {"limit_train_batches": 0.5},
        {"gradient_clip_val": 1},
        {"deterministic": "warn"},
        {"precision": "16-mixed"},
        {"precision": 16},
        {"devices": [0, 1]},
        {"devices": "auto"},
        {"max_time": "00:01:00:00"},
    ],
)
def test_a_value_that_fits_its_annotation_is_taken(args):
    check_trainer_args(args, "here")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"MAX_EPOCH": 3}, "here: trainer: no such argument, got 'MAX_EPOCH'\n  Did you mean 'max_epochs'?"),
        ({"max_epochs": True}, "here: trainer: max_epochs takes int, got True\n  Write a value of type int."),
        ({"max_steps": None}, "here: trainer: max_steps takes int, got None\n  Write a value of type int."),
        (
            {"overfit_batches": "a"},
            "here: trainer: overfit_batches takes float or int, got 'a'\n  Write a value of type float or int.",
        ),
        (
            {"fast_dev_run": True},
            (
                "here: trainer: 'fast_dev_run' is set by the search\n"
                "  Take it out: it would log nothing to search by; use --fast-dev-run."
            ),
        ),
    ],
)
def test_a_value_that_the_trainer_would_not_take_is_refused(args, message):
    with pytest.raises(SpaceError) as error:
        check_trainer_args(args, "here")

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-1", -1),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        (".5", 0.5),
        ("1_000", 1000),
        ("true", True),
        ("False", False),
        ("null", None),
        ("None", None),
        ("16-mixed", "16-mixed"),
        ("no", "no"),
        ("00:01:00:00", "00:01:00:00"),
        ("", ""),
    ],
)
def test_a_word_on_the_command_line_is_a_scalar_of_yaml(text, value):
    parsed = parse_trainer_value(text)

    assert (parsed, type(parsed)) == (value, type(value))
