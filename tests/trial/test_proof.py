"""A promoted parameter that is given another value, by a call that the source does not show, fails the trial."""

from dataclasses import replace

import pytest

from tune.promotion.checks.replaced_values import find_replacements

NET = '''
class Net(nn.Module):
    def __init__(self, n, width=8, *, bias=True):
        """Say what it is."""
        super().__init__()
        assert Net.__init__.__doc__ == "Say what it is."
        self.net = nn.Sequential(nn.Linear(n, width, bias=bias), nn.Linear(width, 1))

    def forward(self, x):
        return self.net(x)

'''

CALLS = {
    "from a table": ("{'net': Net}['net'](2, width=8)", "8"),
    "by position": ("[Net][0](2, 8)", "8"),
    "with what another call computes": ("next(iter([Net]))(2, max(4, 5))", "5"),
}


def program(programs, call):
    text = programs("scripted").read_text().replace("class Scripted", NET + "class Scripted", 1)
    head, _, tail = text.partition("        self.net = nn.Sequential(nn.Linear(2, HIDDEN)")
    return f"{head}        self.net = {call}\n{tail.partition(chr(10))[2]}"


@pytest.mark.parametrize(("call", "passed"), CALLS.values(), ids=CALLS)
def test_a_parameter_that_an_unseen_call_gives_another_value_fails_the_trial(worker, programs, call, passed):
    start = worker("scripted", program(programs, call), promoted=["Net.width"])
    trial = start.run(preflight=True, **{"Net.width": 16})

    assert trial.preflights == 0
    line = 1 + start.job.program.source.text.splitlines().index("    def __init__(self, n, width=8, *, bias=True):")
    assert trial.failure.message == (
        f"scripted.py:{line}: Net.width is not in force: the search set 16, and a call passes {passed}"
    )


@pytest.mark.parametrize("call", ["Net(2)", "Net(2, 8)", "Net(2, width=8)", "{'net': Net}['net'](2)"])
def test_a_parameter_that_is_in_force_in_each_call_passes(worker, programs, call):
    start = worker("scripted", program(programs, call), promoted=["Net.width", "Net.bias"], max_epochs=1)

    for width, bias in ((16, False), (4, True)):
        trial = start.run(**{"Net.width": width, "Net.bias": bias})

        assert trial.record.failure is None
        assert {key: each["value"] for key, each in trial.record.in_force.items()} == {
            "Net.width": width,
            "Net.bias": bias,
        }


OLD = "class Old(Net):\n    def __init__(self, n, depth=3):\n        super().__init__(n)\n\n"
BUILT = {
    "never": ("Net(2)", "never built an object of Old"),
    "in an arm that is not taken": ("Old(2) if HIDDEN < 0 else Net(2)", "never built an object of Old"),
    "once": ("[Old][0](2)", None),
    "by a class below": ("type('Older', (Old,), {})(2)", None),
}


@pytest.mark.parametrize(("call", "told"), BUILT.values(), ids=BUILT)
def test_a_parameter_of_a_class_that_is_never_built_fails_the_trial(worker, programs, call, told):
    text = program(programs, call).replace("class Scripted", OLD + "class Scripted", 1)
    trial = worker("scripted", text, promoted=["Old.depth"], max_epochs=1).run(**{"Old.depth": 5})

    if told is None:
        assert trial.record.failure is None
    else:
        assert f"Old.depth is not in force: the program trained and {told}" in trial.record.failure.message


def test_of_several_places_one_alone_may_be_searched(worker, programs):
    text = program(programs, "nn.Sequential(Net(2, width=4), nn.Linear(1, 2), Net(2, width=8))")
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "width=4" in each)
    column = text.splitlines()[line - 1].index("4)") + 1
    name = f"Net.width@{line}:{column}"
    start = worker("scripted", text, promoted=[name], max_epochs=1)

    assert start.run(**{name: 16}).record.failure is None


STARS = {
    "passes another": ("Net(2, **dict(scale=4.0))", False),
    "passes an equal one": ("Net(2, **dict(scale=float('2')))", False),
    "passes it by position": ("Net(*[2, 8, 4.0])", False),
    "passes others": ("Net(**dict(n=2))", True),
    "passes others by position": ("Net(*(2, 8))", True),
}


