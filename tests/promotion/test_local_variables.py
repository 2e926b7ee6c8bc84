"""Names that functions bind are constants: named by the function, refused where they change."""

import pytest

from tune.errors import ConstantError
from tune.promotion.constant import ConstantKind
from tune.promotion.find_constants import find_constant, find_constants

WHERE = "space.yaml:5"


def found(program, name):
    return find_constant(name, program, find_constants(program), WHERE)


HELD = [
    ("def main():\n    lr = 1e-3\n    fit(lr)", "main.lr", 1e-3),
    ("def main():\n    lr: float = 1e-3\n    fit(lr)", "main.lr", 1e-3),
    ("def main():\n    a, lr = 1, 0.5\n    fit(a, lr)", "main.lr", 0.5),
    ("def main():\n    a = lr = 0.5\n    fit(a, lr)", "main.lr", 0.5),
    ("async def main():\n    lr = 0.5\n    fit(lr)", "main.lr", 0.5),
    ("def main():\n    if fast:\n        n = 5\n    else:\n        n = 5\n    fit(n)", "main.n", 5),
    ("def main():\n    for fold in range(3):\n        lr = 0.5\n        fit(lr)", "main.lr", 0.5),
    ("def main():\n    def objective():\n        lr = 0.5\n        fit(lr)\n    objective()", "main.objective.lr", 0.5),
    ("class Net:\n    def configure(self):\n        decay = 0.1\n        fit(decay)", "Net.configure.decay", 0.1),
    ("def main():\n    widths = [64, 32]\n    fit(widths)", "main.widths", [64, 32]),
    ("def main():\n    config = {'lr': 0.5}\n    fit(config)", "main.config['lr']", 0.5),
    ("def main():\n    config = {'optim': {'lr': 0.5}}\n    fit(config)", "main.config['optim']['lr']", 0.5),
    ("lr = 1\ndef main():\n    lr = 0.5\n    fit(lr)", "main.lr", 0.5),
    ("def main():\n    lr = 0.5\n    fit(lr)\ndef other():\n    lr = 0.25\n    fit(lr)", "other.lr", 0.25),
    ("class Net:\n    def __init__(self, lr): pass\ndef main():\n    rate = 0.5\n    Net(rate)", "Net.lr", 0.5),
    ("class Net:\n    def __init__(self, lr): pass\ndef main():\n    rate = 0.5\n    Net(lr=rate)", "Net.lr", 0.5),
]


RETURNED = {
    "a dict": ("def conf():\n    return {'lr': 0.5}\nfit(conf()['lr'])", "conf['lr']"),
    "a dict in a dict": ("def conf():\n    return {'optim': {'lr': 0.5}}\nfit(conf())", "conf['optim']['lr']"),
    "beside an attribute of that name": (
        "def conf():\n    return {'lr': 0.5}\nclass Net:\n    def __init__(self): self.lr = conf()['lr']\nNet()",
        "conf['lr']",
    ),
    "behind other statements": (
        "def conf(n):\n    print(n)\n    return {'lr': 0.5, 'n': n}\nfit(conf(1))",
        "conf['lr']",
    ),
}


@pytest.mark.parametrize(("text", "name"), RETURNED.values(), ids=RETURNED)
def test_constant_when_a_function_returns_a_dict_then_its_entries_are_named_by_the_function(program_of, text, name):
    program = program_of(text)
    constant = found(program, name)

    assert (constant.value, constant.form, bool(constant.reads)) == (0.5, ConstantKind.LOCAL, True)
    assert [each.value for each in find_constants(program)].count(0.5) == 1


NOT_RETURNED_ALONE = {
    "two dicts": "def conf(a):\n    if a:\n        return {'lr': 0.5}\n    return {'lr': 0.1}\nfit(conf(1))",
    "a call": "def conf():\n    return dict(lr=0.5)\nfit(conf())",
    "a method": "class Net:\n    def conf(self):\n        return {'lr': 0.5}\nfit(Net().conf())",
    "a function inside": "def conf():\n    def inner():\n        return {'lr': 0.5}\n    return inner()\nfit(conf())",
}


@pytest.mark.parametrize("text", NOT_RETURNED_ALONE.values(), ids=NOT_RETURNED_ALONE)
def test_constant_when_a_function_may_return_something_else_then_there_is_none(program_of, text):
    assert not [each.name for each in find_constants(program_of(text)) if each.name.startswith("conf[")]


def test_constant_when_an_entry_that_a_function_returns_is_assigned_again_then_it_is_refused(program_of):
    program = program_of("def conf():\n    return {'lr': 0.5}\nheld = conf()\nheld['lr'] = 0.1\nfit(held)")

    with pytest.raises(ConstantError) as caught:
        found(program, "conf['lr']")

    assert caught.value.what == "\"conf['lr']\" is assigned again: train.py:4"


@pytest.mark.parametrize(("text", "name", "value"), HELD)
def test_constant_when_a_function_assigns_a_literal_once_then_its_name_begins_with_the_functions(
    program_of, text, name, value
):
    constant = found(program_of(text), name)

    assert constant.value == value
    assert constant.form is (ConstantKind.PARAMETER if name == "Net.lr" else ConstantKind.LOCAL)


def test_constant_of_a_module_when_a_function_has_the_same_name_then_it_is_still_meant(program_of):
    assert found(program_of("lr = 1\ndef main():\n    lr = 0.5\n    fit(lr)"), "lr").value == 1


