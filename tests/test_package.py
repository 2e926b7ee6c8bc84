"""What ``pip install promotune`` brings: ``tune`` and the command, and nothing else of the repository."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RELEASE = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "release.yml")


def test_the_package_that_is_installed_is_tune_alone():
    setuptools = PROJECT["tool"]["setuptools"]
    packages = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.rglob("__init__.py")}
    installed = {
        name for name in packages if any(fnmatchcase(name, each) for each in setuptools["packages"]["find"]["include"])
    }

    assert {name.partition(".")[0] for name in installed} == {"tune"}
    assert setuptools["py-modules"] == []
    assert PROJECT["project"]["scripts"] == {"promotune": "tune.cli:program"}


def test_files_that_are_no_modules_are_installed_too():
    wanted = PROJECT["tool"]["setuptools"]["package-data"]["tune"]
    files = {path for pattern in wanted for path in (ROOT / "tune").glob(pattern)}
    others = {path for path in (ROOT / "tune").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}

    assert files == others


def test_a_release_is_built_and_checked_before_it_is_published_without_a_token():
    build, publish = RELEASE["jobs"]["build"], RELEASE["jobs"]["publish"]
    lines = [step.get("run", "") for step in build["steps"]]

    assert "python -m build" in lines
    assert "python -m twine check --strict dist/*" in lines
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"id-token": "write"}
    assert "secrets" not in (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
