"""What drivers that were killed left of Ray's scratch is taken away, and nothing else."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tune.cluster import process_server as scratch
from tune.cluster.process_server import SCRATCH, ray_temp_folder, remove_stale_folders
from tune.trial.process.client import process_server
from tune.trial.process.marker import MARKER, is_marked, mark_folder

HOLDS = """
import sys
from tune.cluster.process_server import ray_temp_folder
with ray_temp_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""

STARTS = """
import socket
import threading
import psutil
from tune.cluster import ray_dashboard
from tune.cluster.backend import local_cluster
from tune.cluster.resources import plan_resources
from tune.space.settings import Settings

ray_dashboard.HEAD_START_S = 0
up, found = threading.Event(), []

def heard(address):
    host, port = address.split(":")
    socket.create_connection((host, int(port))).close()
    found.append(threading.current_thread())
    up.set()

with local_cluster(plan_resources(Settings(), None), heard):
    assert up.wait(60)
    assert found[0].is_alive()
    for each in psutil.Process().children(recursive=True):
        print(each.pid, *each.cmdline())
assert not found[0].join(10) and not found[0].is_alive()
"""


@pytest.mark.usefixtures("ray")
def test_a_process_of_ray_counts_gpus_as_nvml_does():
    import ray

    order = ray.remote(num_cpus=0)(lambda: os.environ.get("CUDA_DEVICE_ORDER"))

    assert ray.get(order.remote()) == "PCI_BUS_ID"


@pytest.fixture
def short_path():
    """A folder whose path is short enough for Ray's sockets below it."""
    with tempfile.TemporaryDirectory(prefix="s-", dir="/tmp") as folder:
        yield Path(folder)


def test_ray_runs_with_its_dashboard_and_without_what_a_search_has_no_use_for(short_path):
    start = [sys.executable, "-c", STARTS]
    environment = {**os.environ, "TMPDIR": str(short_path)}
    ran = subprocess.run(start, capture_output=True, text=True, timeout=300, check=False, env=environment)

    assert ran.returncode == 0, ran.stderr
    processes = dict(line.split(" ", 1) for line in ran.stdout.splitlines())
    assert sum("dashboard/dashboard.py" in each for each in processes.values()) == 1
    assert not [each for each in processes.values() if "log_monitor.py" in each]
    assert [each for each in processes.values() if "tune.trial.process.server" in each]
    left = [psutil.Process(int(pid)) for pid in processes if psutil.pid_exists(int(pid))]
    assert psutil.wait_procs(left, timeout=20)[1] == []
    assert not list(short_path.glob("promotune*")) + list(short_path.glob("pymp-*"))  # the dashboard's


def test_a_driver_that_is_killed_while_its_dashboard_starts_takes_it_along():
    driver = subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = []
    while not any("dashboard.py" in " ".join(named(each)) for each in family):
        assert driver.poll() is None
        time.sleep(0.05)  # a look at all processes takes CPU from the driver
        family = psutil.Process(driver.pid).children()  # Ray's agents, which the raylet starts, take a minute to end
    driver.kill()
    driver.wait()

    assert psutil.wait_procs(family, timeout=20)[1] == []


def named(process):
    """Return a process's command line; nothing of one that is gone."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


SHORT = """
import sys
import tune.search.run
from tune.cluster.backend import local_cluster
from tune.cluster.resources import plan_resources
from tune.space.settings import Settings

assert "ray" not in sys.modules  # the server that forks workers is started first

import contextlib
import socket
import ray
from ray._private.ray_constants import DEFAULT_DASHBOARD_AGENT_LISTEN_PORT
from ray._private import services
from ray._private.state import GlobalState

look, known = services.get_node, []
start, kinds = services.start_ray_process, []

def start_ray_process(command, kind, *arguments, **options):
    kinds.append(kind)
    return start(command, kind, *arguments, **options)

services.start_ray_process = start_ray_process

def get_node(address, node_id):
    state = GlobalState()
    state._initialize_global_state(services._get_gcs_client_options(address))
    known.append(node_id in {each["NodeID"] for each in state.node_table()})
    return look(address, node_id)

services.get_node = get_node
found = []
with contextlib.suppress(OSError):  # another Ray's: all the better
    taken = socket.create_server(("127.0.0.1", DEFAULT_DASHBOARD_AGENT_LISTEN_PORT))
with local_cluster(plan_resources(Settings(), None), found.append):
    assert services.get_node is get_node
    port = ray._private.worker._global_node.dashboard_agent_listen_port
    assert port != DEFAULT_DASHBOARD_AGENT_LISTEN_PORT
    socket.create_connection(("127.0.0.1", port)).close()
