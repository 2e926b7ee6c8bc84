"""Constants that hold a name of the source, such as ``ACTIVATION = nn.ReLU``: names are put in their places, too."""

from dataclasses import replace

import pytest

from tune.errors import SpaceError
from tune.promotion.execute import Executor
from tune.promotion.find.literals import Symbol, is_dotted_name
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.snapshot import take_snapshot
from tune.promotion.symbols import find_library_name, holds_symbols, suggest_symbols
from tune.space.dimensions import Choice, IntRange

IMPORTS = "import math as m, collections.abc\nfrom os import path\nfrom math import sin\n"


def found_in(program, key):
    return find_constant(key, program, find_constants(program), "")


@pytest.mark.parametrize("text", ["a", "a.b", "nn.ReLU", "ä.b"])
def test_a_name_may_have_dots(text):
    assert is_dotted_name(text)


@pytest.mark.parametrize("text", ["", "a.", ".a", "a b", "1", "a.1", "lambda", "a.if", "a()", "a[0]", "'a'"])
def test_other_expressions_are_no_names(text):
    assert not is_dotted_name(text)


NAMES = {
    "attributes of a module": ("X = m.sin", ["m.sin", "m.cos"]),
    "what is imported itself": ("X = sin", ["sin", "m.cos"]),
    "a module that stands for its package": ("X = collections.abc.Set", ["collections.abc.Set", "collections.Counter"]),
    "classes and functions of the file": ("def f(): ...\nclass C: ...\nX = C", ["C", "f"]),
    "what the file assigns": ("A = [1]\nB = [2]\nX = A", ["A", "B"]),
    "builtins": ("X = float", ["float", "int"]),
    "a name, or nothing": ("X = m.sin", ["m.sin", None]),
    "nothing, or a name": ("X = None", [None, "m.sin", "sin"]),
    "what another variable holds": ("A = m.sin\nX = A", ["sin", "m.cos"]),
    "what is imported of a file": ("from nets import own\nX = own", ["own", "m.cos"]),
    "what only running tells": ("import nets\nX = nets.made.act", ["m.sin", "max"]),
    "what all of a module may hold": ("from cmath import *\nX = m.sin", ["m.sin", "sinh"]),
}


@pytest.mark.parametrize(("text", "options"), NAMES.values(), ids=NAMES)
def test_options_are_names_where_the_file_knows_each(program_of, text, options):
    program = program_of(IMPORTS + text, {"nets.py": "def own(): ...\nmade = own()\n"})

    assert holds_symbols("X", found_in(program, "X"), Choice(options=tuple(options)), program, "")


TEXTS = {
    "what a file reads": ("import config\nX = config.READ", ["fast", "slow"]),
    "builtins' names": ("import config\nX = config.READ", ["max", "min"]),
    "one of them is a builtin's name": ("import config\nX = config.READ", ["sum", "mean"]),
    "one is a local variable's name": ("import config\nX = config.READ\ndef f():\n    mean = 1", ["mean", "all"]),
    "one is an imported name": ("import config\nX = config.READ", ["sin", "cos"]),
    "a text of the project": ("import config\nX = config.MODE", ["sin", "path"]),
    "a text that another name holds": ("import config\nA = config.MODE\nX = A", ["m.sin", "m.cos"]),
    "nothing, or a text": ("X = None", [None, "sin", "max"]),
    "the source holds a text": ("X = 'm.sin'", ["m.sin", "m.cos"]),
}


@pytest.mark.parametrize(("text", "options"), TEXTS.values(), ids=TEXTS)
def test_other_options_are_what_they_are(program_of, text, options):
    program = program_of(IMPORTS + text, {"config.py": "READ = open('x').read()\nMODE = 'sin'\n"})

    assert not holds_symbols("X", found_in(program, "X"), Choice(options=tuple(options)), program, "")


def test_a_range_holds_no_names(program_of):
    program = program_of(IMPORTS + "X = m.tau")

    assert not holds_symbols("X", found_in(program, "X"), IntRange(low=1, high=2), program, "")


NO_NAMES = {
    "numpy.cos": (
        "train.py knows no name 'numpy', got numpy.cos",
        "Import it there, or write it as m.sin is written.",
    ),
    2: ("the other options are names of train.py, got 2", "Write a name of the source, or null."),
    "a b": ("the other options are names of train.py, got 'a b'", "Write a name of the source, or null."),
}


@pytest.mark.parametrize(("option", "expected"), NO_NAMES.items(), ids=map(str, NO_NAMES))
def test_an_option_that_is_no_name_beside_those_that_are_is_refused(program_of, option, expected):
    program = program_of(IMPORTS + "X = m.sin")

    with pytest.raises(SpaceError) as refused:
        holds_symbols("X", found_in(program, "X"), Choice(options=("m.sin", option)), program, "s.yaml:5")

    what, hint = str(refused.value).splitlines()
    assert what == f"s.yaml:5: X: {expected[0]}"
    assert hint == f"  {expected[1]}"


