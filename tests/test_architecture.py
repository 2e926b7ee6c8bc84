"""Imports run one way, nothing heavy is imported early, and every module says what it is."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for folder in ("tune", "lit") for path in (ROOT / folder).rglob("*.py"))

FLOORS = (
    "errors",
    "version",
    "nvml",
    "gc_control",
    "internals",
    "storage_url",
    "atomic_files",
    "paths",
    "invocation",
    "space",
    "storage",
    "promotion",
    "experiment",
    "trial",
    "cluster",
    "search",
    "results",
    "retrain",
    "api_progress",
    "notebook",
    "api",
    "agents",
    "cli",
    "__main__",
)
"""The parts of the package, from the ground up: each imports what stands below it."""

NEIGHBOURS = {
    "results": {"search", "cluster"},
    "agents": {"search", "cluster", "api"},
    "cli": {"api"},
    "promotion": {"storage"},
}
"""Parts that stand below and are not imported all the same."""

FENCES = {
    "ray": {"internals", "cluster", "search", "trial"},
    "optuna": {"internals", "search", "results", "experiment"},
    "pytorch_lightning": {"internals", "trial", "results", "api"},  # the last two name the type that `load` returns
    "torch": {"internals", "trial"},
    "tensorboard": {"trial", "results"},
    "ruamel": {"space", "trial", "api"},
    "rich": {"cli", "internals"},
    "shtab": {"cli"},
    "hydra": {"promotion"},
    "omegaconf": {"promotion"},
    "fsspec": {"storage"},
    "plotly": {"results", "notebook"},
    "jinja2": {"results"},
    "mcp": {"agents"},
    "optuna_dashboard": {"results"},
    "pandas": {"api"},
    "scipy": {"results"},
    "pynvml": {"nvml", "trial"},
    "wandb": {"trial", "results"},
    "mlflow": {"trial", "results"},
    "comet_ml": {"trial"},
    "trackio": {"trial"},
    "pyarrow": {"results"},
}
"""Where each library may be imported: a new major version is a change in one place."""


@functools.cache
def nodes_of(path):
    """Return all parts of a file's tree: each of some hundred files is read once for all tests."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports_of(path):
    """Yield the dotted modules that a file imports, wherever the statement stands."""
    for node in nodes_of(path):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=0):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            case ast.ImportFrom():
                raise AssertionError(f"{path}:{node.lineno}: a relative import")


def part_of(path):
    parts = path.relative_to(ROOT / "tune").with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def module_in(dotted, modules):
    """Return the module that an import reaches: `tune.a.b.name` stands in `tune.a.b`."""
    return dotted if dotted in modules else parent if (parent := dotted.rpartition(".")[0]) in modules else None


def in_tune():
    return [path for path in MODULES if path.is_relative_to(ROOT / "tune")]


def test_imports_run_one_way():
    upward = {}
    for path in in_tune():
        if part := part_of(path):
            own = {module.split(".")[1] for module in imports_of(path) if module.startswith("tune.")}
            below = set(FLOORS[: FLOORS.index(part)]) - NEIGHBOURS.get(part, set())
            upward[name_of(path)] = own - {part} - below

    assert len(upward) > 200
    assert {name: parts for name, parts in upward.items() if parts} == {}


def test_no_imports_run_in_a_circle_wherever_they_stand():
    modules = {name_of(path): path for path in in_tune()}
    left = {
        name: {found for each in imports_of(path) if (found := module_in(each, modules)) and found != name}
        for name, path in modules.items()
    }
    del left["tune"]  # the Python API: it imports what it offers when that is asked for
    while free := [name for name, imports in left.items() if not imports & left.keys()]:
        for name in free:
            del left[name]

    assert sorted(left) == []


def test_no_folder_holds_more_than_fifteen_modules():
    folders = {path.parent for path in in_tune()}

    assert [folder for folder in folders if len({*folder.glob("*.py")} - {folder / "__init__.py"}) > 15] == []