@pytest.mark.parametrize(("call", "is_in_force"), STARS.values(), ids=STARS)
def test_parameter_when_a_star_may_pass_it_then_the_preflight_tells_whether_it_does(
    worker, programs, call, is_in_force
):
    net = NET.replace("width=8, *, bias=True", "width=8, scale=2.0, *, bias=True")
    text = program(programs, call).replace(NET, net)
    start = worker("scripted", text, promoted=["Net.scale"], max_epochs=1)
    baseline = start.run(preflight=True, **{"Net.scale": 2.0})

    if is_in_force:
        assert baseline.failure is None
        assert start.run(**{"Net.scale": 3.0}).record.in_force["Net.scale"]["value"] == 3.0
    else:
        assert "Net.scale is not in force: the search set 2.0, and a call passes" in baseline.failure.message


EQUAL_STARS = {
    "passes what the default is": ("Net(2, **dict(width=8))", "a call passes 8"),
    "passes it by position": ("Net(*[2, 8])", "a call passes 8"),
    "passes others": ("Net(*[2], **dict(bias=False))", None),
}


@pytest.mark.parametrize(("call", "told"), EQUAL_STARS.values(), ids=EQUAL_STARS)
def test_a_star_that_passes_what_the_default_is_is_refused_in_the_preflight(worker, programs, call, told):
    """The baseline cannot tell: 8 is 8. Another value can."""
    start = worker(
        "scripted", program(programs, "Net(2)").replace("Net(2)", call), promoted=["Net.width"], max_epochs=1
    )
    start.job = replace(start.job, others={"Net.width": (4, 8, 16)})

    trial = start.run(preflight=True, **{"Net.width": 8})

    assert trial.preflights == (told is None)
    if told is not None:
        assert told in trial.failure.message


SETTINGS = "class Config:\n    lr = 0.1\n\n\n"
BY_DICT = """
c = Config()
for name, value in vars(Config).items():
    if name == "lr":
        setattr(c, name, value * 2)
"""
BY_ITSELF = """
class Twice(Config):
    def __getattribute__(self, name):
        held = object.__getattribute__(self, name)
        return held * 2 if name == "lr" else held

c = Twice()
"""
REPLACED = """
from dataclasses import dataclass, replace

@dataclass
class Config:
    lr: float = 0.1

def change(held, **given):
    return replace(held, **given)

c = Config()
"""
DECORATED = """
class Box:
    def __init__(self, value):
        self.value = value

    def __rmul__(self, other):
        return self.value

def change(cls):
    cls.lr = %s
    return cls

class Above:
    def __init_subclass__(cls):
        cls.lr = %s

%s
    lr = 0.1

c = Config()
"""
MADE = {
    "made of the value by a decorator": (DECORATED % ("cls.lr * 2", 0, "@change\nclass Config:"), None),
    "made an object of the value by a decorator": (DECORATED % ("Box(cls.lr)", 0, "@change\nclass Config:"), None),
    "made of the value by a class above": (DECORATED % (0, "cls.lr * 2", "class Config(Above):"), None),
    "replaced by a decorator": (DECORATED % (0.2, 0, "@change\nclass Config:"), "0.2"),
    "replaced by an object": (
        DECORATED % ("Box(0.2)", 0, "@change\nclass Config:"),
        "an object of Box: {'value': 0.2}",
    ),
    "replaced by something else": (f"{REPLACED}c = change(c, lr=0.2)\n", "0.2"),
    "replaced by what is made of the value": (f"{REPLACED}c = change(c, lr=c.lr * 2)\n", None),
    "filled by something else": ("c = Config()\nvars(c).update(lr=0.2)\n", "0.2"),
    "made of the value, by another name": ("Other = Config\nc = Config()\nsetattr(c, 'lr', Other.lr * 2)\n", None),
    "made of the value, by the dictionary of the class": (BY_DICT, None),
    "made of the value by a class that reads its attributes itself": (BY_ITSELF, None),
}


@pytest.mark.parametrize(("filled", "read"), MADE.values(), ids=MADE)
def test_an_attribute_in_whose_place_another_value_is_read_is_refused_where_it_is_the_same_for_all(
    worker, programs, filled, read
):
    held = "" if "class Config" in filled else SETTINGS
    text = programs("scripted").read_text().replace("class Scripted", f"{held}{filled}\n\nclass Scripted", 1)
    start = worker("scripted", text.replace("lr=LR", "lr=1.0 * c.lr"), promoted=["Config.lr"], max_epochs=1)
    start.job = replace(start.job, others={"Config.lr": (0.05, 0.1, 0.5)})

    trial = start.run(preflight=True, **{"Config.lr": 0.1})

    assert trial.preflights == (read is None)
    if read is not None:
        assert f"Config.lr is not in force: the search set 0.1, and the program reads {read}" in trial.failure.message


