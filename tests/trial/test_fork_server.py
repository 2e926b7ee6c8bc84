"""Workers that are forked from a process that has imported torch: each has its own streams, environment and end."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tune.search.machines import setup_worker
from tune.search.machines.forks import fork_server

WORKER = """
import os, sys, threading, time
print(sys.argv, sys.path[0], os.getcwd(), os.environ.get("MINE"), os.environ.get("PROMOTUNE_FORK_SERVER"), flush=True)
print("torch" in sys.modules, __name__, threading.current_thread() is threading.main_thread(), flush=True)
print("said", file=sys.stderr, flush=True)
print(os.getpid(), os.getppid(), os.getpgrp(), flush=True)
if os.environ["DO"]:
    assert "torch" in sys.modules
exec(os.environ["DO"])
"""


@pytest.fixture(scope="module")
def server():
    with fork_server() as path:
        yield path


@pytest.fixture
def worker(tmp_path, server):
    """Start the script that Ray starts, for a worker of ours; what it is asked to do it does only if it was forked."""
    file = tmp_path / "default_worker.py"
    file.write_text(WORKER)
    started = []

    def start(*, do="", to=server, before=lambda: None):
        command = [sys.executable, setup_worker.__file__, str(file), "--a=b c", "--language=PYTHON"]
        environment = {**os.environ, setup_worker.SERVER: to, "MINE": "yes", "DO": do}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        started.append(
            subprocess.Popen(command, env=environment, cwd=tmp_path, text=True, preexec_fn=before, **streams)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_it_is_what_it_would_be_if_it_was_started(worker, tmp_path):
    out, error = worker().communicate(timeout=120)

    file = tmp_path / "default_worker.py"
    first, second, pids = out.splitlines()
    assert first == f"{[str(file), '--a=b c']} {tmp_path} {tmp_path} yes None"
    assert second == "True __main__ True"
    assert error == "said\n"
    pid, parent, group = pids.split()
    assert parent != str(os.getpid())
    assert group == pid  # Ray ends the whole group of a worker that is gone


def test_it_shares_nothing_with_another(worker):
    """Neither the random numbers of Ray's ids, nor its process."""
    do = "import ray; print(ray.WorkerID.from_random().hex())"
    found = [worker(do=do).communicate(timeout=120)[0].splitlines() for _ in range(2)]

    assert found[0][2] != found[1][2]
    assert found[0][-1] != found[1][-1]
    assert found[0][2].split()[1] == found[1][2].split()[1]  # the server is one


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_it_computes_with_several_threads(worker, library):
    """A process that has run threads of OpenMP's before it is forked would hang here."""
    product = "(x.ones((600, 600)) @ x.ones((600, 600))).sum().item()"
    do = f"import {library} as x, torch; torch.set_num_threads(2); print({product})"

    assert worker(do=do).communicate(timeout=120)[0].split()[-1] == str(600.0**3)


@pytest.mark.parametrize(
    ("do", "status"),
    [
        ("sys.exit(3)", 3),
        ("sys.stderr.close(); raise ValueError", 1),
        ("os._exit(7)", 7),
        ("os.kill(os.getpid(), 9)", 128 + 9),
    ],
)
def test_its_end_is_that_of_the_process_that_waits_for_it(worker, do, status):
    process = worker(do=do)

    process.communicate(timeout=120)
    assert process.returncode == status


def test_who_ends_the_process_that_waits_ends_the_worker(worker):
    process = worker(do="time.sleep(600)")
    pid = int([process.stdout.readline() for _ in range(3)][-1].split()[0])
    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == 128 + signal.SIGTERM
    assert not psutil.pid_exists(pid)


def test_several_run_at_a_time(worker):
    processes = [worker(do="time.sleep(1.5)") for _ in range(4)]
    began = time.monotonic()

    assert [process.wait(60) for process in processes] == [0] * 4
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("to", ["/nowhere", ""])
def test_without_a_server_it_is_started(worker, to):
    process = worker(to=to)
    out, _ = process.communicate(timeout=120)

    assert process.returncode == 0
    assert out.splitlines()[1] == "False __main__ True"
    assert out.splitlines()[2].split()[:2] == [str(process.pid), str(os.getpid())]


@pytest.mark.parametrize("text", [b"", b"{}\n", b"3\n", b"nonsense\n", b'{"arguments": 1}\n', b"x" * 2**21])
def test_who_says_nonsense_costs_the_server_nothing(worker, server, text):
    before = worker().communicate(timeout=120)[0].splitlines()[2].split()[1]
    with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        line.connect(server)
        line.sendall(text)
    after = worker(do="print()").communicate(timeout=60)[0].splitlines()[2].split()[1]

    assert before == after


def test_it_stands_as_its_porter_does(worker):
    def stand():
        os.nice(3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, 600))
        Path("/proc/self/oom_score_adj").write_text("900")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    do = "import resource, signal; print(os.getpriority(0, 0), resource.getrlimit(resource.RLIMIT_NOFILE)); "
    do += "print(open('/proc/self/oom_score_adj').read().strip(), signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    out, _ = worker(do=do, before=stand).communicate(timeout=120)

    assert out.splitlines()[-2:] == ["3 (512, 600)", f"900 { {signal.SIGINT} }"]


def test_it_ends_with_its_porter(worker):
    process = worker(do="time.sleep(600)")
    pid = int([process.stdout.readline() for _ in range(3)][-1].split()[0])
    process.kill()

    assert gone(pid)


def test_who_stops_while_it_asks_keeps_nobody_waiting_for_long(worker, server):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(server)
        assert worker(do="print()").wait(60) == 0


def test_without_room_for_a_socket_there_is_no_server(monkeypatch, tmp_path):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    with fork_server() as path:
        assert path is None


def gone(pid):
    """Tell whether a process ends in time."""
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not psutil.pid_exists(pid)


DRIVER = """
import sys, time
from tune.search.machines.forks import fork_server
with fork_server() as path:
    print(path, flush=True)
    time.sleep(600)
"""


def test_it_ends_with_its_driver_however_that_ends(worker):
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    path = driver.stdout.readline().strip()
    assert worker(to=path, do="print()").wait(120) == 0  # it serves
    (server,) = psutil.Process(driver.pid).children()
    driver.kill()
    driver.communicate()

    assert psutil.wait_procs([server], timeout=20)[1] == []


def test_it_leaves_neither_a_process_nor_a_file():
    others = psutil.Process().children()
    with fork_server() as path:
        (server,) = set(psutil.Process().children()).difference(others)
        assert Path(path).parent.is_dir()

    assert not Path(path).parent.exists()
    assert not server.is_running()
