"""The private parts of libraries that are used are there, and without one a search is refused or does without."""

import ast
import contextlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import write_program
from tests.test_architecture import nodes_of
from tune.cli import main
from tune.errors import StartError
from tune.internals import private_apis
from tune.internals.private_apis import (
    PRIVATE_APIS,
    OnMissing,
    check_private_apis,
    find_missing_apis,
)

ROOT = Path(__file__).parents[1]
INTERNALS = ROOT / "tune" / "internals"
IDS = [f"{each.owner}.{each.name}" for each in PRIVATE_APIS]


@pytest.fixture(autouse=True)
def fresh():
    check_private_apis.cache_clear()
    yield
    check_private_apis.cache_clear()


OF_PYTHON = {
    "_StoreAction",
    "_SubParsersAction",
    "_actions",
    "_exit",
    "_fields",
    "_getframe",
    "_registry",
    "_replace",
    "_run_exitfuncs",
}
"""Of the standard library; ``_thread`` is a module of it."""


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name != "_"


def private_names_in(nodes, own):
    """Yield each name of another library's private part: imported, read, replaced, or asked for by ``getattr``."""
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(module)) if not module.startswith("tune"):
                in_private = any(map(is_private, module.split(".")))
                yield from (f"{module}.{each.name}" for each in node.names if in_private or is_private(each.name))
            case ast.Attribute(attr=name) if is_private(name) and name not in own:
                yield name
            case ast.Call(func=ast.Name("getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(str(name)), *_]):
                if is_private(name) and name not in own:
                    yield name


def test_each_private_part_that_is_used_is_in_the_table():
    trees = {path: nodes_of(path) for path in (ROOT / "tune").rglob("*.py")}
    nodes = [node for tree in trees.values() for node in tree]
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    stored = (node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    own |= {node.attr for node in stored if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")}
    listed = {part for each in PRIVATE_APIS for part in (each.name, *each.owner.split("."))}
    used = {(path, name) for path, tree in trees.items() for name in private_names_in(tree, own)}

    assert len(used) > 50
    assert [(path.name, name) for path, name in used if name.rpartition(".")[2] not in listed | OF_PYTHON] == []


@pytest.mark.parametrize("package", ["pytorch_lightning", "lightning.pytorch"])
@pytest.mark.parametrize("api", PRIVATE_APIS, ids=IDS)
def test_a_private_part_is_there_in_the_installed_library(api, package):
    assert api.is_present(package)


WITHOUT_WANDB_S = """class Config:
    def update(self, values): ...
"""


@pytest.fixture
def rename(monkeypatch, tmp_path):
    """Give what takes a part away as another version of its library would: the source has another name, too."""

    made: list[str] = []

    def delete(api):
        path = api.owner.format(package="pytorch_lightning", fabric="lightning_fabric")
        if importlib.util.find_spec(path.partition(".")[0]) is None:  # one that need not be installed
            module, _, _ = path.rpartition(".")
            file = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
            file.parent.mkdir(parents=True)
            file.write_text(WITHOUT_WANDB_S)
            monkeypatch.syspath_prepend(tmp_path)
            made.append(path.partition(".")[0])
            return
        owner = private_apis._import_owner(path)
        for holder in getattr(owner, "__mro__", (owner,)):
            if api.name in vars(holder):
                monkeypatch.delattr(holder, api.name)
        source_of = private_apis._source_of
        renamed = re.sub(rf"\b{api.name}\b", "renamed", source_of(owner))
        monkeypatch.setattr(private_apis, "_source_of", lambda each: renamed if each is owner else source_of(each))

    yield delete
    for name in [name for name in sys.modules if name.partition(".")[0] in made]:
        del sys.modules[name]


@pytest.mark.parametrize("api", PRIVATE_APIS, ids=IDS)
def test_a_part_that_was_renamed_is_refused_or_named_and_never_dropped(api, rename):
    rename(api)
    refused = pytest.raises(StartError) if api.on_missing is OnMissing.REFUSE else contextlib.nullcontext()
    with refused as caught:
        assert api in check_private_apis(api.library)
    if caught is not None:
        assert api.name in str(caught.value)
        assert api.purpose in str(caught.value)
        assert f"pip install '{api.library}" in str(caught.value)
    assert api in find_missing_apis(api.library)


def test_the_versions_are_printed_with_what_is_missing(capfd, rename):
    rename(PRIVATE_APIS[0])
    assert main(["--version", "-v"]) == 0
    printed = capfd.readouterr().out

    assert printed.startswith("promotune ")
    assert (
        "  ray._private.services.resolve_ip_for_localhost is missing, refused: Ray listens on the loopback" in printed
    )


TAKES_AWAY = """
import importlib, sys
owner, name, *words = sys.argv[1:]
delattr(importlib.import_module(owner), name)
from tune.cli import main
sys.exit(main(words))
"""
SPACE = """
system: program.py
metric: Accuracy/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
trials: 1
"""


@pytest.mark.slow
def test_no_search_starts_where_ray_would_listen_on_the_network(tmp_path):
    program = write_program(tmp_path / "project", "program", (ROOT / "lit" / "digits.py").read_text())
    program.with_name("s.yaml").write_text(SPACE)
    words = ["--space", "s.yaml", "--storage", str(tmp_path / "storage")]
    taken = ["ray._private.services", "resolve_ip_for_localhost"]
    ran = subprocess.run(
        [sys.executable, "-c", TAKES_AWAY, *taken, *words],
        cwd=program.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.returncode == 1
    assert "has no ray._private.services.resolve_ip_for_localhost" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_only_internals_and_what_it_names_import_a_private_module():
    """A module whose dotted name has a part that begins with an underscore is private."""
    named = {each.owner.rpartition(".")[0] if each.owner[-1].isupper() else each.owner for each in PRIVATE_APIS}
    found = {}
    for path in (ROOT / "tune").rglob("*.py"):
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and not node.module.startswith(("tune", "__")):
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                found.update({module: path for module in modules if "._" in module and path.parent != INTERNALS})

    private = {
        module for module in found if not any(each.startswith(module) or module.startswith(each) for each in named)
    }
    assert {module: str(found[module].relative_to(ROOT)) for module in private} == {}
