# ruff: noqa: E501 - a case is a line
import subprocess
import sys

import pytest

from tune.errors import ConstantError
from tune.promotion.constant import Constant, ConstantKind, Site, Span
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import check_together, find_constant, find_constants, shortest_names
from tune.promotion.ranking.complete_name import complete_name
from tune.promotion.ranking.rank_constants import ConstantRanking

WHERE = "search_spaces/x.yaml:5"


def found(program, name) -> Constant:
    return find_constant(name, program, find_constants(program), WHERE)


def refused(program, name) -> str:
    with pytest.raises(ConstantError) as caught:
        found(program, name)
    return str(caught.value)


def text_at(program, site: Site) -> str:
    """Cut a span out of an ASCII source."""
    lines = program.sources[site.source].text.split("\n")
    assert site.span.line == site.span.end_line
    return lines[site.span.line - 1][site.span.column : site.span.end_column]


def test_what_two_functions_give_namespaces_of_their_own_is_two_constants(program_of):
    made = "from argparse import Namespace\ndef {0}():\n    c = Namespace()\n    c.lr = {1}\n    return c\n"
    program = program_of(made.format("small", 0.1) + made.format("large", 0.2))

    assert found(program, "small.c.lr").value == 0.1
    assert found(program, "large.c.lr").value == 0.2


def test_a_name_that_a_later_star_import_hides_is_not_read(program_of):
    program = program_of(
        "from one import *\nfrom two import *\nprint(X, Y)\n", {"one.py": "X = 1\nY = 2\n", "two.py": "X = 3\n"}
    )

    assert found(program, "X").value == 3
    assert found(program, "one.X").reads == ()
    assert found(program, "Y").reads == ("train.py:3",)


VARIABLES = [
    ("LR = 1e-3", "LR", 1e-3, "1e-3"),
    ("lr: float = .2", "lr", 0.2, ".2"),
    ("from typing import Final\nN: Final = 10_000", "N", 10_000, "10_000"),
    ("_HIDDEN = 10e-3", "_HIDDEN", 10e-3, "10e-3"),
    ("H, W = 384, 1024", "W", 1024, "1024"),
    ("[H, W] = [384, 1024]", "H", 384, "384"),
    ("(A, (B, C)) = 1, (2, 3)", "C", 3, "3"),
    ("NEG = -1", "NEG", -1, "-1"),
    ("DECAY = 10 ** -3", "DECAY", 1e-3, "10 ** -3"),
    ("WIDTH = (2 * 64)", "WIDTH", 128, "2 * 64"),
    ("NAME = 'adam'", "NAME", "adam", "'adam'"),
    ("FLAG = True", "FLAG", True, "True"),
    ("NOTHING = None", "NOTHING", None, "None"),
    ("SIZES = [64, 32]", "SIZES", [64, 32], "[64, 32]"),
    ("BETAS = 0.9, 0.99", "BETAS", (0.9, 0.99), "0.9, 0.99"),
    ("D = {'a': {'b': 1}}", "D", {"a": {"b": 1}}, "{'a': {'b': 1}}"),
    ("if True:\n    LR = 1", "LR", 1, "1"),
    ("try:\n    import apex\n    LR = 1\nexcept ImportError:\n    pass", "LR", 1, "1"),
    ("with open('x') as f:\n    LR = 1", "LR", 1, "1"),
    ("if __name__ == '__main__':\n    LR = 1", "LR", 1, "1"),
    ("import os\nLR = os.environ.get('LR', '1e-3')", "LR", "1e-3", "os.environ.get('LR', '1e-3')"),
    ("import os\nLR = float(os.getenv('LR', '1e-3'))", "LR", 1e-3, "float(os.getenv('LR', '1e-3'))"),
    ("import os\nN = int(os.environ.get('N', 4))", "N", 4, "int(os.environ.get('N', 4))"),
    ("from pathlib import Path\nDATA = Path('data')", "DATA", "data", "'data'"),
    ("import torch\nB = 256 if torch.cuda.is_available() else 64", "B", Unknown("256 if torch.cuda.is_available() else 64"), "256 if torch.cuda.is_available() else 64"),
    ("import os\nN = min(8, os.cpu_count())", "N", Unknown("min(8, os.cpu_count())"), "min(8, os.cpu_count())"),
    ("EPOCHS = 20\nWARMUP = EPOCHS // 10", "WARMUP", Unknown("EPOCHS // 10"), "EPOCHS // 10"),
]  # fmt: skip

FIELDS = [
    ("class CFG:\n    lr = 1e-3", "CFG.lr", 1e-3, "1e-3"),
    ("class CFG:\n    class optim:\n        lr: float = 1e-3", "CFG.optim.lr", 1e-3, "1e-3"),
    ("CFG = {'lr': 1e-3}", "CFG['lr']", 1e-3, "1e-3"),
    ("CFG = {'lr': 1e-3}", 'CFG["lr"]', 1e-3, "1e-3"),
    ("CFG = {'optim': {'lr': 1e-3}}", 'CFG["optim"]["lr"]', 1e-3, "1e-3"),
    ("CFG = {'optim': dict(lr=1e-3)}", "CFG['optim']['lr']", 1e-3, "1e-3"),
    ("from types import SimpleNamespace\nCFG = SimpleNamespace(lr=1e-3)", "CFG.lr", 1e-3, "1e-3"),
    ("import argparse\nCFG = argparse.Namespace(o=argparse.Namespace(lr=1))", "CFG.o.lr", 1, "1"),
    ("CFG = {'lr': 1e-3, **{}, 'wd': 0.1}", "CFG['wd']", 0.1, "0.1"),
    ("import argparse\nCFG = argparse.Namespace(**{'lr': 1})", "CFG.lr", 1, "1"),
    ("class Lit:\n    def __init__(self):\n        self.lr = 1e-3", "Lit.lr", 1e-3, "1e-3"),
]

