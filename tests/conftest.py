"""What tests of several parts need."""

from functools import partial

import pytest

from tests.browser import chromium, need_browser
from tests.projects import write_program


@pytest.fixture
def programs(tmp_path):
    """Return what writes a program into this test's project."""
    return partial(write_program, tmp_path / "project")


@pytest.fixture(scope="session")
def server():
    """Run the one process server of the test session; searches in this process use it, too."""
    from tune.cluster.process_server import run_server, server_socket
    from tune.cluster.resources import Resources

    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    with run_server(), server_socket(resources) as path:
        yield path


@pytest.fixture(scope="session")
def ray(server):
    """Start the one Ray of the test session, as a search does; a search in this process then uses it."""
    from tune.cluster.local_cluster import local_cluster
    from tune.cluster.resources import Resources

    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    with local_cluster(resources):
        yield


@pytest.fixture(scope="session")
def browser():
    """Start the one Chromium of the test session."""
    need_browser()
    with chromium() as started:
        yield started
