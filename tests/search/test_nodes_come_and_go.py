"""Searches by the real command over the nodes of a real cluster: they die, come, and do not see all."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.clusters import nodes
from tests.events import scalars
from tests.projects import write_program
from tests.search.test_kill import Books

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
N_TRIALS, N_EPOCHS = 14, 16
"""Of a second: longer than a worker takes to start. Else workers that are warm take all trials before it has."""
SPACE = """
system: placed.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
scheduler: none
"""
EPOCH = re.compile(r"^epoch (\d+) on (\w+)$", re.MULTILINE)
HIDE = 'mount -t tmpfs none {folder} && exec "$@"'
CAN_UNSHARE = shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
need_unshare = pytest.mark.skipif(
    not CAN_UNSHARE, reason="a mount namespace of one's own (`unshare -m`) is not permitted"
)
LONG_S = 600


@pytest.fixture(scope="module")
def cluster():
    """Give a cluster whose head takes one trial."""
    with nodes() as started:
        started.start("head", cpus=1)
        yield started


@pytest.fixture
def node(cluster):
    """Return what starts a node for this test, with one folder hidden from it if that is named."""
    there = set(cluster.processes)

    def start(name, *, cpus=1, hidden=None):
        prefix = () if hidden is None else ("unshare", "-m", "sh", "-c", HIDE.format(folder=hidden), "sh")
        cluster.start(name, cpus=cpus, prefix=prefix)

    yield start
    for name in set(cluster.processes) - there:
        cluster.kill(name)


class Driver:
    """`run_search.py` on the cluster."""

    def __init__(self, cluster, folder, *words, address=None, environment=()):
        self.folder = folder
        self.storage = folder / "storage"
        self.out = folder / "out.txt"
        where = ["--storage", str(self.storage), "--address", address or cluster.address]
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "run_search.py", *words, *where],
                cwd=folder / "project",
                env={**cluster.environment, "PYTHONPATH": str(ROOT), **dict(environment)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def until(self, condition):
        """Wait for something that is to come while the search runs."""
        end = time.monotonic() + LONG_S
        while not condition():
            assert self.process.poll() is None, self.told
            assert time.monotonic() < end, self.told
            time.sleep(0.2)

    @property
    def status(self):
        return self.process.wait(LONG_S)

    @property
    def told(self):
        log = self.storage / "s" / "driver.log"
        return self.out.read_text() + (log.read_text() if log.exists() else "")

    @property
    def epochs(self):
        """Of each trial the epochs that it began, with their nodes, in their order."""
        logs = sorted((self.storage / "s").glob("[0-9]*/log.txt"))
        return {log.parent.name: [(int(n), name) for n, name in EPOCH.findall(log.read_text())] for log in logs}

    def ran_on(self, name):
        """Tell whether a trial has begun its second epoch on a node; the pre-flight has a first one."""
        return self.is_at(name, range(2, N_EPOCHS + 1))

    def is_at(self, name, epochs):
        """Tell whether a trial is in one of these epochs, on a node."""
        return any(each and each[-1][1] == name and each[-1][0] in epochs for each in self.epochs.values())

    @property
    def records(self):
        return [json.loads(file.read_text()) for file in sorted((self.storage / "s").glob("[0-9]*/trial.json"))]


@pytest.fixture
def project(tmp_path):
    """Write a project with data beside the program, and one file that is ignored; return its folder."""
    program = write_program(tmp_path / "project", "placed")
    program.with_name("s.yaml").write_text(SPACE)
    (program.parent / "data").mkdir()
    (program.parent / "data" / "beside.txt").write_text("numbers")
    (program.parent / "ignored.txt").write_text("large")
    (program.parent / ".gitignore").write_text("ignored.txt\n")
    (tmp_path / "storage").mkdir()
    return program.parent


@pytest.fixture
def search(cluster, project, tmp_path):
    """Return what starts a search; it is ended with the test."""
    started = []

    def start(*words, **more):
        words = words or ("--space", "s.yaml", "--trials", "3")
        started.append(Driver(cluster, tmp_path, *words, "--no-report", **more))
        return started[-1]

    yield start
    for driver in started:
        if driver.process.poll() is None:
            driver.process.kill()
            driver.process.wait()


def check(folder, n_trials, n_epochs):
    """Assert that all trials are complete, and that the ledger and TensorBoard hold each epoch once."""
    trials = Books(folder).trials
    assert [trial.number for trial in trials] == list(range(n_trials))
    for trial in trials:
        assert trial.state.name == "COMPLETE"
        assert sorted(trial.intermediate_values) == list(range(1, n_epochs + 1))
        steps = [step for step, _ in scalars(folder / trial.user_attrs["version"])["Score/Val"]]
        assert steps == [4 * epoch - 1 for epoch in range(1, n_epochs + 1)]


def nodes_of(epochs):
    return {name for _, name in epochs}


def at_a_time(records):
    """Return how many trials ran at the same time, at the most."""
    return max(sum(each["started"] <= at["started"] < each["ended"] for each in records) for at in records)


def test_a_node_that_is_killed_costs_no_trial_and_one_that_joins_gets_some(node, search, cluster):
    node("left")
    node("doomed")
    driver = search("--space", "s.yaml", "--trials", str(N_TRIALS), "--trainer.max_epochs", str(N_EPOCHS))
    driver.until(lambda: driver.ran_on("doomed"))
    node("joined", cpus=2)
    driver.until(lambda: driver.ran_on("joined"))
    driver.until(lambda: driver.is_at("doomed", range(3, N_EPOCHS - 3)))
    used = set.union(*map(nodes_of, driver.epochs.values()))
    assert {name for name in used if cluster.has_server(name)} == used  # else a node that dies ends trials of others
    cluster.kill("doomed")

    assert driver.status == 0, driver.told
    assert "all nodes see the project's folder\n" in driver.told
    assert "3 nodes, 3 CPU cores, no GPU\n" in driver.told
    check(driver.storage / "s", N_TRIALS, N_EPOCHS)
    moved = [each for each in driver.epochs.values() if "doomed" in nodes_of(each) and each[-1][1] != "doomed"]
    assert len(moved) == 1
    last = max(number for number, on in moved[0] if on == "doomed")
    behind = [number for number, on in moved[0] if on != "doomed"]
    assert behind == list(range(behind[0], N_EPOCHS + 1))
    assert 1 < behind[0] <= last + 1  # on from its last checkpoint
    assert sorted(each["attempt"] for each in driver.records) == [1] * (N_TRIALS - 1) + [2]
    assert at_a_time(driver.records) > 3  # as many as there were nodes when the search began


@need_unshare
def test_a_storage_that_a_node_does_not_see_is_refused_before_anything_is_written(node, search, tmp_path):
    node("blind", hidden=tmp_path / "storage")
    driver = search()

    assert driver.status == 2
    assert driver.out.read_text().endswith(
        f"--storage: {tmp_path}/storage is not shared: 1 of 2 nodes do not see what is written there: {host()}\n"
        "  Give a folder that all nodes mount at this path (NFS, EFS, Filestore): --storage /mnt/shared/ray_results\n"
    )
    assert list((tmp_path / "storage").iterdir()) == []


@need_unshare
def test_a_project_that_a_node_does_not_see_travels_to_all_and_what_is_ignored_does_not(node, search, project):
    node("far", hidden=project)
    driver = search("--space", "s.yaml", "--trials", "4", "--trainer.max_epochs", "2")

    assert driver.status == 0, driver.told
    assert "the project travels to the nodes\n" in driver.told
    assert set.union(*map(nodes_of, driver.epochs.values())) == {"head", "far"}
    for log in (driver.storage / "s").glob("[0-9]*/log.txt"):
        text = log.read_text()
        assert "read numbers numbers in " in text
        assert f"in {project}\n" not in text
        assert "ignored is gone\n" in text


@need_unshare
def test_a_node_that_joins_and_does_not_see_the_storage_makes_the_search_wait_for_resume(node, search, tmp_path):
    driver = search("--space", "s.yaml", "--trials", "8", "--trainer.max_epochs", "8")
    driver.until(lambda: driver.ran_on("head"))
    node("blind", hidden=tmp_path / "storage")

    assert driver.status == 1
    assert re.search(
        rf"{re.escape(str(tmp_path))}/storage/s: the node \S+ does not see it\n"
        r"  What was written is whole. Mount it there, or take the node out, then: python \S*run_search.py resume s ",
        driver.out.read_text(),
    )
    assert {trial.state.name for trial in Books(driver.storage / "s").trials} <= {"COMPLETE", "WAITING"}


def test_what_no_node_can_ever_meet_is_refused_at_once_with_what_there_is(search, tmp_path):
    driver = search("--space", "s.yaml", "--cpus-per-trial", "3", "--gpus-per-trial", "1")

    assert driver.status == 2
    assert driver.out.read_text().endswith(
        "--address: a trial asks for 3 CPU cores and 1 GPU, and no node has as much "
        f"(CPU cores and GPUs: {host()} has 1 and 0)\n"
        "  Ask for less with --cpus-per-trial and --gpus-per-trial, or add a node that has it.\n"
    )
    assert list((tmp_path / "storage").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"RAY_AUTH_TOKEN": "0" * 32}, ""),
        ({"RAY_AUTH_MODE": "disabled"}, "The cluster asks for one: export RAY_AUTH_MODE=token. "),
    ],
    ids=["another's", "none"],
)
def test_a_token_that_is_not_the_cluster_s_is_told(search, cluster, given, hint):
    driver = search(environment=given.items())

    assert driver.status == 2
    assert driver.out.read_text().endswith(
        f"--address: the cluster at {cluster.address} does not take this machine's token\n"
        f"  {hint}Put the cluster's token into RAY_AUTH_TOKEN, or into the file that RAY_AUTH_TOKEN_PATH names.\n"
    )


@pytest.fixture
def through_client(search, cluster):
    """Return what runs a command through Ray Client. On a busy machine its server is given up before it has started."""

    def run(*words):
        for _ in range(3):
            driver = search(*words, address=f"ray://127.0.0.1:{cluster.client_port}")
            if driver.status == 0 or "Starting Ray client server failed" not in driver.told:
                break
        assert driver.status == 0, driver.told
        return driver

    return run


def test_a_search_through_ray_client_is_led_from_here_and_so_is_what_resumes_it(through_client):
    through_client("--space", "s.yaml", "--trials", "2", "--trainer.max_epochs", "2")
    driver = through_client("resume", "s", "--trials", "+1")
    check(driver.storage / "s", 3, 2)
    assert set.union(*map(nodes_of, driver.epochs.values())) == {"head"}


def test_the_best_is_retrained_on_the_cluster(search, cluster, tmp_path):
    assert search("--space", "s.yaml", "--trials", "2", "--trainer.max_epochs", "2").status == 0
    started = Driver(cluster, tmp_path, "retrain", "s")

    assert started.status == 0, started.told
    (log,) = (tmp_path / "storage" / "s" / "retrain").glob("*/log.txt")
    assert EPOCH.findall(log.read_text()) == [("1", "head"), ("2", "head")]


def host():
    """Return the address that Ray gives to this machine: asked elsewhere, for a Ray of other tests may run here."""
    code = "import ray._private.services as services\nprint(services.get_node_ip_address())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
