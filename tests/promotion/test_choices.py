"""One of several literals that something else chooses is a constant: ``{"adam": 0.001, "sgd": 0.1}[name]``."""

import pytest

from tune.promotion.execute import Executor
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import find_all, find_constant, find_constants
from tune.promotion.snapshot import open_snapshot, take_snapshot

CLASS = "class Net:\n    def __init__(self, kind='adam'):\n        self.lr = {}\nprint('SEEN', Net().lr)\n"
FUNCTION = "def main(kind='adam'):\n    lr = {}\n    print('SEEN', lr)\nmain()\n"
FORMS = {
    "by a key": "{'adam': 0.001, 'sgd': 0.1}[kind]",
    "by a condition": "0.001 if kind == 'adam' else 0.1",
    "by two conditions": "0.001 if kind == 'adam' else 0.1 if kind == 'sgd' else 1",
    "by a condition and a key": "{'adam': 0.001}[kind] if kind else 2",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("text", "name"), [(CLASS, "Net.lr"), (FUNCTION, "main.lr")], ids=["attribute", "local"])
def test_a_value_that_is_chosen_is_a_constant_and_a_trial_replaces_it(form, text, name, program_of, tmp_path, capsys):
    program = program_of(text.replace("{}", form, 1))
    constants = find_constants(program)
    constant = find_constant(name, program, constants, "s.yaml:1")
    take_snapshot(program, tmp_path / "copy")
    executor = Executor(open_snapshot(tmp_path / "copy"), {name: constant.sites})

    for values in ({}, {name: 7}):
        with executor.promoted_imports(values) as in_force:
            executor.execute_main(in_force)

    assert constant.value == Unknown(form)
    assert capsys.readouterr().out == "SEEN 0.001\nSEEN 7\n"


@pytest.mark.parametrize("form", ["kind * 2", "{'adam': print}[kind]", "kind if kind else 3", "{}[kind]"])
@pytest.mark.parametrize(("text", "name"), [(CLASS, "Net.lr"), (FUNCTION, "main.lr")], ids=["attribute", "local"])
def test_a_value_that_is_computed_is_none(form, text, name, program_of):
    found = find_all(program_of(text.replace("{}", form, 1)))

    assert name not in {each.name for each in found.constants}
