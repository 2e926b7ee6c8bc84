"""What tests of several parts need, and which tests are the unit layer."""

import pickle
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.browser import chromium, need_browser
from tests.projects import write_program

TESTS = Path(__file__).parent
UNIT = frozenset((TESTS / "unit_tests.txt").read_text(encoding="utf-8").split())
"""The files of the unit layer: `pytest -m unit` runs them alone, and neither torch nor Ray is imported."""
HEAVY = frozenset({"torch", "pytorch_lightning", "lightning", "ray"})


def pytest_ignore_collect(collection_path, config):
    """Leave files of other layers unread, which import what the unit layer does without."""
    is_test = collection_path.suffix == ".py" and collection_path.is_relative_to(TESTS)
    if config.option.markexpr == "unit" and is_test:
        return collection_path.relative_to(TESTS).as_posix() not in UNIT
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Replace the scheduler of `--dist loadfile`; optional, for pytest runs without xdist, too."""
    from tests.restarting_scheduler import RestartingFileScheduling

    return RestartingFileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.relative_to(TESTS).as_posix() in UNIT and not item.get_closest_marker("slow"):
            item.add_marker("unit")


def pytest_sessionfinish(session):
    """Fail a run of the unit layer that has imported what it does without."""
    loaded = HEAVY & sys.modules.keys() if session.config.option.markexpr == "unit" else ()
    if loaded:
        session.exitstatus = 1
        session.config.get_terminal_writer().line(f"a unit test imported {', '.join(sorted(loaded))}", red=True)


@pytest.fixture
def programs(tmp_path):
    """Return what writes a program into this test's project."""
    return partial(write_program, tmp_path / "project")


@pytest.fixture
def one_thread():
    """Let torch compute on one core: the operations are small, and the other cores have other work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Run the one process server of the test session; searches in this process use it, too.

    Its template has trained once, as that of a search has: a trial then takes a third of the CPU.
    """
    from tests.searched import Worker
    from tune.cluster.process_server import run_server, server_socket
    from tune.cluster.resources import Resources
    from tune.trial.process.client import prepare_template

    folder = tmp_path_factory.mktemp("template")
    space = write_program(folder / "project", "scripted").with_name("space.yaml")
    space.write_text("system: scripted.py\nmetric: Score/Val\nmode: max\nconstants:\n  LR: {uniform: [0.1, 1.0]}\n")
    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    with run_server(), server_socket(resources) as path:
        job = path.with_name("job")
        job.write_bytes(pickle.dumps(Worker(space, folder / "experiment", path).job))
        prepare_template(path, job, {}, warm=True, wait_s=60)
        yield path


@pytest.fixture(scope="session")
def ray(server):
    """Start the one Ray of the test session, as a search does; a search in this process then uses it."""
    from tune.cluster import ray_dashboard
    from tune.cluster.backend import local_cluster
    from tune.cluster.resources import Resources

    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ray_dashboard, "HEAD_START_S", threading.TIMEOUT_MAX)  # no test looks at it
        with local_cluster(resources):
            yield


@pytest.fixture(scope="session")
def browser():
    """Start the one Chromium of the test session."""
    need_browser()
    with chromium() as started:
        yield started
