"""Keys while a search is drawn: what they ask and send, and that the terminal is as it was after every end."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time

import psutil
import pytest

from tests.steered import SteeredSearch
from tune.cli.terminal.keyboard import ASKED_S, KEYS, KeyCommands
from tune.experiment.lock import lock_experiment
from tune.experiment.requests import ANSWER_S, RequestFolder


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def search(tmp_path):
    found = SteeredSearch(tmp_path / "project")
    found.run_baseline()
    return found


@pytest.fixture
def sent(search, monkeypatch):
    """Return what keys ask of the driver, which takes all of it."""
    from tune.cli.terminal import keyboard
    from tune.experiment.requests import RequestAnswer

    asked = []

    def ask(paths, *words, **more):
        asked.append((*words, *more.items()))
        return RequestAnswer(taken=True, what="done")

    monkeypatch.setattr(keyboard, "stop_trials", ask)
    monkeypatch.setattr(keyboard, "ask_running", ask)
    return asked


@pytest.fixture
def commands(search, sent):
    clock = Clock()
    found = KeyCommands(search.paths, clock=clock)
    found.clock = clock
    return found


def press(commands, *typed):
    for each in typed:
        commands.press_keys(each)


def test_a_trial_is_stopped_by_its_number_and_enter(commands, sent):
    press(commands, "s", "1", "2")
    assert commands.line == "stop which trial after its epoch? number and Enter; Esc: none: 12"
    assert sent == []
    press(commands, "\x7f", "3", "\n")

    assert sent == [([13], ("why", "a key"))]
    assert commands.line == "done"
    commands.clock.now += 60
    assert commands.line == KEYS


def test_the_search_ends_after_the_running_trials_once_that_is_confirmed(commands, sent):
    press(commands, "e", "n", "e", "\n", "e", "yy", "e", "\x1b")
    assert sent == []
    press(commands, "e", "y")
    assert sent == [(("finish", True),)]


def test_more_trials_are_asked_for(commands, sent):
    press(commands, "+", "2", "0", "\r")
    assert sent == [("set", {"trials": "+20"})]


@pytest.mark.parametrize(
    "typed",
    [
        ["x", "y", "1", "\n", " ", "S", "E"],
        ["s", "\n"],
        ["s", "1", "\x1b", "\n"],
        ["s", "1", "q", "\n"],
        ["\x1b[A", "\x1b[15~"],
        ["se+", "text that was pasted: stop, end, y\n"],
        ["e", "text"],
        ["s", "text\n"],
    ],
)
def test_nothing_is_done_by_accident(commands, sent, typed):
    press(commands, *typed)
    assert sent == []


def test_a_question_that_nobody_answers_is_a_no(commands, sent):
    press(commands, "e")
    commands.clock.now += ASKED_S
    assert commands.line == KEYS
    press(commands, "y")
    assert sent == []


def test_a_refusal_is_shown(search):
    commands = KeyCommands(search.paths)
    press(commands, "s", "1", "\n")
    assert commands.line.startswith("refused: ")
    assert commands.line.endswith("no search runs here")


SCRIPT = '"$@"; echo "ended: $?"; sleep 1000'
JOBS = 'set -m; "$@"; echo "stopped: $?"; read -r _; fg; echo "ended: $?"; sleep 1000'
"""With job control: Ctrl-Z stops no process whose group no shell of its session watches."""


class Shell:
    """A process in a terminal that it shares with the shell that started it, as anywhere."""

    def __init__(self, words, environment=None, script=SCRIPT):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**os.environ, "TERM": "xterm", **(environment or {})},
            preexec_fn=self._take_terminal,
        )
        os.set_blocking(self.master, False)
        self.told = ""

    def _take_terminal(self):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self):
        try:
            self.told += os.read(self.master, 65536).decode(errors="replace")
        except (BlockingIOError, OSError):
            time.sleep(0.02)

    def wait_for(self, pattern, patience_s=60):
        until = time.monotonic() + patience_s
        while not re.search(pattern, self.told):
            self.read()
            assert time.monotonic() < until, self.told
        self.told = ""

    @property
    def view(self):
        """The process that the shell waits for."""
        return psutil.Process(self.process.pid).children()[0]

    def type(self, text):
        os.write(self.master, text.encode())

    @property
    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def wait_until_restored(self, patience_s=10):
        until = time.monotonic() + patience_s
        while not self.is_restored:
            self.read()
            assert time.monotonic() < until, "the terminal is not as it was"

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def shell(search):
    """Return a terminal with a live view of the experiment, whose driver is the test."""
    made = []

    def start(*words, **more):
        made.append(Shell([sys.executable, "-m", "tests.cli.key_view", str(search.paths.folder), *words], **more))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_a_key_reaches_the_driver_and_the_terminal_is_restored_at_the_end(search, shell):
    with lock_experiment(search.paths):
        view = shell()
        view.wait_for("keys: s: stop a trial")
        assert not view.is_restored
        view.type("e")
        view.wait_for("end after the running ones[?] y: yes")
        view.type("y")
        folder = RequestFolder(search.paths)
        until = time.monotonic() + 30
        while not folder.list_requests():
            assert time.monotonic() < until
            view.read()
        search.poll()
        view.wait_for("no further trial begins")
        view.view.send_signal(signal.SIGUSR2)
        view.wait_for("ended: 0")
    assert view.is_restored
    assert search.controller.controls.is_finishing


def test_a_key_that_nobody_answers_does_not_hold_up_the_end(search, shell):
    with lock_experiment(search.paths):
        view = shell()
        view.wait_for("keys: s: stop a trial")
        view.type("e")
        view.wait_for("end after the running ones[?] y: yes")
        view.type("y")
        view.wait_for("asked")
        view.view.send_signal(signal.SIGUSR2)
        view.wait_for("ended: 0", patience_s=ANSWER_S / 2)
    assert view.is_restored


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV])
def test_the_terminal_is_restored_however_the_process_ends(shell, number):
    view = shell()
    view.wait_for("keys: s: stop a trial")
    assert not view.is_restored
    view.view.send_signal(number)
    view.wait_for(r"ended: \d+")

    view.wait_until_restored()


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(shell):
    view = shell(script=JOBS)
    view.wait_for("keys: s: stop a trial")
    view.type("\x1a")
    view.wait_for(r"stopped: \d+")
    assert view.is_restored
    view.type("\n")
    until = time.monotonic() + 10
    while view.is_restored:
        view.read()
        assert time.monotonic() < until
    view.view.send_signal(signal.SIGUSR2)
    view.wait_for("ended: 0")
    assert view.is_restored


def test_no_key_is_read_where_standard_input_is_not_the_terminal(search, tmp_path):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.key_view", str(search.paths.folder)],
        stdin=slave,  # of another session: not this process's own
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    before = termios.tcgetattr(slave)
    told = b""
    until = time.monotonic() + 60
    os.set_blocking(master, False)
    while b"Ctrl-C: the running" not in told and time.monotonic() < until:
        try:
            told += os.read(master, 65536)
        except BlockingIOError:
            time.sleep(0.02)
    assert termios.tcgetattr(slave) == before
    assert b"keys:" not in told
    process.kill()
    process.wait()
    os.close(master)
    os.close(slave)