PARTICIPLES = """
asked begun born bound brought broken built called carried changed checked chosen closed collected compared compiled
copied counted cut deleted done drawn dropped ended entered escaped expected failed fetched filled filtered finished
fixed forgotten formatted found freed given gone granted guarded handled heard held hidden installed joined judged
kept killed known learnt led left listed loaded locked logged lost made marked matched measured met missing moved
named needed noted noting observed opened ordered paced parsed passed patched paused perturbed picked placed planned
prepared promoted pruned published quoted raised ranked redirected refused registered rehearsed removed
renamed replaced replayed reported required resolved restored resumed returned rounded said sampled saved
searched seen selected sent served shared shown shuffled silenced skipped spent started stored
stopped suggested swapped taken timed told trained tried trimmed typed updated used waited wanted warned watched
weighed withheld woken wrapped written
"""
"""Words that say what became of something, and neither what a function does nor what to."""


def definitions_in(path, *kinds):
    return [node for node in nodes_of(path) if isinstance(node, kinds)]


def test_no_two_public_classes_share_a_name():
    places = {}
    for path in in_tune():
        for node in definitions_in(path, ast.ClassDef):
            if not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name_of(path))

    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


def is_property(node):
    return any("property" in ast.unparse(each) for each in node.decorator_list)


def test_no_function_is_named_by_a_participle_alone():
    named = {
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in in_tune()
        for node in definitions_in(path, ast.FunctionDef, ast.AsyncFunctionDef)
        if node.name.removeprefix("_") in PARTICIPLES.split() and not is_property(node)
    }

    assert named == set(), "name it by what it does, a verb and its object"


def test_a_library_stays_behind_its_fence():
    libraries = {path: {module.partition(".")[0] for module in imports_of(path)} & FENCES.keys() for path in in_tune()}
    outside = {
        (name_of(path), library)
        for path, found in libraries.items()
        for library in found
        if part_of(path) not in FENCES[library]
    }

    assert set().union(*libraries.values()) == FENCES.keys()
    assert outside == set()


def test_systems_do_not_know_that_they_are_searched():
    for path in MODULES:
        tops = {module.partition(".")[0] for module in imports_of(path)}
        if path.is_relative_to(ROOT / "lit"):
            assert "tune" not in tops, path
        else:
            assert "lit" not in tops, path


def test_a_module_says_what_it_is():
    modules = {path: nodes_of(path)[0] for path in MODULES}

    assert [path for path, module in modules.items() if module.body and not ast.get_docstring(module)] == []


HEAVY = {
    "torch",
    "ray",
    "pytorch_lightning",
    "lightning",
    "optuna",
    "tensorboard",
    "numpy",
    "pandas",
    "scipy",
    "rich",
    "ruamel",
    "shtab",
}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import tune", set()),
        ("import tune.cli", set()),
        ("import tune.cli.command_parsers", set()),
    ],
)
def test_an_import_is_light(statement, allowed):
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert HEAVY & set(done.stdout.split()) <= allowed


def test_importing_changes_nothing_in_the_process():
    code = (
        "import os, sys, logging, random, warnings\n"
        "def state(): return dict(os.environ), os.getcwd(), logging.root.handlers[:], logging.root.level, "
        "random.getstate(), list(sys.path), list(sys.meta_path), list(warnings.filters)\n"
        "before = state()\n"
        "import tune, tune.cli, tune.cli.arguments, tune.errors, tune.paths\n"
        "assert state() == before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("tune.search.run", {"torch", "ray", "optuna"}),  # what Ray's start has to wait for
        ("tune.cluster.local_ray", {"torch", "optuna", "pandas"}),
        ("tune.search.build_controller", {"torch", "pytorch_lightning", "lightning"}),  # while Ray starts
        ("tune.search.ray_tune", {"torch", "pytorch_lightning", "lightning", "optuna"}),
        ("tune.trial.trainable", {"torch", "optuna", "pandas"}),  # an actor
        ("tune.trial.process.server", {"torch", "ray", "optuna"}),
        ("tune.trial.process.client", {"torch", "ray", "optuna"}),
    ],
)
def test_a_process_of_a_search_imports_nothing_that_it_does_not_need(module, heavy):
    code = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert heavy & set(done.stdout.split()) == set()