LIBRARY = "import torch, torch.nn as nn\nfrom torch.nn import functional as F, ReLU\nfrom torch import optim\n"
SUGGESTED = {
    "X = nn.ReLU": ("torch.nn.ReLU", ("nn.ReLU", "nn.GELU", "nn.SiLU", "nn.Tanh")),
    "X = torch.nn.Tanh": ("torch.nn.Tanh", ("torch.nn.Tanh", "torch.nn.ReLU", "torch.nn.GELU", "torch.nn.SiLU")),
    "X = F.silu": ("torch.nn.functional.silu", ("F.silu", "F.relu", "F.gelu", "F.tanh")),
    "X = optim.AdamW": ("torch.optim.AdamW", ("optim.AdamW", "optim.Adam", "optim.SGD")),
    "X = nn.BatchNorm1d": ("torch.nn.BatchNorm1d", ()),
    "X = ReLU": ("torch.nn.ReLU", ()),  # the file knows no other
    "X = torch": ("torch", ()),
}


@pytest.mark.parametrize(("text", "expected"), SUGGESTED.items(), ids=SUGGESTED)
def test_what_may_stand_in_the_place_of_a_name_is_suggested(program_of, text, expected):
    program = program_of(LIBRARY + text)
    constant = found_in(program, "X")

    assert (find_library_name(constant, program), suggest_symbols(constant, program)) == expected


@pytest.mark.parametrize("text", ["import nets\nX = nets.relu", "from . import nn\nX = nn.ReLU"])
def test_what_comes_from_no_library_is_no_name_of_one(program_of, text):
    program = program_of(text, {"nets.py": "relu = max\n", "nn.py": "ReLU = max\n"})

    assert find_library_name(found_in(program, "X"), program) is None


NESTED = """
def g():
    import math as inner
    class C:
        def __init__(self, f=inner.sin):
            self.seen = f(0)
    return C().seen
SEEN = g()
"""
PLACES = {
    "a variable": ("X = m.sin\nSEEN = X(0)", "X", "m.cos", 1.0),
    "an entry": ("CFG = {'f': m.sin}\nSEEN = CFG['f'](0)", "CFG['f']", "m.cos", 1.0),
    "a default": ("def g(f=m.sin):\n    return f(0)\nSEEN = g()", "g.f", "m.cos", 1.0),
    "an argument": ("def g(f):\n    return f(0)\nSEEN = g(f=m.sin)", "g.f", "m.cos", 1.0),
    "a field": ("class C:\n    f = m.sin\nSEEN = C.f(0)", "C.f", "m.cos", 1.0),
    "a name of the function": (
        "def g(f):\n    return f(0)\ndef h():\n    import math as inner\n    return g(f=inner.sin)\nSEEN = h()",
        "g.f",
        "inner.cos",
        1.0,
    ),
    "a default of a class in a function": (NESTED, "C.f", "inner.cos", 1.0),
    "nothing": ("def g(f=None):\n    return f(0)\nSEEN = g()", "g.f", "m.cos", 1.0),
    "a builtin": ("X = float\nSEEN = X(True)", "X", "str", "True"),
    "one of two targets": ("X = Y = m.sin\nSEEN = X(0), Y(0)", "X", "m.cos", (1.0, 0.0)),
}


def execute(program, tmp_path, key, values, symbols):
    executor = Executor(
        take_snapshot(program, tmp_path / "snapshot"), {key: found_in(program, key).sites}, dict.fromkeys(symbols, ())
    )
    with executor.import_program(values) as (module, in_force):
        return module.SEEN, in_force


@pytest.mark.parametrize(("text", "key", "name", "seen"), PLACES.values(), ids=PLACES)
def test_a_name_stands_for_what_it_stands_for_where_it_is_written(program_of, tmp_path, text, key, name, seen):
    program = program_of(IMPORTS + text)
    result, in_force = execute(program, tmp_path, key, {key: name}, [key])

    assert result == seen
    assert in_force.taken == {key: 1}
    assert in_force.displaced == {}
    assert in_force.find_expected(key) is not name


def test_nothing_in_the_place_of_a_name_is_nothing(program_of, tmp_path):
    assert execute(program_of(IMPORTS + "X = m.sin\nSEEN = X"), tmp_path, "X", {"X": None}, ["X"])[0] is None


def test_a_text_in_the_place_of_a_name_stays_a_text(program_of, tmp_path):
    program = program_of("import config\nX = config.MODE\nSEEN = X\n", {"config.py": "MODE = 'slow'\n"})

    assert execute(program, tmp_path, "X", {"X": "fast"}, [])[0] == "fast"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [("m.kos", AttributeError, "module 'math' has no attribute 'kos'"), ("n", NameError, "name 'n' is not defined")],
)
def test_a_name_that_is_not_there_fails_as_in_python(program_of, tmp_path, name, error, message):
    with pytest.raises(error, match=message):
        execute(program_of(IMPORTS + "X = m.sin\nSEEN = X"), tmp_path, "X", {"X": name}, ["X"])


def test_another_object_than_that_of_the_name_is_no_value_in_force(program_of, tmp_path):
    hidden = "from types import SimpleNamespace\nheld = SimpleNamespace(f=m.tan)\n"
    program = program_of(f"{IMPORTS}{hidden}def g(f=m.sin):\n    return f(0)\nSEEN = g(), g(**vars(held))")
    _, in_force = execute(program, tmp_path, "g.f", {"g.f": "m.cos"}, ["g.f"])

    assert [held.__name__ for held in in_force.displaced.values()] == ["tan"]


def test_a_symbol_is_a_text_that_stands_without_quotes():
    assert (repr(Symbol("nn.ReLU")), str(Symbol("nn.ReLU")), Symbol("a") == "a") == ("nn.ReLU", "nn.ReLU", True)
    assert replace(Choice(options=("a",)), options=(Symbol("a"),)) == Choice(options=("a",))