PARAMETERS = [
    ("class Lit:\n    def __init__(self, lr=1e-3): pass", "Lit.lr", 1e-3, ["1e-3"]),
    ("class Lit:\n    def __init__(self, lr): pass\nLit(1e-2)", "Lit.lr", 1e-2, ["1e-2"]),
    ("class Lit:\n    def __init__(self, *, lr=1): pass\nLit(lr=2)", "Lit.lr", 2, ["1", "2"]),
    ("LR = 3\nclass Lit:\n    def __init__(self, lr=1): pass\nLit(LR)", "Lit.lr", 3, ["1", "LR"]),
    ("class A:\n    def __init__(self, lr=1): pass\nclass B(A): pass\nB(lr=2)", "B.lr", 2, ["1", "2"]),
    ("class A:\n    def __init__(self, lr=1): pass\nclass B(A): pass\nB(lr=2)", "A.lr", 2, ["1", "2"]),
    ("class A:\n    def __init__(self, w): pass\nclass B(A):\n    def __init__(self):\n        super().__init__(w=4)", "A.w", 4, ["4"]),
    ("class A:\n    def __init__(self, w=1): pass\nclass B(A):\n    def __init__(self):\n        A.__init__(self, w=4)", "A.w", 4, ["1", "4"]),
    ("class A:\n    def __init__(self, w=1): pass\nclass B(A):\n    def __init__(self):\n        A.__init__(self, 4)", "A.w", 4, ["1", "4"]),
    ("def build(width=64): pass\nbuild(width=32)", "build.width", 32, ["64", "32"]),
    ("from dataclasses import dataclass\n@dataclass\nclass CFG:\n    lr: float = 1e-3", "CFG.lr", 1e-3, ["1e-3"]),
    ("import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass CFG:\n    lr: float = dataclasses.field(default=1)\nCFG(1)", "CFG.lr", 1, ["1", "1"]),
    ("from dataclasses import dataclass, field\n@dataclass\nclass CFG:\n    n: list = field(default_factory=lambda: [1])", "CFG.n", [1], ["[1]"]),
    ("from typing import NamedTuple\nclass CFG(NamedTuple):\n    lr: float = 1e-3", "CFG.lr", 1e-3, ["1e-3"]),
    ("from collections import namedtuple\nCFG = namedtuple('CFG', 'lr wd', defaults=(1, 2))", "CFG.wd", 2, ["2"]),
    ("from functools import partial\nclass Lit:\n    def __init__(self, lr=1): pass\nmake = partial(Lit, lr=2)\nmake()", "Lit.lr", 2, ["1", "2"]),
]  # fmt: skip

ARGUMENTS = [
    ("import pytorch_lightning as pl\npl.Trainer(max_epochs=10)", "Trainer.max_epochs", 10),
    ("import torch\ntorch.optim.Adam([], lr=1e-3)", "Adam.lr", 1e-3),
    ("from torch import optim\noptim.Adam([], 1e-3)", "Adam.lr", 1e-3),
    ("from torch.optim import Adam as A\nA([], lr=1e-3)", "Adam.lr", 1e-3),
    ("from torch import nn\nnn.Dropout(0.2)", "Dropout.p", 0.2),
    ("import torch.nn.functional as F\nF.dropout(0, 0.2)", "dropout.p", 0.2),
    ("from torch.optim.lr_scheduler import StepLR\nStepLR(0, 10, 0.5)", "StepLR.gamma", 0.5),
    ("from functools import partial\nfrom torch.utils.data import DataLoader\npartial(DataLoader, batch_size=9)", "DataLoader.batch_size", 9),
    ("import functools\nfrom torch.utils.data import DataLoader\nfunctools.partial(DataLoader, 0, 9)", "DataLoader.batch_size", 9),
    ("from functools import partial\nfrom torch.utils.data import DataLoader\ndl = partial(DataLoader, batch_size=9)\ndl(0, shuffle=True)", "DataLoader.shuffle", True),
    ("def f(n):\n    return n.scale(by=2)", "scale.by", 2),
    ("def f():\n    return dict(lr=1e-3)", "dict.lr", 1e-3),
    ("import pytorch_lightning as pl\npl.Trainer(**{'max_epochs': 3})", "Trainer.max_epochs", 3),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "value", "expression"), VARIABLES + FIELDS)
def test_a_name_at_module_level_or_in_a_container_is_found(program_of, text, name, value, expression):
    program = program_of(text)
    constant = found(program, name)
    assert repr(constant.value) == repr(value)
    assert [text_at(program, site) for site in constant.sites] == [expression]


@pytest.mark.parametrize(("text", "name", "value", "expressions"), PARAMETERS)
def test_a_parameter_holds_its_default_and_all_that_is_passed(program_of, text, name, value, expressions):
    program = program_of(text)
    constant = found(program, name)
    assert repr(constant.value) == repr(value)
    assert constant.form is ConstantKind.PARAMETER
    assert [text_at(program, site) for site in constant.sites] == expressions


@pytest.mark.parametrize(("text", "name", "value"), ARGUMENTS)
def test_a_literal_in_a_call_is_found_by_the_callee_and_the_parameter(program_of, text, name, value):
    constant = found(program_of(text), name)
    assert repr(constant.value) == repr(value)
    assert constant.form is ConstantKind.ARGUMENT
    assert found(program_of(text), f"{name}@{constant.sites[0].span.line}") == constant