LATE = """
    def on_train_epoch_start(self):
        if self.current_epoch > cfg["late"]:
            self.rate = 1

"""
TABLE = (
    'presets = {"small": {"lr": 0.1, "late": 3}, "big": {"lr": 0.2, "late": 5}}\nname = "small"\ncfg = presets[name]\n'
)
EFFECTS = {
    "of the preset that is chosen": (TABLE, "cfg['lr']", "presets['small']['lr']", (0.1, 0.3, 0.4), None),
    "of another preset": (TABLE, "cfg['lr']", "presets['big']['lr']", (0.2, 0.3, 0.4), "takes `presets[name]`"),
    "in a later epoch": (TABLE, LATE, "presets['small']['late']", (3, 4, 6), None),
    "in no epoch": (TABLE, LATE, "presets['big']['late']", (5, 4, 6), "takes `presets[name]`"),
    "of one value of many": (
        TABLE.replace('"lr": 0.1', '"kind": "a"'),
        "0.5 if cfg['kind'] == 'e' else 0.1",
        "presets['small']['kind']",
        ("a", "b", "c", "d", "e"),
        None,
    ),
    "of a merged entry": (
        "base = {'lr': 0.1}\nall_of_it = {**base, 'lr': 0.2}\n",
        "all_of_it['lr']",
        "base['lr']",
        (0.1, 0.3, 0.4),
        "has `{**base, 'lr': 0.2}`",
    ),
    "of an attribute that was read before": (
        "class Config:\n    lr = 0.1\n\ndef change(held):\n    print(held.lr)\n    held.lr = 0.2\n    return held\n",
        "change(Config()).lr",
        "Config.lr",
        (0.1, 0.3, 0.4),
        "has `held.lr = 0.2`",
    ),
}


@pytest.mark.parametrize(("head", "use", "name", "values", "told"), EFFECTS.values(), ids=EFFECTS)
def test_a_value_without_any_effect_is_refused_where_the_source_shows_a_reason(
    worker, programs, head, use, name, values, told
):
    text = programs("scripted").read_text()
    text = text.replace("class Scripted", f"{head}\n\nclass Scripted", 1)
    text = (
        text.replace("    def __init__(self", f"{use}    def __init__(self", 1)
        if use is LATE
        else text.replace("lr=LR", f"lr={use}")
    )
    start = worker("scripted", text, promoted=[name], max_epochs=1)
    replaced = find_replacements(start.job.program, start.job.constants)
    start.job = replace(start.job, others={name: values}, replaced=replaced)

    trial = start.run(preflight=True, **{name: values[0]})

    assert trial.preflights == (told is None)
    if told is not None:
        assert f"{name} is not in force: whatever its value is, the program trains the same; " in trial.failure.message
        assert told in trial.failure.message


BY_PLACE = TABLE.replace('name = "small"', 'place = 0\nname = ["small", "mid", "big"][place]').replace(
    '"big":', '"mid": {"lr": 0.3}, "big":'
)


@pytest.mark.parametrize(
    ("table", "name", "chooser", "values"),
    [
        (TABLE, "presets['big']['lr']", "name", ("small", "big")),
        (BY_PLACE, "presets['mid']['lr']", "place", (0, 2)),  # the ends of the range: 1 is between them
    ],
)
def test_a_value_is_not_refused_where_another_searched_one_may_choose_it(
    worker, programs, table, name, chooser, values
):
    text = programs("scripted").read_text().replace("class Scripted", f"{table}\n\nclass Scripted", 1)
    start = worker("scripted", text.replace("lr=LR", "lr=cfg['lr']"), promoted=[name, chooser], max_epochs=1)
    replaced = find_replacements(start.job.program, start.job.constants)
    start.job = replace(start.job, others={name: (0.2, 0.3), chooser: values}, replaced=replaced)

    trial = start.run(preflight=True, **{name: 0.2, chooser: values[0]})
    assert name in replaced

    assert trial.failure is None