print("known:", known)
print("started:", *sorted(kinds))
print("dashboards:", found)
"""


def test_ray_is_seen_at_once_on_ports_of_its_own_and_what_ends_at_once_has_no_dashboard():
    ran = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, timeout=300, check=False)

    assert ran.stdout == "known: [True]\nstarted: gcs_server raylet\ndashboards: []\n", ran.stderr


NO_DASHBOARD = """
import sys
import threading
import ray
from ray._private import ray_constants, services
from tune.cluster import ray_dashboard as dashboard
from tune.cluster.backend import local_cluster
from tune.cluster.resources import plan_resources
from tune.space.settings import Settings

dashboard.HEAD_START_S = 0
start, tried = services.start_ray_process, threading.Event()

def broken(command, kind, *arguments, **options):
    if kind == ray_constants.PROCESS_TYPE_DASHBOARD:
        tried.set()
    ends = [sys.executable, "-c", ""] if kind == ray_constants.PROCESS_TYPE_DASHBOARD else command
    return start(ends, kind, *arguments, **options)

services.start_ray_process = broken
found = []
with local_cluster(plan_resources(Settings(), None), found.append):
    assert tried.wait(60)
    print("answer:", ray.get(ray.remote(lambda: 42).remote()))
print("dashboards:", found)
"""


@pytest.mark.slow
def test_a_search_goes_on_without_the_dashboard_where_that_does_not_start():
    ran = subprocess.run([sys.executable, "-c", NO_DASHBOARD], capture_output=True, text=True, timeout=300, check=False)

    assert ran.stdout == "answer: 42\ndashboards: []\n", ran.stderr


ENDS = """
import subprocess
import sys
from tune.cluster.process_server import end_with_driver, run_server
from tune.cluster.process_server import ray_temp_folder

STARTS_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
with run_server(), ray_temp_folder() as folder:
    first = subprocess.Popen([sys.executable, "-c", STARTS_CHILD], stdout=subprocess.DEVNULL, start_new_session=True)
    end_with_driver(first.pid)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the process server is Linux's alone")
def test_what_a_killed_driver_started_for_ray_ends_and_its_folder_goes_without_another_search(short_path):
    environment = {**os.environ, "TMPDIR": str(short_path)}
    start = [sys.executable, "-c", ENDS]
    driver = subprocess.Popen(start, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder = Path(driver.stdout.readline().strip())
    family = psutil.Process(driver.pid).children(recursive=True)
    while not any(named(each)[-1:] == ["import time; time.sleep(60)"] for each in family):
        family = psutil.Process(driver.pid).children(recursive=True)
    assert folder.exists()
    driver.kill()
    driver.communicate()

    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert not folder.exists()


def test_the_scratch_of_a_killed_driver_is_taken_away_and_that_of_a_living_one_is_not(short_path, monkeypatch):
    tmp_path = short_path
    monkeypatch.setattr(scratch, "_open", [])  # other tests of this process may have one
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    start = [sys.executable, "-c", HOLDS]
    drivers = [
        subprocess.Popen(start, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    killed, living = [driver.stdout.readline().strip() for driver in drivers]
    drivers[0].kill()
    drivers[0].communicate()

    with ray_temp_folder() as own:
        assert {str(entry) for entry in tmp_path.iterdir()} == {living, own}
    assert Path(killed).name.startswith(SCRATCH)

    drivers[1].communicate("")
    remove_stale_folders(tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["promotune-mine", f"{SCRATCH}mine", "promotune.node-0-mine"])
@pytest.mark.parametrize("lock", [None, "", "mine"])
def test_a_folder_of_the_users_stays_as_it_was_whatever_its_name(short_path, monkeypatch, name, lock):
    monkeypatch.setattr(scratch, "_open", [])  # other tests of this process may have one
    monkeypatch.setattr("tempfile.tempdir", str(short_path))
    folder = short_path / name.replace("-0-", f"-{os.getuid()}-")
    folder.mkdir()
    (folder / "notes.txt").write_text("a month's work")
    if lock is not None:
        (folder / ".lock").write_text(lock)
    before = sorted(each.name for each in folder.iterdir())
    os.utime(folder, (0, 0))

    with ray_temp_folder() as own, process_server(Path(own)):
        pass
    assert sorted(each.name for each in folder.iterdir()) == before
    assert lock is None or (folder / ".lock").read_text() == lock


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("given", [".", MARKER])
def test_what_another_user_marked_stays_although_root_could_remove_it(short_path, given):
    folder = short_path / f"{SCRATCH}theirs"
    folder.mkdir()
    mark_folder(folder)
    assert is_marked(folder)
    os.chown(folder / given, 12345, 12345)

    remove_stale_folders(short_path)
    assert folder.exists()
    (short_path / f"{SCRATCH}link").symlink_to(folder)
    remove_stale_folders(short_path)
    assert folder.exists()