def test_a_chained_assignment_is_one_span_with_a_target_for_each_name(program_of):
    program = program_of("A = B = 7\n")
    span = Span(1, 8, 1, 9)
    assert found(program, "A").sites == (Site("train.py", span, "A"),)
    assert found(program, "B").sites == (Site("train.py", span, "B"),)
    check_together([found(program, "A"), found(program, "B")], WHERE)


def test_two_arms_of_one_if_are_two_sites_of_one_constant(program_of):
    constant = found(program_of("if input():\n    B = 256\nelse:\n    B = 64\n"), "B")
    assert [str(site) for site in constant.sites] == ["train.py:2", "train.py:4"]
    assert constant.value == Unknown("256 or 64")


REFUSED = [
    ("A = 1\nA = 2", "A", "'A' is assigned more than once: train.py:1 and train.py:2\n  Keep one assignment: it is not clear which one counts."),
    ("A = 1\nif A:\n    A = 2", "A", "'A' is assigned more than once: train.py:1 and train.py:3\n  Keep one assignment: it is not clear which one counts."),
    ("for i in range(3):\n    A = 1", "A", "'A' is assigned in a loop: train.py:2\n  Give the value a name of its own, outside of the loop."),
    ("for A in range(3):\n    pass", "A", "'A' is a loop's variable: train.py:1\n  Give the value a name of its own, outside of the loop."),
    ("A = 1\nA += 1", "A", "'A' is changed in place: train.py:2\n  Write the value once, or compute it under another name."),
    ("A = 1\ndel A", "A", "'A' is deleted: train.py:2\n  Take the `del` away."),
    ("A = 1\ndef f():\n    global A\n    A = 2", "A", "'A' is assigned in a function that declares it global: train.py:4\n  Take the name out of `global`, or search a constant that the function reads."),
    ("A, B = f()", "A", "'A' is unpacked from a value that only running the program can tell: train.py:1\n  Assign it on a line of its own."),
    (
        "from argparse import Namespace\nC = Namespace()\nC.a = 1\nC.a = 2",
        "C.a",
        "'C.a' is assigned again: train.py:4\n  Keep one assignment: it is not clear which one counts.",
    ),
    (
        "from argparse import Namespace\nC = Namespace()\nC.a = 1\ndef main(cfg):\n    cfg.a = 2",
        "C.a",
        "'C.a' is assigned again: train.py:5\n  Keep one assignment: it is not clear which one counts.",
    ),
    (
        "C = {}\nfor n in range(3):\n    C['a'] = 1",
        "C['a']",
        "\"C['a']\" is assigned in a loop: train.py:3\n  Keep one assignment: it is not clear which one counts.",
    ),
    (
        "from argparse import Namespace\nC = Namespace()\nC.a = f(1)",
        "C.a",
        "'C.a' is computed: f(1) (train.py:3)\n  Search what it is computed from.",
    ),
    ("A = f(1)", "A", "'A' is computed: f(1) (train.py:1)\n  Search what it is computed from."),
    (
        "def f(n, k=2): return n\nA = f(1, k=3)",
        "A",
        "'A' is computed: f(1, k=3) (train.py:2)\n  Search what it is computed from: f.k, f.n.",
    ),
    (
        "def f(n): return n\nC = {'a': f(1), 'b': f(2)}",
        "C['b']",
        "\"C['b']\" is computed: f(2) (train.py:2)\n  Search what it is computed from: f.n@2:24.",
    ),
    ("D = {'a': 1}\nD['a'] = 2", "D['a']", "\"D['a']\" is assigned again: train.py:2\n  Take that assignment away; it would undo the search."),
    ("D = {'a': 1}\nD.update(b=2)", "D['a']", "\"D['a']\" lies in D, which is assigned again: train.py:2\n  Take that assignment away; it would undo the search."),
    ("D = {'a': 1, **{}}", "D['a']", "\"D['a']\" may be replaced by the `**` that follows it\n  Write the entry after the `**`."),
    ("class C:\n    lr = 1\n    def f(self):\n        self.lr = 2", "C.lr", "'C.lr' is assigned again, on the instance: train.py:4\n  Search what is assigned there."),
    ("class C:\n    def __init__(self, lr=1): pass\nC()\nC(lr=2)", "C.lr", "'C.lr' has a value of its own at each of several places\n  Write the one you mean: C.lr@2 (1), C.lr@4 (2)."),
    ("class C:\n    def __init__(self):\n        self.x = 1\n    def f(self):\n        self.x = 2", "C.x", "'C.x' is assigned more than once: train.py:3 and train.py:5\n  Keep one assignment: it is not clear which one counts."),
    ("f(0.5)", "f.p", "'f.p': f takes 0.5 by position, and its parameters are not known: train.py:1\n  Write `p=0.5` in that call, if it is meant."),
    ("LEARNING_RATE = 1e-3", "learning_rat", "'learning_rat' is not a constant of train.py\n  Did you mean 'LEARNING_RATE' (0.001, line 1)?  `promotune constants train.py` lists them all."),
    ("import torch\ntorch.optim.Adam([], lr=1e-3)", "lr", "'lr' is not a constant of train.py\n  Did you mean 'Adam.lr' (0.001, line 2)?  `promotune constants train.py` lists them all."),
    ("import torch\ntorch.optim.Adam([], lr=1e-3)", "LR", "'LR' is not a constant of train.py\n  Did you mean 'Adam.lr' (0.001, line 2)?  `promotune constants train.py` lists them all."),
    ("import torch\ntorch.optim.Adam([], lr=1e-3)", "Adm.lr", "'Adm.lr' is not a constant of train.py\n  Did you mean 'Adam.lr' (0.001, line 2)?  `promotune constants train.py` lists them all."),
    ("class C:\n    batch_size = 8", "batchsize", "'batchsize' is not a constant of train.py\n  Did you mean 'C.batch_size' (8, line 2)?  `promotune constants train.py` lists them all."),
    ("class A:\n    lr = 1\nclass B:\n    lr = 2", "lr", "'lr' is the end of 2 names of train.py\n  Did you mean 'A.lr' (1, line 2) or 'B.lr' (2, line 4)?  `promotune constants train.py` lists them all."),
    ("class A:\n    in_features = 1", "learning_rate", "'learning_rate' is not a constant of train.py\n  `promotune constants train.py` lists them all."),
    ("A = 1", "zzz", "'zzz' is not a constant of train.py\n  `promotune constants train.py` lists them all."),
    ("f(x=1)\nf(x=2)", "f.x", "'f.x' is the name of 2 constants\n  Write the one you mean: f.x@1 (train.py:1), f.x@2 (train.py:2)."),
    ("f(x=1); f(x=2)", "f.x", "'f.x' is the name of 2 constants\n  Write the one you mean: f.x@1:5 (train.py:1), f.x@1:13 (train.py:1)."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "message"), REFUSED)
