"""What a trial ran on, as far as its curve may depend on it: versions, processor, GPU and its driver, threads."""

import ast
import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tune.nvml import VISIBLE, find_gpu, list_gpus, read_driver_version, select_visible
from tune.paths import ExperimentPaths, atomic_write, read_json, read_regular
from tune.promotion.program import Program
from tune.version import __version__

PACKAGES = ("torch", "pytorch-lightning", "lightning", "numpy")
"""Distributions that every trial depends on; those that the program imports are added."""

OTHERS = frozenset({"python", "system", "processor", "GPU", "driver", "CUDA", "threads", "promotune"})
"""What is no distribution."""

OF_RAY = frozenset({"psutil", "colorama"})
"""Left out: once Ray is imported, its own copies of these come before those that are installed."""

Surroundings = Mapping[str, str]
"""By what it is: ``torch``: ``2.13.0``; an empty text where there is none."""


def observe_environment(program: Program, n_threads: int, gpus: str) -> dict[str, str]:
    """Return what the trials of a search run on, as this process sees it, with the names of its GPUs."""
    return _collect_environment((*PACKAGES, *_find_distributions(program)), n_threads, gpus)


def visible_gpus() -> str:
    """Return the names of the GPUs that a process of this environment may use."""
    return name_gpus(os.environ.get(VISIBLE))


def find_environment_changes(then: Surroundings, n_threads: int, *, gpus: str) -> dict[str, str]:
    """Return what is not as it was, as it is now; nothing where it was not written down.

    ``gpus``: the names of those that a trial has; one of the search's is no other GPU than those.
    """
    packages = tuple(name for name in then if name not in OTHERS)
    had = then.get("GPU", "")
    is_of_search = bool(gpus) and {*gpus.split(", ")} <= {*had.split(", ")}
    return (
        diff_environments(_collect_environment(packages, n_threads, had if is_of_search else gpus), then)
        if then
        else {}
    )


def _collect_environment(packages: tuple[str, ...], n_threads: int, gpus: str) -> dict[str, str]:
    return {
        **_read_machine_info(),
        "GPU": gpus,
        "driver": _read_driver() if gpus else "",
        "CUDA": _read_torch_cuda() if gpus else "",
        "threads": str(n_threads),
        "promotune": __version__,
        **{name: _read_package_version(name) for name in packages},
    }


def diff_environments(now: Surroundings, then: Surroundings) -> dict[str, str]:
    """Return what is not as it was, as it is now; an earlier version wrote less down, and says nothing of the rest."""
    return {name: text for name, text in now.items() if name in then and then[name] != text}


def write_environment(found: Surroundings, paths: ExperimentPaths) -> None:
    """Write what the trials of an experiment run on; a trial says for itself what is not so."""
    with atomic_write(paths.environment_file) as aside:
        aside.write_text(json.dumps(dict(found), indent=2) + "\n", encoding="utf-8")


def read_environment(paths: ExperimentPaths) -> dict[str, str]:
    """Return what an experiment's trials ran on; nothing where it was not written."""
    try:
        found = read_json(read_regular(paths.environment_file))
        return {str(name): str(text) for name, text in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


@functools.cache
def _read_machine_info() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _read_processor_name(),
    }


def _read_processor_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


@functools.cache
def name_gpus(visible: str | None) -> str:
    """Return the names of the GPUs that a value of CUDA_VISIBLE_DEVICES names; None: of all."""
    gpus = list_gpus()
    found = gpus if visible is None else [find_gpu(each, gpus) for each in select_visible(visible, gpus)]
    return ", ".join(sorted({gpu.name for gpu in found if gpu is not None and gpu.name}))


@functools.cache
def _read_driver() -> str:
    return read_driver_version()


TORCH_CUDA = re.compile(r"^cuda\b.*= ['\"](?P<version>[0-9.]+)['\"]", re.MULTILINE)


@functools.cache
def _read_torch_cuda() -> str:
    """Return the version of CUDA that torch was built for, empty for none. Its file says so without an import."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        folder = importlib.util.find_spec("torch").submodule_search_locations[0]  # type: ignore[union-attr, index]
        found = TORCH_CUDA.search(Path(folder, "version.py").read_text(encoding="utf-8"))
        return found["version"] if found else ""
    return ""


@functools.cache
def _read_package_version(distribution: str) -> str:
    """Return what a process has; what is installed over it later is not what its trials run on."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _find_distributions(program: Program) -> tuple[str, ...]:
    """Return what must be installed for the program's own import statements."""
    tops = {
        name.partition(".")[0] for source in program.sources.values() for name in _find_imported_modules(source.tree)
    }
    foreign = tops - sys.stdlib_module_names
    installed = importlib.metadata.packages_distributions()
    return tuple(sorted({name for top in foreign for name in installed.get(top, ())} - OF_RAY))


def _find_imported_modules(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(level=0, module=str(module)):
                names.add(module)
            case _:
                pass
    return names
