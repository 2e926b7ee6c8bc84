"""What listens while a search runs, on which addresses, and who is let in."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.projects import write_program
from tune.internals.ray_internals import own_token

ROOT = Path(__file__).parents[2]
SPACE = """
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 2
concurrency: 2
trainer: {max_epochs: 500}
"""
DASHBOARD_AT_ONCE = """
import sys
import tune.cluster.local_ray
from tune.cli import program
sys.modules["tune.cluster.ray_dashboard"].HEAD_START_S = 0
program()
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A search that runs, as a process of its own with a home of its own."""
    folder = tmp_path_factory.mktemp("doors")
    program = write_program(folder / "project", "paced")
    program.with_name("s.yaml").write_text(SPACE)
    environment = {**os.environ, "HOME": str(folder)}
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        environment.pop(name, None)
    with (folder / "out.txt").open("w") as out:
        words = [sys.executable, "-c", DASHBOARD_AT_ONCE, "--space", "s.yaml", "--storage", str(folder / "storage")]
        process = subprocess.Popen(words, cwd=program.parent, env=environment, stdout=out, stderr=out)
    try:
        while len(training(folder)) < 2 or "Ray dashboard" not in (folder / "out.txt").read_text():
            assert process.poll() is None, (folder / "out.txt").read_text()
            time.sleep(0.2)
        yield process, folder
    finally:
        process.terminate()
        process.wait()


def training(folder):
    """Return the names of the versions that train."""
    records = [json.loads(file.read_text()) for file in folder.glob("storage/s/*/trial.json")]
    return {record["version"] for record in records if record["stage"] == "running" and record["curve"]}


def listening(process):
    """Return what the process and its children listen on, by name: (name, address, port)."""
    family = {process.pid, *(each.pid for each in psutil.Process(process.pid).children(recursive=True))}
    lines = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = []
    for line in lines:
        owner = re.search(r'"([^"]+)",pid=(\d+)', line)
        if owner and int(owner[2]) in family:
            address, _, port = line.split()[3].rpartition(":")
            found.append((owner[1], address.removeprefix("[::ffff:").strip("[]"), port))
    return found


@pytest.mark.skipif(not Path("/usr/bin/ss").exists() and not Path("/bin/ss").exists(), reason="there is no ss here")
def test_nothing_listens_beyond_the_loopback_address(driver):
    process, _ = driver
    found = listening(process)

    assert {"raylet", "gcs_server"} <= {name for name, _, _ in found}
    assert [each for each in found if each[1] != "127.0.0.1"] == []


def asked(folder, token):
    """Return what the dashboard answers to the question for the actors."""
    address = re.search(r"Ray dashboard +(http\S+)", (folder / "out.txt").read_text())[1]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{address}/logical/actors", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def test_the_dashboard_asks_for_the_token_and_names_the_running_trials(driver):
    _, folder = driver
    file = folder / ".ray" / "auth_token"

    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert asked(folder, None) == (401, None)
    assert asked(folder, "0" * 64)[0] == 403
    status, answer = asked(folder, file.read_text())
    assert status == 200
    alive = {each["reprName"] for each in answer["data"]["actors"].values() if each["state"] == "ALIVE"}
    assert training(folder) <= alive
    assert len(training(folder)) == 2


def without_token(monkeypatch):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_the_token_is_its_owners_alone_from_its_making(tmp_path, monkeypatch, umask):
    monkeypatch.setenv("HOME", str(tmp_path))
    without_token(monkeypatch)
    before = os.umask(umask)
    try:
        with own_token(str(tmp_path / "of the driver")):
            pass
    finally:
        os.umask(before)
    file = tmp_path / ".ray" / "auth_token"
    token = file.read_text()
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert [each.name for each in file.parent.iterdir()] == ["auth_token"]

    file.chmod(0o644)
    with own_token(str(tmp_path / "of the driver")):
        assert "RAY_AUTH_TOKEN_PATH" not in os.environ
    assert (file.read_text(), oct(file.stat().st_mode & 0o777)) == (token, "0o600")


HOMES = {  # where no token can be written, whoever asks
    "a file": lambda folder: (folder / "home").write_text(""),
    "one whose .ray is a file": lambda folder: [(folder / "home").mkdir(), (folder / "home" / ".ray").write_text("")],
    "one with a folder for a token": lambda folder: (folder / "home" / ".ray" / "auth_token" / "x").mkdir(parents=True),
}


@pytest.mark.parametrize("home", HOMES)
def test_where_the_home_folder_takes_no_token_the_drivers_folder_has_it(tmp_path, monkeypatch, home):
    HOMES[home](tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    check_token_of_driver(tmp_path, monkeypatch)


def test_where_nobody_knows_of_a_home_folder_the_drivers_folder_has_the_token(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # as in a container for a user of any number
    check_token_of_driver(tmp_path, monkeypatch)


def check_token_of_driver(folder, monkeypatch):
    without_token(monkeypatch)
    tokens = []
    for name in ("first", "second"):
        (folder / name).mkdir()
        with own_token(str(folder / name)):
            file = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
            assert file.parent == folder / name
            assert oct(file.stat().st_mode & 0o777) == "0o600"
            tokens.append(file.read_text())
        assert "RAY_AUTH_TOKEN_PATH" not in os.environ

    assert re.fullmatch("[0-9a-f]{64}", tokens[0])
    assert tokens[1] == tokens[0]  # Ray reads it once in a process