def test_what_promotion_could_not_put_in_force_is_refused_with_its_reason(
    program_of, monkeypatch, tmp_path, text, name, message
):
    monkeypatch.chdir(tmp_path)
    assert refused(program_of(text), name) == f"{WHERE}: {message}"


def test_a_name_of_two_modules_is_ambiguous_and_the_modules_are_listed(program_of):
    program = program_of("import a, b\n", {"a.py": "LR = 1\n", "b.py": "LR = 2\n"})
    assert refused(program, "LR") == (
        f"{WHERE}: 'LR' is the name of 2 constants\n  Write the one you mean: a.LR (a.py:1), b.LR (b.py:1)."
    )
    assert found(program, "b.LR").value == 2


def test_a_name_that_the_program_imports_is_not_ambiguous(program_of):
    program = program_of("import a\nfrom b import LR\n", {"a.py": "LR = 1\n", "b.py": "LR = 2\n"})
    assert found(program, "LR").value == 2


def test_an_assignment_from_another_module_is_seen(program_of):
    program = program_of("import config\nconfig.LR = 2\n", {"config.py": "LR = 1\n"})
    message = "'config.LR' is assigned again: train.py:2\n  Take that assignment away; it would undo the search."
    assert refused(program, "config.LR") == f"{WHERE}: {message}"


def test_a_star_import_that_replaces_a_name_is_seen(program_of):
    program = program_of("LR = 1\nfrom config import *\n", {"config.py": "LR = 2\n"})
    message = "'train.LR' is assigned again: train.py:2\n  Take that assignment away; it would undo the search."
    assert refused(program, "train.LR") == f"{WHERE}: {message}"


def test_the_main_guard_of_an_imported_module_is_not_there(program_of):
    program = program_of("import config\n", {"config.py": "A = 1\nif __name__ == '__main__':\n    A = 2\n"})
    assert found(program, "A").value == 1


def test_calls_through_a_package_reach_the_class_they_construct(program_of):
    others = {
        "models/__init__.py": "from .net import *\n",
        "models/net.py": "class Net:\n    def __init__(self, w=1): 0\n",
    }
    program = program_of("from models import Net as N\nN(w=3)\n", others)
    assert [str(site) for site in found(program, "Net.w").sites] == [
        "models/net.py:1".replace(":1", ":2"),
        "train.py:2",
    ]


FIELDS = "from dataclasses import dataclass\n@dataclass\nclass C:\n    lr: float = 1.0\n"

READS = [
    ("LR = 1\nprint(LR)\n", {}, "LR", ("train.py:2",)),
    ("LR = 1\n", {}, "LR", ()),
    ("import config\nprint(config.LR)\n", {"config.py": "LR = 1\n"}, "LR", ("train.py:2",)),
    ("from config import LR as x\nprint(x)\n", {"config.py": "LR = 1\n"}, "LR", ("train.py:2",)),
    ("from config import LR\n", {"config.py": "LR = 1\n"}, "LR", ()),
    ("from config import *\nprint(LR)\n", {"config.py": "LR = 1\n"}, "LR", ("train.py:2",)),
    ("import config\nprint(vars(config))\n", {"config.py": "LR = 1\n"}, "LR", ("train.py:2",)),
    ("LR = 1\nprint(globals())\n", {}, "LR", ("train.py:2",)),
    ("LR = 1\nprint(f'{LR}')\n", {}, "LR", ("train.py:2",)),
    ("C = {'lr': 1}\nprint(C['lr'])\n", {}, "C['lr']", ("train.py:2",)),
    ("C = {'lr': 1}\nprint(C['wd'])\n", {}, "C['lr']", ()),
    ("C = {'lr': 1}\nf(**C)\n", {}, "C['lr']", ("train.py:2",)),
    ("class L:\n    def __init__(self, lr=1):\n        self.x = lr\n", {}, "L.lr", ("train.py:3",)),
    ("class L:\n    def __init__(self, lr=1):\n        pass\n", {}, "L.lr", ()),
    (FIELDS + "c = C()\nbuild(net, c)\n", {}, "C.lr", ("train.py:6",)),
    (FIELDS + "class N:\n    def __init__(self, c: C):\n        self.held = c\n        build(self.held)\n", {}, "C.lr", ("train.py:8",)),
    (FIELDS + "class N:\n    def __init__(self, c: 'C'):\n        self.held = c\nN(C())\n", {}, "C.lr", ()),
    (FIELDS + "c = C()\nprint(c)\n", {}, "C.lr", ()),
    ("class N:\n    HP = {'lr': 1}\n    def f(self):\n        return build(self.HP)\n", {}, "N.HP['lr']", ("train.py:4",)),
    ("class N:\n    HP = {'lr': 1}\n    def f(self):\n        return build(self.other)\n", {}, "N.HP['lr']", ()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "others", "name", "reads"), READS)
