"""One driver writes an experiment at a URL."""

import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from tune.errors import ExperimentError
from tune.storage import lease
from tune.storage.lease import LAPSE_S, NAME, Lease, LeaseHolder


@pytest.fixture
def take(remote):
    taken = []

    def run(on_lost=lambda holder: None):
        taken.append(Lease(remote, on_lost))
        return taken[-1]

    yield run
    for each in taken:
        each.release()


def write(remote, **changes):
    holder = {"id": "theirs", "host": "elsewhere", "pid": 7, "time": time.time()}
    remote.write_file(NAME, LeaseHolder(**{**holder, **changes}).encode())


def test_a_second_driver_is_refused_until_the_first_lets_go(take, remote):
    first = take()
    with pytest.raises(ExperimentError) as raised:
        take()
    pid = json.loads(remote.read_file(NAME))["pid"]
    assert str(raised.value) == (
        f"{remote.url}: this search is running (process {pid} on {socket.gethostname()})\n"
        "  Wait for it, or end it with Ctrl-C; after a crash the lock expires within 90 s."
    )

    first.release()
    assert remote.read_file(NAME) is None
    assert take().is_valid


def test_a_lease_that_was_not_renewed_is_taken_over(take, remote):
    write(remote, time=time.time() - LAPSE_S)

    assert take().is_valid


def test_a_lease_of_a_time_to_come_is_taken_over(take, remote):
    """The clock of the driver that died was wrong; its lease would hold until that time."""
    write(remote, time=time.time() + 10 * LAPSE_S)

    assert take().is_valid


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_driver_whose_clock_was_set_keeps_a_lease_that_it_renews(take, remote, monkeypatch, hours):
    monkeypatch.setattr(lease, "WATCH_S", 2.0)
    write(remote, time=time.time() + 3600 * hours)
    later = threading.Timer(0.5, write, (remote,), {"time": time.time() + 3600 * hours + 1})
    later.start()
    with pytest.raises(ExperimentError, match=r"this search is running \(process 7 on elsewhere\)"):
        take()
    later.join()


@pytest.mark.parametrize(
    "junk", [{"time": "soon"}, {"time": float("nan")}, {"pid": 2**70, "host": socket.gethostname()}, {"host": ["x"]}]
)
def test_a_lease_that_no_driver_wrote_is_taken_over(take, remote, junk):
    write(remote, **junk)

    assert take().is_valid


def test_a_driver_that_died_on_this_machine_does_not_have_to_be_waited_for(take, remote):
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    write(remote, host=socket.gethostname(), pid=died.pid)

    assert take().is_valid


def test_a_driver_whose_lease_was_taken_over_hears_of_it_and_leaves_it(take, remote, monkeypatch):
    lost = []
    monkeypatch.setattr(lease, "RENEW_S", 0.05)
    ours = take(lost.append)
    write(remote)
    ours._thread.join(timeout=60)

    assert ours.lost
    assert not ours.is_valid
    assert [holder.pid for holder in lost] == [7]
    ours.release()
    assert json.loads(remote.read_file(NAME))["id"] == "theirs"


def test_without_the_network_a_lease_is_sure_for_a_while_only(take, reach, monkeypatch):
    ours = take()
    reach.stop()
    try:
        assert ours.is_valid
        monkeypatch.setattr(lease, "LAPSE_S", 0.0)
        assert not ours.is_valid
    finally:
        reach.start()
    monkeypatch.undo()
    assert not ours.lost
