"""`dashboards` as a process of its own: both answer, follow the ledger, write nothing and end with it."""

import contextlib
import gc
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import psutil
import pytest
from torch.utils.tensorboard import SummaryWriter

from tests.recorded import Recorded
from tune.cli import main
from tune.cli.commands import dashboards as command
from tune.gc_control import collector_paused_for_long
from tune.results import dashboards as servers

ROOT = Path(__file__).parents[2]
WAIT_S = 120
SPACE = """
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
sampler: random
"""


CARDS = """
  const cards = [...document.querySelectorAll("scalar-card")].map((each) => each.innerText.replace(/\\s/g, ""));
  return cards.length >= 3 && cards.every(Boolean) && cards;
"""
"""The texts of TensorBoard's cards, in their order, once there are two and a pinned one."""


def wait_for(what):
    give_up = time.monotonic() + WAIT_S
    while not (found := what()):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    return found


def asked(address, method="GET", headers=None):
    """Return status and text of an answer."""
    request = urllib.request.Request(address, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def recorded(tmp_path):
    experiment = Recorded(tmp_path, SPACE)
    experiment.trial([0.1, 0.2])
    return experiment


@contextlib.contextmanager
def start_dashboards(experiment, out):
    """Start them on an experiment; give the process and the addresses by their names."""
    with out.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, ROOT / "run_search.py", "dashboards", str(experiment)],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: process.poll() is not None or "Ctrl-C" in out.read_text())
        lines = [line.split() for line in out.read_text().splitlines()]
        assert [line[0] for line in lines] == ["TensorBoard", "optuna-dashboard", "Ctrl-C"], lines
        yield process, {name: address for name, address, *_ in lines[:2]}
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.fixture
def dashboards(recorded, tmp_path):
    """Start them on a search whose ledger is still written."""
    with start_dashboards(recorded.paths.folder, tmp_path / "out.txt") as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Start them for all tests that only ask; give the addresses by their names, and the file of what was printed."""
    folder = tmp_path_factory.mktemp("dashboards")
    experiment = Recorded(folder, SPACE)
    experiment.trial([0.1, 0.2])
    with start_dashboards(experiment.paths.folder, folder / "out.txt") as (_, addresses):
        yield addresses, folder / "out.txt"


def test_dashboards_when_a_search_goes_on_then_show_it_write_nothing_and_leave_nothing(recorded, dashboards):
    process, addresses = dashboards
    study = addresses["optuna-dashboard"].replace("/dashboard/", "/api/")
    assert study.endswith("/api/studies/0")
    assert json.loads(asked(f"{addresses['TensorBoard']}data/runs")[1]) == []  # no event file was written here

    recorded.trial([0.3])  # the one writer goes on meanwhile
    wait_for(lambda: len(json.loads(asked(study)[1])["trials"]) == 2)
    assert '<div id="dashboard">' in asked(addresses["optuna-dashboard"])[1]

    journal = recorded.paths.journal.read_bytes()
    for method in ("DELETE", "PUT", "POST"):
        refusal = "This dashboard is read-only: the search alone writes its ledger."
        assert asked(study, method) == (403, json.dumps({"reason": refusal}))
    assert recorded.paths.journal.read_bytes() == journal
    assert {entry.name for entry in recorded.paths.folder.iterdir() if "lock" in entry.name} == set()

    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(WAIT_S) == 0
    wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family))


def test_tensorboard_when_its_page_is_opened_then_the_searched_metric_is_pinned(shared):
    addresses, _ = shared
    with urllib.request.urlopen(addresses["TensorBoard"], timeout=WAIT_S) as answer:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.url).query)

    assert json.loads(query["pinnedCards"][0]) == [{"plugin": "scalars", "tag": "Score/Val"}]


@pytest.mark.browser
def test_tensorboard_when_it_is_looked_at_then_the_searched_metric_comes_first(recorded, dashboards, browser):
    _, addresses = dashboards
    with SummaryWriter(str(recorded.paths.folder / "000,baseline")) as writer:
        for tag in ("Accuracy", "Score/Val"):
            writer.add_scalar(tag, 0.5, 1)
    wait_for(lambda: json.loads(asked(f"{addresses['TensorBoard']}data/runs")[1]))
    browser.look(width=1600)
    browser.open(addresses["TensorBoard"])
    cards = browser.wait(CARDS)

    assert cards[0].startswith("Score/Val")


def test_dashboards_when_asked_by_a_name_that_is_not_this_machines_then_refuse(shared):
    addresses, _ = shared
    for address in addresses.values():
        port = address.split(":")[2].split("/")[0]
        for host, status in ((f"127.0.0.1:{port}", 200), (f"localhost:{port}", 200), ("localhost", 200)):
            assert asked(address, headers={"Host": host})[0] == status
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
            assert asked(address, headers={"Host": host})[0] == 403


def test_dashboards_when_asked_for_a_path_of_control_characters_then_print_none(shared):
    addresses, out = shared
    for address in addresses.values():
        origin = address.partition("dashboard")[0]
        assert asked(f"{origin}%1b%5b2J%0d%07")[0] in (403, 404)

    said = out.read_text()
    assert [letter for letter in said if letter < " " and letter != "\n"] == []
    assert "2J" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_dashboards_when_they_are_killed_then_leave_no_process(number, dashboards):
    process, _ = dashboards
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)

    assert process.wait(WAIT_S) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family))


def test_dashboards_when_the_collector_is_paused_then_let_it_work_while_they_serve(recorded, monkeypatch):
    seen = []

    class Told:
        def wait(self):
            seen.append(gc.isenabled())

    monkeypatch.setattr(command, "_event_on_signal", lambda: contextlib.nullcontext(Told()))
    for name in ("serve_tensorboard", "serve_optuna_dashboard"):
        monkeypatch.setattr(servers, name, lambda *_: contextlib.nullcontext("an address"))
    with collector_paused_for_long():
        assert main(["dashboards", str(recorded.paths.folder)]) == 0

    assert seen == [True]


def test_dashboards_when_there_is_no_such_experiment_then_say_so(recorded, capfd):
    storage = recorded.paths.folder.parent

    assert main(["dashboards", "ex", "--storage", str(storage)]) == 2
    assert capfd.readouterr().err == f"{storage}: no experiment 'ex'\n  Did you mean 'exp'?\n"
