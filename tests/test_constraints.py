"""constraints.txt pins whatever an installation brings."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [Requirement(text) for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"])]
ELSEWHERE = [
    Requirement(text)
    for extra in ("docs", "mlflow", "parquet", "wandb")
    for text in PROJECT["optional-dependencies"][extra]
]
"""What is installed in an environment of its own, or for some tests alone, with the same pins."""
PINS = dict(line.split("==") for line in LINES if line and not line.startswith("#"))


def collect(requirement, seen):
    """Add a package and what it needs in this environment, directly or not, to ``seen``: pairs of package and extra."""
    package = canonicalize_name(requirement.name)
    for extra in requirement.extras | {""}:
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        for needed in map(Requirement, requires(package) or []):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                collect(needed, seen)


def test_the_pins_when_compared_with_what_is_installed_then_name_every_package():
    seen = set()
    for requirement in ASKED:
        collect(requirement, seen)
    needed = {package for package, _ in seen}
    assert len(needed) > 100
    assert sorted(needed - PINS.keys()) == []


@pytest.mark.parametrize("requirement", [*ASKED, *ELSEWHERE], ids=str)
def test_a_pin_when_pyproject_asks_for_a_range_then_lies_in_it(requirement):
    assert Version(PINS[canonicalize_name(requirement.name)]) in requirement.specifier


def test_a_pin_when_it_is_written_then_it_is_exact_and_without_a_local_suffix():
    for name, version in PINS.items():
        assert name == canonicalize_name(name)
        assert re.fullmatch(r"[0-9a-z.]+", version), f"{name}=={version}"
