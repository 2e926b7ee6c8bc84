"""A setting has one check, for the file and for the command line."""

import pytest

from tune.errors import SpaceError
from tune.space.settings import SETTINGS, Settings, check_setting, set_to


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1d", 86400),
        (45, 45),
        ("30", 30),
        ("0.5", 0.5),
        (0.5, 0.5),
        (None, None),
    ],
)
def test_a_time_budget_becomes_seconds(written, seconds):
    assert check_setting("time_budget", written, None) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0s",
        "0",
        "-30",
        ".inf",
        "9" * 390,
        "m",
        "1.2.3h",
        "1m1h",
        "-1m",
        -1,
        0,
        True,
        float("nan"),
        pytest.param(10**400, id="huge"),
        "9" * 390 + "h",
        ["1m"],
    ],
)
def test_a_time_budget_that_is_no_time_is_refused(written):
    with pytest.raises(SpaceError, match="time_budget: must be a time above 0"):
        check_setting("time_budget", written, None)


def test_a_setting_of_the_command_line_wins_and_arguments_are_added():
    settings = Settings(trials=3, trainer={"max_epochs": 10, "deterministic": True})

    settings = set_to(settings, "trials", 5, "--trials")
    settings = set_to(settings, "time_budget", "1m", "--time-budget")
    settings = set_to(settings, "trainer", {"max_epochs": 2}, "--trainer.max_epochs")

    assert settings == Settings(trials=5, time_budget_s=60.0, trainer={"max_epochs": 2, "deterministic": True})


def test_an_error_begins_with_the_option():
    with pytest.raises(SpaceError) as error:
        check_setting("sampler", "TPEE", "--sampler")

    assert str(error.value) == "--sampler: sampler: no such sampler, got 'TPEE'\n  Did you mean 'tpe'?"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_value_of_no_sensible_type_is_refused_by_every_setting(name):
    with pytest.raises(SpaceError, match=f"^nowhere: {name}: "):
        check_setting(name, (), "nowhere")
