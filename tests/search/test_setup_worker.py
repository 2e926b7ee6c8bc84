"""A worker of Ray's starts without importing Ray twice, and with all that Ray would set up for it."""

import json
import subprocess
import sys

import pytest

from tune.search.machines.setup_worker import command_of

WORKER = ["/ray/workers/default_worker.py", "--node-ip-address=127.0.0.1", "--raylet-name=/tmp/raylet"]
NOTHING = {
    "command_prefix": [],
    "env_vars": {},
    "py_executable": sys.executable,
    "override_worker_entrypoint": None,
    "java_jars": [],
}
SETS_UP = {
    "variables made of others": {"env_vars": {"A": "1", "B": "${A}:x"}},
    "another Python": {"py_executable": "/usr/bin/python9"},
    "a command before": {"command_prefix": ["nice"]},
    "another file": {"override_worker_entrypoint": "/w.py"},
    "what later versions know": {"more": ["x"]},
}
WORKS = """
import os
import ray
from pathlib import Path
from tune.search.machines.cluster import local_cluster
from tune.search.machines.resources import plan_resources
from tune.space.settings import Settings


@ray.remote
def seen():
    import sys
    was_forked = "tune.trial.fork_server" in sys.modules
    return os.environ.get("SET_UP"), os.environ.get("PL_DISABLE_FORK"), was_forked, Path(sys.argv[0]).name, sys.path[0]


with local_cluster(plan_resources(Settings(), None)):
    print(*ray.get(seen.remote()), sep="|")
    for variables in ({"SET_UP": "yes"}, {"A": "y", "SET_UP": "${A}es"}, {"PL_DISABLE_FORK": "1"}):
        print(*ray.get(seen.options(runtime_env={"env_vars": variables}).remote()), sep="|")
"""


ALONE = """
import os
import sys
import ray
from tune.search.machines.cluster import local_cluster
from tune.search.machines.resources import plan_resources
from tune.space.settings import Settings


@ray.remote(num_cpus=0, runtime_env={"env_vars": {"PL_DISABLE_FORK": "1"}})
class Trial:
    def pids(self):
        assert "tune.trial.fork_server" in sys.modules
        return os.getpid(), os.getppid()

    def end(self):
        os.kill(os.getpid(), 9)


with local_cluster(plan_resources(Settings(), None)):
    one, other = Trial.remote(), Trial.remote()
    (_, server), before = ray.get([one.pids.remote(), other.pids.remote()])
    try:
        ended = ray.get(one.end.remote())
    except ray.exceptions.RayActorError:
        ended = True
    ray.get(Trial.remote().pids.remote())  # by then Ray has done with the first what it does
    untouched = ray.get(other.pids.remote()) == before
    print("said:", ended, server == before[1], untouched, os.path.exists(f"/proc/{server}"))
"""


def context(**changes):
    return f"--serialized-runtime-env-context={json.dumps({**NOTHING, **changes})}"


@pytest.mark.parametrize("given", [[], [context()], ["--serialized-runtime-env-context={}"]])
@pytest.mark.parametrize("flags", [[], ["-s", "-S"]])
def test_where_nothing_is_set_up_the_worker_is_all_that_runs(given, flags):
    arguments = [*flags, *WORKER, *given, "--language=PYTHON", "--startup-token=1"]

    assert command_of(arguments) == ([sys.executable, *flags, *WORKER, "--startup-token=1"], {})


def test_variables_are_set_here():
    command, variables = command_of([*WORKER, context(env_vars={"A": "1"}), "--language=PYTHON"])

    assert (command, variables) == ([sys.executable, *WORKER], {"A": "1"})


@pytest.mark.parametrize("changes", SETS_UP.values(), ids=SETS_UP)
def test_where_something_is_set_up_it_is_left_to_ray(changes):
    arguments = ["-s", *WORKER, context(**changes), "--language=PYTHON"]

    assert command_of(arguments) == ([sys.executable, "/ray/workers/setup_worker.py", *arguments], None)


@pytest.mark.parametrize("language", [[], ["--language=JAVA"], ["--language=PYTHON", "--language=CPP"]])
def test_what_is_no_python_is_left_to_ray(language):
    arguments = [*WORKER, *language]

    assert command_of(arguments) == ([sys.executable, "/ray/workers/setup_worker.py", *arguments], None)


def test_all_kinds_of_workers_work():
    ran = subprocess.run([sys.executable, "-c", WORKS], capture_output=True, text=True, timeout=300, check=False)

    assert ran.returncode == 0, ran.stderr
    plain, set_up, made, trial = (line.split("|") for line in ran.stdout.splitlines())
    assert plain[:3] == ["None", "None", "False"]  # where there is no runtime environment, Ray leaves the script out
    assert set_up[:3] == ["yes", "None", "False"]
    assert made[:3] == ["yes", "None", "False"]
    assert trial[:3] == ["None", "1", "True"]
    assert plain[3:] == set_up[3:] == made[3:] == trial[3:]
    assert plain[3] == "default_worker.py"


def test_a_worker_that_dies_takes_neither_the_others_along_nor_who_forked_them():
    ran = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=300, check=False)

    assert "said: True True True True" in ran.stdout, ran.stderr
