"""A broken package of the environment ends a search with its name and place, and only if the program needs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import write_program
from tune.errors import StartError

ROOT = Path(__file__).parents[2]
SPACE = "system: scripted.py\nmetric: Score/Val\nmode: max\nconstants: {LR: {loguniform: [1e-4, 1e-1]}}\ntrials: 1\n"
EXITS, CRASHES = "import os\nos._exit(4)\n", "import ctypes\nctypes.string_at(0)\n"
RAISES = "\nraise RuntimeError('operator torchvision::nms does not exist')\n"


@pytest.fixture
def run(tmp_path):
    """Return what runs a search with packages in the environment, and a line in front of the program."""

    def run(line, packages):
        site = tmp_path / "site-packages"
        for name, source in packages.items():
            (site / name).mkdir(parents=True)
            (site / name / "__init__.py").write_text(source)
            (site / f"{name}-0.20.0.dist-info").mkdir()
            (site / f"{name}-0.20.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
        program = write_program(tmp_path / "project", "scripted")
        program.write_text(f"{line}\n{program.read_text()}")
        (program.parent / "s.yaml").write_text(SPACE)
        words = [
            sys.executable,
            ROOT / "run_search.py",
            "--space",
            "s.yaml",
            "--storage",
            tmp_path / "storage",
            "--quiet",
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}
        done = subprocess.run(words, cwd=program.parent, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            RAISES,
            "RuntimeError: operator torchvision::nms does not exist ({place}). The package may be made for another",
        ),
        (EXITS, "the program called os._exit(4)\n"),
        (CRASHES, "Segmentation fault\n"),
    ],
    ids=["raises", "exits", "crashes"],
)
def test_a_package_that_lightning_itself_imports_is_named(source, said, run, tmp_path):
    status, text = run("", {"torchvision": source})

    place = f"{tmp_path}/site-packages/torchvision/__init__.py:2"
    assert status == 1
    assert "no process for a trial: torch and Lightning cannot be imported: " + said.format(place=place) in text
    assert place in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "how"),
    [(EXITS, "the program called os._exit(4)"), (CRASHES, "Segmentation fault")],
    ids=["exits", "crashes"],
)
def test_a_package_that_ends_the_process_is_named_with_the_import(source, how, run, tmp_path):
    status, text = run("import broken", {"broken": source})

    assert status == 1
    assert text.startswith(
        f"scripted.py:1: the worker died in the pre-flight: {how}\n"
        f"  It died in {tmp_path}/site-packages/broken/__init__.py:2.\n  All that the program printed: "
    )


@pytest.mark.slow
@pytest.mark.parametrize("source", [EXITS, CRASHES, RAISES], ids=["exits", "crashes", "raises"])
def test_a_package_that_a_template_alone_imports_breaks_no_search(source, run, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "plots.py").write_text("import broken\n")

    assert run("def plot(): import plots", {"broken": source}) == (0, "")


@pytest.mark.parametrize(
    ("load", "hint"),
    [
        (0.5, " If it fails again, `ray start --head` may say more; `ray stop` ends what that starts."),
        (1000.0, " This machine is busy (load average 1000 on 2 cores): wait until it is less so."),
    ],
)
def test_a_ray_that_does_not_start_on_a_busy_machine_is_told_as_such(load, hint, monkeypatch, tmp_path):
    from tune.cluster import local_ray

    tried = []

    def fail(**arguments):
        tried.append(arguments)
        logs = tmp_path / "session_latest" / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        (logs / "gcs_server.out").write_text("started\nno port is free\n\n")
        raise RuntimeError("The current node timed out during startup.\nmore")

    monkeypatch.setattr(local_ray.ray, "init", fail)
    monkeypatch.setattr(local_ray.os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(local_ray, "count_cores", lambda: 2)

    with pytest.raises(StartError) as caught:
        local_ray._init_ray(_temp_dir=str(tmp_path))

    assert str(caught.value) == (
        "Ray could not be started, in two tries: RuntimeError: The current node timed out during startup.\n"
        f"  Nothing was searched. Give the same command again.{hint}\n"
        "  The last lines of Ray's logs:\n    gcs_server.out: no port is free"
    )
    assert len(tried) == 2


FAILS_ONCE = """
import time
import ray
from tune.cluster import ray_health
from tune.cluster.backend import local_cluster
from tune.cluster.resources import plan_resources
from tune.space.settings import Settings
from ray._private.node import Node

known, first = Node.start_raylet, []

def fail_once(node, *arguments, **how):
    known(node, *arguments, **how)
    if not first:
        first.extend(ray_health._started.values())
        {failure}

Node.start_raylet = fail_once
with local_cluster(plan_resources(Settings(), None)):
    print("answer:", ray.get(ray.remote(lambda: 42).remote()))
    print("of the first:", [process.poll() for process in first])
    time.sleep(2 * ray_health.RETRY_S)
    print("lost:", ray_health.is_lost())
"""


FAILURES = {
    "Ray raises": 'raise RuntimeError("The current node timed out during startup.")',
    "the raylet dies": 'ray_health._started["raylet"].kill()',
}


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_ray_that_fails_to_start_once_is_started_again_and_nothing_of_the_first_one_runs(failure):
    program = FAILS_ONCE.replace("{failure}", failure)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)

    assert ran.stdout == "answer: 42\nof the first: [-9, -9]\nlost: False\n", ran.stderr