def test_the_places_that_read_a_constant_are_found(program_of, text, others, name, reads):
    assert found(program_of(text, others), name).reads == reads


def test_what_is_legal_and_worth_a_word_is_a_warning(program_of):
    program = program_of("import os\nN = int(os.getenv('N', '4'))\nexec('N = 3')\n")
    assert found(program, "N").warnings == (
        "the environment variable N no longer counts once it is searched",
        "`globals()` or `exec` may assign it again: train.py:3",
    )


def test_a_container_and_its_entry_cannot_be_searched_together(program_of):
    program = program_of("C = {'lr': 1}\n")
    with pytest.raises(ConstantError) as caught:
        check_together([found(program, "C"), found(program, "C['lr']")], WHERE)
    assert str(caught.value) == (
        f"{WHERE}: 'C' and \"C['lr']\" are written in one expression: train.py:1\n"
        "  Search one of them; the other would not be in force."
    )


def test_an_expression_in_an_f_string_is_no_site(program_of):
    assert find_constants(program_of("print(f'{f(x=1)}')\n")) == ()


def test_finding_imports_no_heavy_library():
    code = (
        "import sys, tune.promotion.find_constants, tune.promotion.source_edit, tune.promotion.options.declared_options, tune.promotion.drift\n"
        "print(sorted({'torch', 'ray', 'optuna', 'pytorch_lightning', 'numpy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("call", ["C(**f())", "C(*f())", "C(1, **vars(args))", "C(1, 2, **vars(args))"])
def test_constant_when_a_star_may_pass_a_parameter_then_it_is_one_with_a_warning(program_of, call):
    program = program_of(f"class C:\n    def __init__(self, a, n=2, lr=1.5): pass\n{call}\n")
    constant = found(program, "C.lr")

    assert (constant.value, constant.starred) == (1.5, True)
    assert constant.warnings == (
        "a `*` or `**` may pass it (train.py:3): if it does, the pre-flight says so: search what is passed",
    )


FIELD = "from dataclasses import dataclass\n@dataclass\nclass C:\n    lr: float = 0.1\n"
REPLACED = {
    "a field of an object that a function is given": (FIELD + "def f(cfg):\n    cfg.net.lr = g()\nf(C())\n", "C.lr", "cfg.net.lr"),
    "an attribute of an object that is made there": (
        "class Net:\n    def __init__(self, lr=1):\n        self.lr = lr\n\n\nnet = Net()\nnet.lr = 3\n", "Net.lr", "net.lr"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "name", "path"), REPLACED.values(), ids=REPLACED)
def test_a_parameter_that_an_object_gets_anew_is_one_with_a_warning(program_of, text, name, path):
    place = text[: text.index(f"{path} =")].count("\n") + 1

    assert found(program_of(text), name).warnings == (
        f"train.py:{place} assigns {path}: where that runs, a trial's value is not in force",
    )


@pytest.mark.parametrize(
    "rest",
    [
        "def f(cfg):\n    cfg.lr = cfg.lr * 2\n",
        "def f(args):\n    args.lr = lr\n",
        "args = parse()\nargs.lr = 3\n",
        "class Net:\n    def __init__(self, c):\n        self.lr = 3\n",
    ],
)
def test_what_is_made_of_a_field_or_belongs_to_another_object_is_worth_no_warning(program_of, rest):
    assert found(program_of(f"{FIELD}{rest}C()\n"), "C.lr").warnings == ()


SHARED_NAMES = {
    "a parameter and an attribute": "class Net:\n    def __init__(self, width=3):\n        self.width = 5\nNet()\n",
    "a field and a parameter": "class Net:\n    lr = 1e-3\n    def __init__(self, lr=0.1):\n        self.rate = lr\nNet()\n",
    "a field and an attribute of two": "class A:\n    n = 1\nclass B(A):\n    def __init__(self, n=2):\n        self.n = 3\nB()\n",
    "a name of a parameter, given elsewhere": (
        "size = 64\nclass Data:\n    def __init__(self, size=32):\n        self.size = size\nData(size=size)\n"
    ),
    "one line": "class Net:\n    def __init__(self, width=3): self.width = 5\nNet()\n",
}


@pytest.mark.parametrize("text", SHARED_NAMES.values(), ids=SHARED_NAMES)
def test_every_constant_has_a_name_of_its_own(program_of, text):
    program = program_of(text)
    names = shortest_names(program)

    assert len(set(names.values())) == len(names)
    for constant, name in names.items():
        assert find_constant(name, program, find_constants(program), "") == constant


def test_an_attribute_that_takes_a_parameter_is_no_constant_of_its_own(program_of):
    text = "size = 64\nclass Data:\n    def __init__(self, size=32):\n        self.size = size\nData(size=size)\n"

    assert list(shortest_names(program_of(text)).values()) == ["size", "Data.size"]


DEFAULTS = [
    ("def f(opt={'lr': 0.5, 'a': {'b': 2}}): fit(opt)\nf()", ["f.opt['lr']", "f.opt['a']['b']"]),
    ("def f(opt=dict(lr=0.5)): fit(opt)\nf()", ["f.opt['lr']"]),
    ("def f(opt={'lr': 0.5}): fit(opt)\nf({'lr': 0.1})", []),  # what is passed has names of its own
    ("def f(opt={'lr': make()}): fit(opt)\nf()", []),
    ("def f(opt={}): fit(opt)\nf()", []),
]


@pytest.mark.parametrize(("text", "names"), DEFAULTS)
def test_a_dict_that_is_a_default_has_entries_and_no_other_names_of_them(program_of, text, names):
    found = [each for each in find_constants(program_of(text)) if each.sites[0].span.line == 1]

    assert [each.name for each in found if not isinstance(each.value, dict)] == names


def test_an_attribute_that_takes_a_local_variable_is_no_constant(program_of):
    text = "size = 64\nclass Data:\n    def __init__(self):\n        size = len(self.x)\n        self.size = size\nData()\n"

    assert list(shortest_names(program_of(text)).values()) == ["size"]


def test_a_name_that_two_constants_have_is_refused_with_names_that_can_be_written(program_of):
    program = program_of("class Net:\n    def __init__(self, width=3):\n        self.width = 5\nNet()\n")

    with pytest.raises(ConstantError) as refused:
        find_constant("Net.width", program, find_constants(program), "")
    assert "Net.width@2 (train.py:2), Net.width@3 (train.py:3)" in refused.value.hint


REBOUND = {
    "a loop": "for WIDTH in [4, 16]:\n    print(WIDTH)\n",
    "a loop over pairs": "for i, WIDTH in enumerate([4, 16]):\n    print(WIDTH)\n",
    "an assignment": "WIDTH = int('3')\nprint(WIDTH)\n",
}


@pytest.mark.parametrize("line", ["from config import *", "from config import WIDTH"])
@pytest.mark.parametrize("text", REBOUND.values(), ids=REBOUND)
def test_what_a_program_binds_anew_is_no_reading_of_what_it_imported(program_of, line, text):
    program = program_of(f"{line}\n{text}", {"config.py": "WIDTH = 8\n"})

    assert found(program, "config.WIDTH").reads == ()


@pytest.mark.parametrize("line", ["from config import *", "from config import WIDTH"])
def test_what_a_program_reads_before_it_binds_it_anew_counts(program_of, line):
    program = program_of(f"{line}\nprint(WIDTH)\nWIDTH = int('3')\nprint(WIDTH)\n", {"config.py": "WIDTH = 8\n"})

    assert found(program, "config.WIDTH").reads == ("train.py:2",)


PARSER = "from argparse import ArgumentParser\np = ArgumentParser()\n"
LAYERS = "from torch.nn import Linear\nfirst = Linear(in_features=3, out_features=4)\n"
SHORT = {
    "an option": (f"{PARSER}p.add_argument('--lr', default=0.1)\n", "lr", "--lr"),
    "dashes within": (f"{PARSER}p.add_argument('--batch-size', default=8)\n", "batch_size", "--batch-size"),
    "an option before what takes it": (
        f"{PARSER}p.add_argument('--lr', default=0.1)\ndef f(lr=0.2): pass\nf()\n",
        "lr",
        "--lr",
    ),
    "two options": (
        f"{PARSER}p.add_argument('--a.lr', default=0.1)\np.add_argument('--b.lr', default=0.1)\n",
        "lr",
        "lr",
    ),
    "the whole of one": (
        f"{PARSER}p.add_argument('--lr', default=0.1)\np.add_argument('--b.lr', default=0.1)\n",
        "lr",
        "--lr",
    ),
    "more than the last": (
        f"{PARSER}p.add_argument('--a.lr', default=0.1)\np.add_argument('--b.lr', default=0.1)\n",
        "b.lr",
        "--b.lr",
    ),
    "a local variable": ("def main():\n    lr = 0.1\n    print(lr)\nmain()\n", "lr", "main.lr"),
    "an entry": ("CFG = {'opt': {'lr': 0.1}}\nprint(CFG['opt']['lr'])\n", "lr", "CFG['opt']['lr']"),
    "two entries": ("CFG = {'a': {'lr': 0.1}, 'b': {'lr': 0.1}}\nprint(CFG)\n", "lr", "lr"),
    "one that is passed on": (
        "class C:\n    def __init__(self, lr=0.2): print(lr)\ndef main():\n    lr = 0.1\n    C(lr=lr)\nmain()\n",
        "lr",
        "main.lr",
    ),
    "one that a dict passes on": (
        "class C:\n    def __init__(self, lr=0.2): print(lr)\nP = {'lr': 0.1}\nC(lr=P['lr'])\n",
        "lr",
        "P['lr']",
    ),
    "one beside a computed one": (
        "class C:\n    def __init__(self, lr=0.2): print(lr)\nP = {'lr': 0.1}\nC(lr=P['lr'] * 2)\n",
        "lr",
        "lr",
    ),
    "what an option sets": (
        f"{PARSER}p.add_argument('-lr', dest='lr', type=float)\np.set_defaults(lr=0.1)\nargs = p.parse_args()\nlr = args.lr\nprint(lr)\n",
        "lr",
        "-lr",
    ),
    "what is made of an option": (
        f"{PARSER}p.add_argument('--lr', default=0.1)\nargs = p.parse_args()\nlr = args.lr * 2\nprint(lr)\n",
        "lr",
        "lr",
    ),
    "what is made of a literal": (
        "import os\ndef get(name, default): return float(os.environ.get(name, default))\nLR = get('LR', 0.1)\nprint(LR)\n",
        "LR",
        "get.default",
    ),
    "what takes a value of a config file": (
        (
            "import yaml\ndef train(batch_size): print(batch_size)\nparams = yaml.safe_load(open('p.yaml'))\n"
            "train(batch_size=params['train']['batch_size'])\n"
        ),
        "train.batch_size",
        "train.batch_size=",
    ),
    "a key of the only section that is read": (
        "import yaml\nparams = yaml.safe_load(open('p.yaml'))\nprint(params['train']['batch_size'])\n",
        "batch_size",
        "train.batch_size=",
    ),
    "a field beside an option that nothing reads": (
        (
            f"{PARSER}p.add_argument('--lr', default=0.1)\np.add_argument('--epochs', default=3)\nargs = p.parse_args()\n"
            "class CFG: learning_rate = 0.2\nclass Net:\n    def __init__(self, lr): self.lr = lr\n"
            "    def step(self): return self.lr\ncfg = CFG()\nprint(Net(lr=cfg.learning_rate).step(), args.epochs)\n"
        ),
        "lr",
        "CFG.learning_rate",
    ),
    "an object that is none of the program's classes": (
        (
            "import pickle\nclass Probe: rate = 0.5\nclass Tuned:\n    def __init__(self, rate): print(rate)\n"
            "best = pickle.load(open('b', 'rb'))\nTuned(rate=best.rate)\nprint(Probe.rate)\n"
        ),
        "Tuned.rate",
        "Tuned.rate",
    ),
    "a part of a config file": (
        (
            "import yaml\nconfig = yaml.safe_load(open('p.yaml'))\nclass Net:\n    def __init__(self, batch_size):\n"
            "        print(batch_size)\nsection = config['train']\nNet(batch_size=section['batch_size'])\n"
        ),
        "Net.batch_size",
        "Net.batch_size",
    ),
    "two fields of the name that is taken": (
        (
            "class A: rate = 0.2\nclass B: rate = 0.3\nclass Net:\n    def __init__(self, lr): self.lr = lr\n"
            "def make(cfg): return Net(lr=cfg.rate).lr\nprint(make(A()), make(B()))\n"
        ),
        "Net.lr",
        "Net.lr",
    ),
    "what a class below takes, too": (
        (
            "class CFG: dim = 8\nclass Gen:\n    def __init__(self, dim): print(dim)\nclass Net:\n"
            "    def __init__(self, dim=4): Gen(dim)\ncfg = CFG()\nNet(dim=cfg.dim)\n"
        ),
        "dim",
        "CFG.dim",
    ),
    "what two calls take": (
        (
            "class Windows:\n    def __init__(self, seq_len=10): print(seq_len)\nclass Data:\n"
            "    def __init__(self, seq_len=10): self.seq_len = seq_len\n    def setup(self):\n"
            "        Windows(self.seq_len)\n        Windows(self.seq_len)\nData().setup()\n"
        ),
        "seq_len",
        "Data.seq_len",
    ),
    "an attribute of an unknown object beside a field": (
        (
            "import pickle\nclass Probe: rate = 0.5\nclass Net:\n    def __init__(self, rate): print(rate)\n"
            "def main(best):\n    rate = best.rate\n    Net(rate)\nmain(pickle.load(open('b', 'rb')))\nprint(Probe.rate)\n"
        ),
        "rate",
        "rate",
    ),
    "a part that a key chooses": (
        (
            "import yaml\nparams = yaml.safe_load(open('p.yaml'))\nprint(params['test']['batch_size'])\n"
            "print(params['train'][name]['batch_size'])\n"
        ),
        "batch_size",
        "batch_size",
    ),
    "what takes an option, and can be searched itself": (
        (
            f"{PARSER}p.add_argument('--batch-size', default=4)\nargs = p.parse_args()\n"
            "def train(batch_size): print(batch_size)\ntrain(batch_size=args.batch_size)\n"
        ),
        "train.batch_size",
        "train.batch_size",
    ),
    "init_args": (
        f"{PARSER}p.add_argument('--optimizer.init_args.lr', default=0.1)\np.add_argument('--model.lr', default=0.1)\n",
        "optimizer.lr",
        "--optimizer.init_args.lr",
    ),
    "large letters": ("LR = 0.1\nprint(LR)\n", "lr", "LR"),
    "large letters beside another one": ("LR = 0.1\nclass C:\n    lr = 0.3\nprint(LR, C.lr)\n", "lr", "lr"),
    "itself": ("lr = 0.1\nCFG = {'lr': 0.1}\nprint(lr, CFG)\n", "lr", "lr"),
    "an argument": (f"{LAYERS}", "out_features", "Linear.out_features"),
    "two arguments": (f"{LAYERS}second = Linear(in_features=4, out_features=5)\n", "out_features", "out_features"),
    "one beside a refused one": (
        "def f():\n    lr = 0.1\n    lr = 0.2\n    print(lr)\nclass C:\n    lr = 0.3\nf()\nprint(C.lr)\n",
        "lr",
        "lr",
    ),
    "dashes that were typed": (f"{PARSER}p.add_argument('--a.lr', default=0.1)\n", "--lr", "--lr"),
    "a part of a word": ("LEARNING_RATE = 0.1\nprint(LEARNING_RATE)\n", "rate", "rate"),
    "nothing": ("LR = 0.1\nprint(LR)\n", "width", "width"),
    "another usual name": ("LEARNING_RATE = 0.1\nprint(LEARNING_RATE)\n", "lr", "LEARNING_RATE"),
    "another usual name of an argument": (
        "class Net:\n    def __init__(self, learning_rate=0.1):\n        self.lr = learning_rate\nNet(learning_rate=0.2)\n",
        "LR",
        "Net.learning_rate",
    ),
    "another usual name of an option": (
        f"{PARSER}p.add_argument('--drop-rate', default=0.1)\n",
        "dropout",
        "--drop-rate",
    ),
    "another usual name of two": (
        "class C:\n    learning_rate = 3\nclass D:\n    learning_rate = 1\nprint(C.learning_rate, D.learning_rate)\n",
        "lr",
        "learning_rate",
    ),
    "two other usual names": ("hidden = 1\nhidden_size = 3\nprint(hidden, hidden_size)\n", "hidden_dim", "hidden_dim"),
    "another usual name beside a refused one": (
        "LEARNING_RATE = 0.1\ndef f():\n    lr = 0.1\n    lr = 0.2\n    print(lr, LEARNING_RATE)\nf()\n",
        "lr",
        "lr",
    ),
}


@pytest.mark.parametrize(("text", "short", "name"), SHORT.values(), ids=SHORT)
def test_a_name_is_completed_where_one_thing_alone_ends_with_it(program_of, text, short, name):
    program = program_of(text, {"p.yaml": "train:\n  batch_size: 8\ntest:\n  batch_size: 9\n"})

    assert complete_name(short, program, ()) == name


LOADERS = """
from torch.utils.data import DataLoader
class Data:
    def train_dataloader(self):
        return DataLoader(self.a, batch_size=32, shuffle=True)
    def val_dataloader(self):
        return DataLoader(self.b, batch_size=32)
fit(Data())
"""
PROMISING = {
    "the loader that trains": (LOADERS, "batch_size", "DataLoader.batch_size@4"),
    "its whole name": (LOADERS, "DataLoader.batch_size", "DataLoader.batch_size@4"),
    "two that train": (f"{LOADERS}DataLoader(data, batch_size=8)\n", "batch_size", "batch_size"),
    "none": ("class C:\n    seed = 3\nclass D:\n    seed = 1\nprint(D.seed, C.seed)\n", "seed", "seed"),
    "one alone that is not": ("class C:\n    seed = 3\nprint(C.seed)\n", "seed", "C.seed"),
}


@pytest.mark.parametrize(("text", "short", "name"), PROMISING.values(), ids=PROMISING)
def test_of_several_constants_the_only_promising_one_is_meant(program_of, text, short, name):
    program = program_of(text)

    assert complete_name(short, program, (), ConstantRanking(program).is_promising) == name


READERS = {
    "gin": ("import gin\ngin.parse_config_file('a.gin')\n", "gin.parse_config_file", "write the value into the source"),
    "exec": ("scope = {}\nexec(open('a.py').read(), scope)\n", "exec", "import the file as a module"),
    "mmengine": ("from mmengine import Config\ncfg = Config.fromfile('a.py')\n", "Config.fromfile", "import the file"),
}


@pytest.mark.parametrize(("text", "call", "remedy"), READERS.values(), ids=READERS)
def test_a_name_that_leads_nowhere_is_answered_with_the_file_that_no_search_looks_into(program_of, text, call, remedy):
    program = program_of(f"{text}WIDTH = 8\n")

    with pytest.raises(ConstantError) as raised:
        find_constant("lr", program, find_constants(program), "")

    assert f"train.py:2 takes settings from a file by `{call}`, and those cannot be searched: {remedy}" in str(
        raised.value
    )


OPTIMIZER = "import torch\nfrom torch.optim import Adam\n"
LEFT = {
    "lr": (
        f"{OPTIMIZER}Adam(weights)\n",
        "lr",
        "train.py:3 leaves lr of Adam at its default: write it there, `lr=...`",
    ),
    "its other name": (f"{OPTIMIZER}torch.optim.SGD(weights)\n", "learning_rate", "train.py:3 leaves lr of SGD"),
    "its callee": (f"{OPTIMIZER}Adam(weights)\n", "Adam.lr", "train.py:3 leaves lr of Adam"),
    "another callee": (f"{OPTIMIZER}Adam(weights)\n", "SGD.lr", None),
    "one of a layer": ("from torch import nn\nnn.LSTM(4, 8)\n", "dropout", "train.py:2 leaves dropout of LSTM"),
    "another word of a layer": ("from torch import nn\nnn.Dropout()\n", "p", "train.py:2 leaves p of Dropout"),
    "a positional one": (f"{OPTIMIZER}Adam(weights, rate)\n", "lr", None),
    "stars": (f"{OPTIMIZER}Adam(weights, **given)\n", "lr", None),
    "what no search varies": ("from torch.utils.data import DataLoader\nDataLoader(data)\n", "generator", None),
    "a function that nothing calls": (f"{OPTIMIZER}def make(): return Adam(weights)\n", "lr", None),
    "a list of arguments": (f"{OPTIMIZER}Adam(*given)\n", "lr", None),
    "a function of the program": (
        "def fit(lr=0.1): ...\ndef Adam(weights): ...\nAdam(weights)\n",
        "weight_decay",
        None,
    ),
}


@pytest.mark.parametrize(("text", "name", "told"), LEFT.values(), ids=LEFT)
def test_a_name_that_a_call_leaves_at_its_default_is_answered_with_the_call(program_of, text, name, told):
    program = program_of(text)

    with pytest.raises(ConstantError) as raised:
        find_constant(name, program, find_constants(program), "")

    assert told in str(raised.value) if told is not None else " leaves " not in str(raised.value)


def test_code_that_is_put_together_is_no_file_of_settings(program_of):
    program = program_of("exec('A = ' + '3')\nWIDTH = 8\n")

    with pytest.raises(ConstantError) as raised:
        find_constant("lr", program, find_constants(program), "")

    assert "takes settings" not in str(raised.value)