MAKE = "    def make(self, width=64, *, depth=2):\n        fit(width, depth)"
CALLS = "class Net:\n    def __init__(self):\n        self.make({})\n" + MAKE
HOOK = "class Net:\n    def {}:\n        fit(lr)"

LEFT_TO_DEFAULTS = [
    (HOOK.format("configure_optimizers(self, lr=0.5)"), "Net.configure_optimizers.lr", 0.5),
    (HOOK.format("train_dataloader(self, *, lr=4)"), "Net.train_dataloader.lr", 4),
    (CALLS.format(""), "Net.make.width", 64),
    (CALLS.format(""), "Net.make.depth", 2),
    (CALLS.format("depth=1"), "Net.make.width", 64),
    (CALLS.format("32"), "Net.make.depth", 2),
    (CALLS.format("") + "\nprint(other.make)", "Net.make.depth", 2),
]


@pytest.mark.parametrize(("text", "name", "value"), LEFT_TO_DEFAULTS)
def test_parameter_of_a_method_when_every_call_leaves_it_to_its_default_then_it_is_a_constant(
    program_of, text, name, value
):
    constant = found(program_of(text), name)

    assert constant.value == value
    assert constant.form is ConstantKind.PARAMETER


PASSED = [
    (CALLS.format("32"), "Net.make.width"),
    (CALLS.format("width=32"), "Net.make.width"),
    (CALLS.format("depth=1"), "Net.make.depth"),
    (CALLS.format("*some"), "Net.make.width"),
    (CALLS.format("**some"), "Net.make.depth"),
    (CALLS.format("") + "\nbuild = partial(net.make, width=3)", "Net.make.width"),
    (
        CALLS.format("") + "\n    def build(self):\n        return functools.partial(self.make, depth=3)",
        "Net.make.width",
    ),
    (CALLS.format("") + "\n    def build(self):\n        return [*map(self.make, range(3))]", "Net.make.width"),
    (CALLS.format("") + "\n    def build(self):\n        return Pool(factory=self.make)", "Net.make.depth"),
    (HOOK.format("make(self, lr=1)"), "Net.make.lr"),
    (HOOK.format("configure_optimizers(self, lr=None)"), "Net.configure_optimizers.lr"),
    (HOOK.format("validation_step(self, lr=0)") + "\nmodel.validation_step()", "Net.validation_step.lr"),
    (HOOK.format("on_fit_end(self, lr=0)") + "\nmodel.on_fit_end()", "Net.on_fit_end.lr"),
    (HOOK.format("__call__(self, lr=0)") + "\nmodel.__call__()", "Net.__call__.lr"),
]


@pytest.mark.parametrize(("text", "name"), PASSED)
def test_parameter_of_a_method_when_another_value_may_be_passed_then_it_is_no_constant(program_of, text, name):
    assert name not in {each.name for each in find_constants(program_of(text))}


REFUSED = [
    ("lr = 1e-3\n    lr = 1e-4", "main.lr", "is assigned more than once: train.py:2 and train.py:3"),
    ("lr = 1e-3\n    lr *= 0.1", "main.lr", "is changed in place: train.py:3"),
    ("lr = 1e-3\n    for lr in rates: pass", "main.lr", "is a loop's variable: train.py:3"),
    ("lr = 1e-3\n    del lr", "main.lr", "is deleted: train.py:3"),
    ("lr = 1e-3\n    lr, n = f()", "main.lr", "is unpacked from a value that only running"),
    ("lr = 1e-3\n    with f() as lr: pass", "main.lr", "is assigned more than once: train.py:2 and train.py:3"),
    ("lr = 1e-3\n    if (lr := f()): pass", "main.lr", "is assigned more than once: train.py:2 and train.py:3"),
    ("lr = 1\n    def g():\n        nonlocal lr\n        lr = 2", "main.lr", "is assigned in a function that decl"),
    ("widths = [1]\n    widths.append(2)", "main.widths", "is changed in place: train.py:3"),
    ("widths = [1]\n    widths[0] = 2", "main.widths", "is changed in place: train.py:3"),
    ("c = {'lr': 1}\n    c['lr'] = 2", "main.c['lr']", "is assigned again: train.py:3"),
    ("c = {'lr': 1}\n    c.update(f())", "main.c['lr']", "is assigned again: train.py:3"),
    ("c = {'lr': 1}\n    c = {'lr': 2}", "main.c", "is assigned more than once: train.py:2 and train.py:3"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "name", "what"), REFUSED)
def test_constant_when_a_function_changes_it_then_it_is_refused_with_the_line(program_of, body, name, what):
    program = program_of(f"def main(argument=1):\n    {body}\n    fit(lr)\n")
    with pytest.raises(ConstantError) as caught:
        found(program, name)

    assert str(caught.value).startswith(f"{WHERE}: {name!r} {what}")


def test_argument_when_its_function_assigns_it_then_it_is_a_parameter_alone(program_of):
    program = program_of("def main(lr=0.5):\n    lr = 0.25\n    fit(lr)\n")

    assert [each.form for each in find_constants(program) if each.name == "main.lr"] == [ConstantKind.PARAMETER]


def test_names_of_a_module_are_no_locals_of_its_functions(program_of):
    program = program_of("def main():\n    global LR\n    LR = 0.5\nLR = 1\n")

    assert not [each for each in find_constants(program) if each.form is ConstantKind.LOCAL]
