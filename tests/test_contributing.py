"""The pages for contributors name what is there: files, modules, functions, and the packages from bottom to top."""

import ast
import re

import pytest

from tests.documentation import ROOT
from tests.test_architecture import FLOORS

GUIDES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("CONTRIBUTING.md", "docs/contributing.md", "docs/architecture.md")
}
ARCHITECTURE = GUIDES["docs/architecture.md"]

PATH = re.compile(r"(?<![\w/.-])((?:tune|tests|benchmarks)/[\w./-]*)")
DOTTED = re.compile(r"(?<![\w/.])tune(?:\.\w+)+")
NAMED = re.compile(r"`((?:tune|tests)/[\w/]+\.py)`, ((?:`[\w.]+`(?:, | and )?)+)")
"""A file and the names in it: `tune/paths.py`, `ExperimentPaths` and `VersionPaths`."""
STEP = re.compile(r"^(\d+)\. `(tune/[\w/]+\.py)`, `[\w.]+`: .", re.MULTILINE)


MOST_FILES = 22
"""Files that a value, or a metric, passes at the most."""


def names_in(path):
    """Return what a module defines: classes, functions, constants, and methods as ``Class.method``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef():
                methods = (each.name for each in node.body if isinstance(each, ast.FunctionDef))
                found |= {node.name, *(f"{node.name}.{method}" for method in methods)}
            case ast.FunctionDef():
                found.add(node.name)
            case ast.Assign():
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


def leads_somewhere(dotted):
    """Tell whether a dotted name is a module, or something in one."""
    parts = dotted.split(".")
    for n_parts in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:n_parts])
        for module in (place.with_suffix(".py"), place / "__init__.py"):
            if module.is_file():
                return n_parts == len(parts) or ".".join(parts[n_parts:]) in names_in(module)
    return False


@pytest.mark.parametrize("page", GUIDES)
def test_a_path_that_a_page_for_contributors_names_is_there(page):
    paths = {path.rstrip(".") for path in PATH.findall(GUIDES[page])}

    assert len(paths) > 3
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", GUIDES)
def test_a_dotted_name_that_a_page_for_contributors_names_is_there(page):
    without_links = re.sub(r"\]\([^)]*\)", "]", GUIDES[page])

    assert [name for name in DOTTED.findall(without_links) if not leads_somewhere(name)] == []


@pytest.mark.parametrize("page", ["docs/contributing.md", "docs/architecture.md"])
def test_a_name_that_stands_behind_a_file_is_defined_in_that_file(page):
    named = [(path, name) for path, names in NAMED.findall(GUIDES[page]) for name in re.findall(r"`([\w.]+)`", names)]

    assert len(named) > 10
    assert [(path, name) for path, name in named if name not in names_in(ROOT / path)] == []


def test_each_way_through_the_files_has_as_many_steps_as_it_says_and_no_file_twice():
    ways = [part for part in ARCHITECTURE.split("\n## ") if STEP.search(part)]

    assert len(ways) == 2
    for way in ways:
        numbers, paths = zip(*STEP.findall(way), strict=True)
        assert [int(number) for number in numbers] == list(range(1, len(paths) + 1))
        assert len(set(paths)) == len(paths)
        assert f" {len(paths)} files:" in way
        assert len(paths) <= MOST_FILES


def test_the_picture_of_the_packages_names_exactly_those_that_exist_from_top_to_bottom():
    (picture,) = re.findall(r"```text\n(__main__ .*?)```", ARCHITECTURE, re.DOTALL)
    drawn, floor = [], ""
    for line in picture.splitlines():
        indent, name = re.match(r"( *)(\w+)  +\S", line).groups()
        floor = floor if indent else name
        drawn.append(f"{floor}/{name}" if indent else name)

    tune = ROOT / "tune"
    rooms = {path.parent.relative_to(tune).as_posix() for path in tune.rglob("__init__.py")} - {"."}
    modules = {path.stem for path in tune.glob("*.py")} - {"__init__"}
    assert sorted(drawn) == sorted(rooms | modules)
    assert [name for name in drawn if "/" not in name] == list(reversed(FLOORS))
