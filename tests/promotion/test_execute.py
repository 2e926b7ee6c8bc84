"""A value is in force before the program's body runs, and nothing of an execution outlives it."""
# ruff: noqa: E501 - a case is a line

import gc
import importlib
import inspect
import linecache
import sys
import traceback
import weakref
from pathlib import Path

import pytest

from tune.promotion.execute import Executor
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").touch()
    return root


def executor_of(root, files, *keys, program="p.py"):
    """Write the files, and return what a worker would execute the program with."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found = find_program(root / program)
    constants = find_constants(found)
    sites = {key: find_constant(key, found, constants, "s.yaml:1").sites for key in keys}
    return Executor(take_snapshot(found, root.parent / "snapshot"), sites)


def value_of(executor, name, **values):
    with executor.import_program(values) as (module, _):
        return getattr(module, name)


FOLLOWS = {
    "plain": "X = 1\nSEEN = X",
    "annotated": "X: int = 1\nSEEN = X",
    "derived": "X = 1\nY = X // 1\nSEEN = Y",
    "default argument": "X = 1\ndef f(x=X):\n    return x\nSEEN = f()",
    "class body": "X = 1\nclass C:\n    x = X\nSEEN = C.x",
    "partial": "from functools import partial\nX = 1\nSEEN = partial(dict, x=X)()['x']",
    "closure": "X = 1\nSEEN = (lambda: X)()",
    "in brackets": "X = (\n    1\n)\nSEEN = X",
    "after a semicolon": "A = 3; X = 1; SEEN = X",
    "behind letters of two bytes": "A = 'ä'; X = 1; SEEN = X",
    "an f-string": "X = 1\nSEEN = int(f'{X}')",
    "under a future import": "from __future__ import annotations\nX: int = 1\nSEEN = X",
}


@pytest.mark.parametrize("text", FOLLOWS.values(), ids=FOLLOWS)
def test_a_value_reaches_whatever_follows_from_the_constant(project, text):
    executor = executor_of(project, {"p.py": text}, "X")

    assert value_of(executor, "SEEN", X=7) == 7
    assert value_of(executor, "SEEN") == 1


IMPORTS = {
    "from config import": ({"p.py": "from config import X\nSEEN = X", "config.py": "X = 1"}, "p.py"),
    "import config": ({"p.py": "import config\nSEEN = config.X", "config.py": "X = 1"}, "p.py"),
    "star import": ({"p.py": "from config import *\nSEEN = X", "config.py": "X = 1"}, "p.py"),
    "import in a function": (
        {"p.py": "def f():\n    from config import X\n    return X\nSEEN = f()", "config.py": "X = 1"},
        "p.py",
    ),
    "relative import": (
        {"a/__init__.py": "", "a/p.py": "from .config import X\nSEEN = X", "a/config.py": "X = 1"},
        "a/p.py",
    ),
    "relative import of the package": (
        {"a/__init__.py": "from .config import X", "a/p.py": "from . import X\nSEEN = X", "a/config.py": "X = 1"},
        "a/p.py",
    ),
    "namespace package": ({"a/p.py": "from a.config import X\nSEEN = X", "a/config.py": "X = 1"}, "a/p.py"),
}


@pytest.mark.parametrize(("files", "program"), IMPORTS.values(), ids=IMPORTS)
def test_a_value_reaches_the_program_from_another_module_of_the_project(project, files, program):
    executor = executor_of(project, files, "X", program=program)

    assert value_of(executor, "SEEN", X=7) == 7
    assert value_of(executor, "SEEN") == 1


OF_THE_REPOSITORY = ("lit", "tests", "benchmarks", "run_search")
"""Modules that these tests themselves could import; no trial of another project may see them."""


@pytest.mark.parametrize("form", ["{}.py", "{}/__init__.py"])
@pytest.mark.parametrize("name", [*OF_THE_REPOSITORY, "config", "utils", "search_spaces", "promotune", "data", "docs"])
def test_a_module_of_the_project_is_meant_whatever_else_has_its_name(project, name, form):
    files = {"p.py": f"from {name} import X\nimport {name}\nSEEN = X, {name}.__file__", form.format(name): "X = 1"}
    executor = executor_of(project, files, "X")
    before = sys.modules.get(name)

    value, file = value_of(executor, "SEEN", X=7)

    assert value == 7
    assert file.endswith(form.format(name))
    assert Path(file).is_relative_to(project.parent)
    assert sys.modules.get(name) is before


def test_one_file_under_two_names_has_the_value_under_both(project):
    files = {
        "a/p.py": "import config\nfrom a import config as other\nSEEN = (config.X, other.X, config is other)",
        "a/config.py": "X = 1",
    }

    assert value_of(executor_of(project, files, "X", program="a/p.py"), "SEEN", X=7) == (7, 7, False)


def test_two_constants_of_one_name_are_told_apart(project):
    files = {"p.py": "import config\nX = 1\nSEEN = (X, config.X)", "config.py": "X = 2"}
    executor = executor_of(project, files, "p.X", "config.X")

    assert value_of(executor, "SEEN", **{"config.X": 7}) == (1, 7)
    assert value_of(executor, "SEEN", **{"p.X": 7}) == (7, 2)


def test_what_each_value_was_taken_for_is_counted(project):
    executor = executor_of(project, {"p.py": "X = 1\nif False:\n    Y = 2"}, "X")

    with executor.import_program({"X": 7}) as (_, in_force):
        assert in_force.taken == {"X": 1}


def test_the_snapshot_is_executed_after_the_files_were_edited(project):
    executor = executor_of(project, {"p.py": "import config\nSEEN = config.X", "config.py": "X = 1"}, "X")
    (project / "p.py").write_text("raise SystemExit")
    (project / "config.py").write_text("\n\nX = 5")

    assert value_of(executor, "SEEN", X=7) == 7


def test_an_edit_between_two_executions_changes_nothing(project):
    executor = executor_of(project, {"p.py": "X = 1\nSEEN = X + 1"}, "X")
    assert value_of(executor, "SEEN", X=7) == 8
    (project / "p.py").write_text("X = 1\nSEEN = X + 2")

    assert value_of(executor, "SEEN", X=7) == 8


def test_a_module_that_no_import_statement_led_to_is_kept_as_first_executed(project):
    files = {"p.py": "from importlib import import_module\nSEEN = import_module('late').Y", "late.py": "Y = 1"}
    executor = executor_of(project, files)
    assert value_of(executor, "SEEN") == 1
    (project / "late.py").write_text("Y = 2")

    assert value_of(executor, "SEEN") == 1
    assert value_of(Executor(executor.snapshot, {}), "SEEN") == 1  # of another worker


def test_the_program_finds_data_beside_itself(project):
    (project / "data.txt").write_text("4 rows")
    text = "from pathlib import Path\nSEEN = Path(__file__).with_name('data.txt').read_text()\nFILE = __file__"
    executor = executor_of(project, {"p.py": text})

    assert value_of(executor, "SEEN") == "4 rows"
    assert value_of(executor, "FILE") == str(project / "p.py")


def test_getsource_gives_the_text_that_was_executed(project):
    executor = executor_of(project, {"p.py": "X = 1\n\n\nclass Net:\n    width = X\n"}, "X")
    (project / "p.py").write_text("edited = 'meanwhile'\n" * 9)
    linecache.checkcache()

    with executor.import_program({"X": 7}) as (module, _):
        assert inspect.getsource(module.Net) == "class Net:\n    width = X\n"
        assert inspect.getsource(module) == "X = 1\n\n\nclass Net:\n    width = X\n"


def test_a_traceback_shows_the_line_that_was_executed(project):
    executor = executor_of(project, {"p.py": "X = (\n  1\n)\n\ndef f():\n    return 1 / (X - 7)\n"}, "X")
    (project / "p.py").write_text("edited = 'meanwhile'\n" * 9)

    with executor.import_program({"X": 7}) as (module, _), pytest.raises(ZeroDivisionError) as caught:
        module.f()

    frame = traceback.extract_tb(caught.tb)[-1]
    assert (frame.filename, frame.lineno, frame.line) == (str(project / "p.py"), 6, "return 1 / (X - 7)")


def test_an_error_at_import_carries_the_programs_line(project):
    executor = executor_of(project, {"p.py": "X = 1\nY = 1 / (X - 7)\n"}, "X")

    with pytest.raises(ZeroDivisionError) as caught, executor.import_program({"X": 7}):
        pass

    frame = traceback.extract_tb(caught.tb)[-1]
    assert (frame.lineno, frame.line) == (2, "Y = 1 / (X - 7)")
    assert "p" not in sys.modules


def test_afterwards_every_module_of_the_program_is_forgotten(project):
    files = {
        "p.py": "import config\nfrom a.b import c\nSTATE = []\nclass Net: pass",
        "config.py": "",
        "a/b/c.py": "",
    }
    executor = executor_of(project, files)
    before, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)

    with executor.import_program({}) as (module, _):
        model = module.Net()
        gone = weakref.ref(model)
        assert {"p", "config", "a", "a.b", "a.b.c"} <= sys.modules.keys()
    del model, module
    gc.collect()

    assert gone() is None
    assert set(sys.modules) == before
    assert (sys.path, sys.meta_path) == (path, finders)


def test_a_program_that_raises_leaves_nothing_behind(project):
    executor = executor_of(
        project, {"p.py": "import sys, config\nsys.path.append('/x')\nraise OSError", "config.py": ""}
    )
    before, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)

    with pytest.raises(OSError), executor.import_program({}):  # noqa: PT011
        pass

    assert set(sys.modules) == before
    assert (sys.path, sys.meta_path) == (path, finders)


def test_state_of_a_module_starts_afresh(project):
    text = (
        "import config\nclass C:\n    seen = []\nconfig.SEEN.append(1)\nC.seen.append(1)\nSEEN = config.SEEN + C.seen"
    )
    executor = executor_of(project, {"p.py": text, "config.py": "SEEN = []"})

    assert value_of(executor, "SEEN") == [1, 1]
    assert value_of(executor, "SEEN") == [1, 1]


def test_a_list_that_the_program_mutates_does_not_leak(project):
    executor = executor_of(project, {"p.py": "X = [1, [2]]\nSEEN = X\nSEEN.append(3)\nSEEN[1].append(3)"}, "X")
    values = {"X": [4, [5]]}

    for _ in range(2):
        with executor.import_program(values) as (module, _in_force):
            assert module.SEEN == [4, [5, 3], 3]
    assert values == {"X": [4, [5]]}


def test_two_names_of_one_file_do_not_share_a_list(project):
    files = {
        "a/p.py": "import config\nfrom a import config as other\nSEEN = config.X is other.X",
        "a/config.py": "X = [1]",
    }

    assert value_of(executor_of(project, files, "X", program="a/p.py"), "SEEN", X=[2]) is False


def test_a_project_module_hides_a_loaded_one_of_its_name_and_gives_it_back(project):
    yaml = importlib.import_module("ruamel.yaml")
    files = {"p.py": "import ruamel\nSEEN = ruamel.X", "ruamel.py": "X = 1"}
    executor = executor_of(project, files, "ruamel.X")

    assert value_of(executor, "SEEN", **{"ruamel.X": 7}) == 7
    assert sys.modules["ruamel.yaml"] is yaml
    assert importlib.import_module("ruamel.yaml") is yaml


def test_a_library_that_the_program_imports_stays_loaded(project):
    sys.modules.pop("this_is_no_module", None)
    executor = executor_of(project, {"p.py": "import colorsys\nSEEN = colorsys"})

    first = value_of(executor, "SEEN")

    assert value_of(executor, "SEEN") is first


def test_a_module_in_a_virtual_environment_below_the_root_is_not_the_projects(project, monkeypatch):
    library = project / ".venv" / "lib" / "site-packages"
    executor = executor_of(
        project, {"p.py": "import somelib\nSEEN = somelib.X", ".venv/lib/site-packages/somelib.py": "X = 1"}
    )
    monkeypatch.syspath_prepend(str(library))

    assert value_of(executor, "SEEN") == 1
    assert sys.modules.pop("somelib").__file__ == str(library / "somelib.py")


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(project):
    executor = executor_of(project, {"p.py": ""}, program="p.py")
    (project / "p.py").write_bytes(b"\xef\xbb\xbfX = 1\r\nSEEN = X\r\n")
    executor = executor_of(project, {}, "X")

    assert value_of(executor, "SEEN", X=7) == 7


def test_a_source_file_in_its_own_encoding_is_executed(project):
    (project / "p.py").write_bytes("# -*- coding: latin-1 -*-\nA = 'ä'; X = 1\nSEEN = (A, X)\n".encode("latin-1"))

    assert value_of(executor_of(project, {}, "X"), "SEEN", X=7) == ("ä", 7)


def test_no_bytecode_of_the_program_is_written(project):
    executor = executor_of(project, {"p.py": "import config\nSEEN = 1", "config.py": ""})
    value_of(executor, "SEEN")

    assert not list(Path(project).rglob("*.pyc"))


@pytest.mark.parametrize("other", [None, "mnist/mnist.py", "mnist/mnist/__init__.py"])
def test_a_program_beside_a_module_of_its_folder_s_name_is_imported(project, other):
    name = "mnist/mnist.py" if other is None else "mnist/train.py"
    imports = "" if other is None else "import mnist\n"
    executor = executor_of(project, {name: f"{imports}X = 1\n", **({other: ""} if other else {})}, program=name)

    assert value_of(executor, "X") == 1


DATACLASS = "from dataclasses import dataclass, field\n@dataclass\nclass C:\n    lr: float = 0.5\n"
FIELDS = {
    "a dataclass": f"{DATACLASS}C(**dict([('lr', 0.25)]))",
    "a frozen one with slots": f"{DATACLASS.replace('@dataclass', '@dataclass(frozen=True, slots=True)')}C(**dict([('lr', 0.25)]))",
    "field()": f"{DATACLASS.replace('= 0.5', '= field(default=0.5)')}C(**dict([('lr', 0.25)]))",
    "one that inherits the field": f"{DATACLASS}@dataclass\nclass D(C):\n    b: int = 1\nD(**dict([('lr', 0.25)]))",
    "attrs": "import attrs\n@attrs.define\nclass C:\n    lr: float = 0.5\nC(**dict([('lr', 0.25)]))",
    "pydantic": "from pydantic import BaseModel\nclass C(BaseModel):\n    lr: float = 0.5\nC.model_validate({'lr': 0.25})",
    "a part of one of pydantic": "from pydantic import BaseModel\nclass C(BaseModel):\n    lr: float = 0.5\n"
    'class All(BaseModel):\n    c: C = C()\nAll.model_validate_json(\'{"c": {"lr": 0.25}}\')',
}


@pytest.mark.parametrize("text", FIELDS.values(), ids=FIELDS)
def test_a_field_that_a_call_gives_another_value_is_noticed(project, text):
    executor = executor_of(project, {"p.py": f"{text}\n"}, "C.lr")

    with executor.import_program({"C.lr": 0.125}) as (_, in_force):
        assert in_force.filled == {"C.lr": ["0.25"]}


KEPT = {
    "the default": f"{DATACLASS}SEEN = C().lr",
    "a call of the program": f"{DATACLASS}SEEN = C(lr=0.5).lr",
    "changed after it was made": f"{DATACLASS}c = C()\nSEEN = c.lr\nc.lr = 0.25",
    "another default below it": f"{DATACLASS}@dataclass\nclass D(C):\n    lr: float = 0.75\nD()\nSEEN = C().lr",
    "a hook of its own": f"{DATACLASS}    def __post_init__(self):\n        self.lr *= 2\nSEEN = C().lr / 2",
    "a hook of its base": "from dataclasses import dataclass\nclass B:\n    def __post_init__(self):\n        self.seen = self.lr\n"
    "@dataclass\nclass C(B):\n    lr: float = 0.5\nSEEN = C().seen",
    "a converter of attrs'": "import attrs\n@attrs.define\nclass C:\n    lr: float = attrs.field(default=0.5, converter=str)\nSEEN = float(C().lr)",
    "a model of pydantic's with a hook": "from pydantic import BaseModel, PrivateAttr\nclass C(BaseModel):\n"
    "    lr: float = 0.5\n    _x: int = PrivateAttr(default=1)\n    def model_post_init(self, context):\n"
    "        self._x = self.lr\nSEEN = C()._x",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_a_field_that_holds_the_value_as_its_object_is_made_is_in_force(project, text):
    executor = executor_of(project, {"p.py": f"{text}\n"}, "C.lr")

    with executor.import_program({"C.lr": 0.125}) as (module, in_force):
        assert (module.SEEN, in_force.filled) == (0.125, {})


PLAIN = "class C:\n    lr = 0.5\n"
TUPLE = "from typing import NamedTuple\nclass C(NamedTuple):\n    lr: float = 0.5\n"
FILLED = {
    "by its constructor's setattr": f"{PLAIN}    def __init__(self, **given):\n        for k, v in given.items():\n"
    "            setattr(self, k, v)\nC(**dict([('lr', 0.25)])).lr",
    "by its dictionary": f"{PLAIN}    def __init__(self, **given):\n        self.__dict__.update(given)\nC(**dict([('lr', 0.25)])).lr",
    "from outside": f"{PLAIN}c = C()\nsetattr(c, *('lr', 0.25))\ngetattr(c, 'lr')",
    "by vars()": f"{PLAIN}c = C()\nvars(c).update(lr=0.25)\nc.lr",
    "in an object of a class below": f"{PLAIN}class D(C):\n    pass\nd = D()\nd.lr = 0.25\nd.lr",
    "by a class below": f"{PLAIN}class D(C):\n    lr = 0.25\nD().lr",
    "with an annotation": f"{PLAIN.replace('lr =', 'lr: float =')}c = C()\nsetattr(c, *('lr', 0.25))\nc.lr",
    "with slots": "class B:\n    __slots__ = ('lr',)\n" + PLAIN.replace("C:", "C(B):") + "c = C()\nc.lr = 0.25\nc.lr",
    "a named tuple": f"{TUPLE}C(**dict([('lr', 0.25)])).lr",
    "a named tuple, replaced": f"{TUPLE}C()._replace(**{{'lr': 0.25}}).lr",
    "a named tuple, made of a list": f"{TUPLE}C._make([0.25]).lr",
    "a dataclass, after it was made": f"{DATACLASS}c = C()\nsetattr(c, *('lr', 0.25))\nc.lr",
}


@pytest.mark.parametrize("text", FILLED.values(), ids=FILLED)
def test_an_object_that_holds_another_value_where_it_is_read_is_noticed(project, text):
    executor = executor_of(project, {"p.py": f"{text}\n"}, "C.lr")

    with executor.import_program({"C.lr": 0.125}) as (_, in_force):
        assert (in_force.read_instead, in_force.read) == ({"C.lr": ["0.25"]}, set())


SEEN = {
    "an object": f"{PLAIN}SEEN = C().lr",
    "an object that is changed later": f"{PLAIN}c = C()\nSEEN = c.lr\nc.lr = 0.25\nc.lr",
    "one object of two": f"{PLAIN}c = C()\nc.lr = 0.25\nc.lr\nSEEN = C().lr",
    "a named tuple": f"{TUPLE}SEEN = C().lr",
    "a class that reads its attributes itself": f"{PLAIN}    def __getattribute__(self, name):\n"
    "        return object.__getattribute__(self, name)\nSEEN = C().lr",
    "a class whose metaclass lets nothing be assigned": "class M(type):\n    def __setattr__(cls, name, value):\n"
    f"        raise AttributeError(name)\n{PLAIN.replace('C:', 'C(metaclass=M):')}SEEN = C().lr",
    "a class whose metaclass has any attribute": "class M(type):\n    def __getattr__(cls, name):\n"
    f"        return 3\n{PLAIN.replace('C:', 'C(metaclass=M):')}SEEN = C().lr",
    "a dataclass with slots": f"{DATACLASS.replace('@dataclass', '@dataclass(slots=True)')}SEEN = C().lr",
}


@pytest.mark.parametrize("text", SEEN.values(), ids=SEEN)
def test_an_object_that_holds_the_value_where_it_is_read_is_in_force(project, text):
    executor = executor_of(project, {"p.py": f"{text}\n"}, "C.lr")

    with executor.import_program({"C.lr": 0.125}) as (module, in_force):
        assert (module.SEEN, in_force.read) == (0.125, {"C.lr"})


LEFT = {
    "a module of torch's": "import torch\nclass C(torch.nn.Module):\n    lr = 0.5\nSEEN = C().lr",
    "an enumeration": "import enum\nclass C(enum.Enum):\n    lr = 0.5\nSEEN = C.lr.value",
    "a class of attrs'": "import attrs\n@attrs.define\nclass C:\n    lr: float = 0.5\nSEEN = C().lr",
    "a class whose attributes are read of it": f"{PLAIN}SEEN = C.lr",
    "a dictionary of its attributes": f"{PLAIN}SEEN = vars(C)['lr']",
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_a_class_that_is_not_watched_holds_the_value(project, text):
    executor = executor_of(project, {"p.py": f"{text}\n"}, "C.lr")

    with executor.import_program({"C.lr": 0.125}) as (module, in_force):
        assert (module.SEEN, in_force.read_instead) == (0.125, {})
