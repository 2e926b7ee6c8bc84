"""A value that a config leaves to the command line is told with the words that give it."""

from types import SimpleNamespace

import pytest

from tune.experiment.records import Failure
from tune.search.preflight_error import create_preflight_error

FAILURE = Failure(
    kind="MissingMandatoryValue",
    message="Missing mandatory value: data.root\n    full_key: data.root",
    place="train.py:33",
)


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        ({}, "Write: promotune train.py optim.lr= --args 'epochs=2 data.root=VALUE'"),
        ({"metric": 3}, "Write there: `args: epochs=2 data.root=VALUE`."),
    ],
    ids=["a command", "a space file"],
)
def test_a_value_that_a_config_leaves_open_is_told_with_its_word(lines, hint, tmp_path):
    search = SimpleNamespace(
        space=SimpleNamespace(args=("epochs=2",), lines=lines),
        command="promotune train.py optim.lr= --args epochs=2",
        paths=SimpleNamespace(version=lambda name: SimpleNamespace(log=tmp_path / "log", error=tmp_path / "error")),
    )
    error = create_preflight_error(SimpleNamespace(failure=FAILURE, version="000"), search, None)

    assert str(error) == f"train.py:33: the config leaves 'data.root' to the command line\n  {hint}"
