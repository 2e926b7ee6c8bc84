"""The live view, as a terminal shows it."""

import re
import time
from pathlib import Path

import pytest

from tests.projects import write_program
from tests.terminal import Terminal, python

ROOT = Path(__file__).parents[2]
COLOURS = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
SPACE = "system: scripted.py\nmetric: Score/Val\nmode: max\nconstants:\n  LR: {loguniform: [1e-4, 1e-1]}\n"

ON_GPUS = """\
ray
began 1 001,LR=0.00443,BATCH_SIZE=16
placed 1 node:1
began 2 002,LR=0.1
epoch 1 0.2
"""
EVENTS = """\
ray
began 0 000,baseline preflight
began 1 001,LR=0.00443,BATCH_SIZE=16
epoch 0 0.1
epoch 0 0.4
epoch 0 0.3
epoch 0 0.5
epoch 1 0.2
ended 0 complete
began 2 002,LR=0.1
epoch 2 0.05
ended 2 pruned
began 3 003,LR=0.02
ended 3 failed ValueError: too\x1b[31m wide (scripted.py:7)
epoch 1 0.6
epoch 1 0.75
began 4 004,LR=0.03
"""


@pytest.fixture
def view(tmp_path):
    """Return what shows these events in a terminal."""
    program = write_program(tmp_path / "project", "scripted")
    space = program.with_name("s.yaml")
    opened = []

    def show(events=EVENTS, *, metric="Score/Val", title="exp", **options):
        space.write_text(SPACE.replace("Score/Val", metric))
        words = python("-m", "tests.cli.view", space, title)
        terminal = Terminal(words, cwd=ROOT, **options)
        opened.append(terminal)
        for line in events.splitlines():
            terminal.say(line)
        return terminal

    yield show
    for terminal in opened:
        terminal.close()


def timeless(text):
    """Take out what the clock says."""
    text = re.sub(r"\b\d+:\d\d\b", "0:00", text)
    return re.sub(r", about \d+ \w+ left", ", about 5 s left", text)


def running(terminal):
    """Return the lines about what runs."""
    lines = timeless(terminal.text).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("running"))
    return [line.rstrip() for line in lines[first : first + 3]]


def test_the_view_shows_the_gpu_of_each_running_trial(view):
    terminal = view(ON_GPUS)
    terminal.wait_for(r"^001.* 0.2 ")

    assert running(terminal) == [
        "running                       GPU       epoch     time  Score/Val",
        "001,LR=0.00443,BATCH_SIZE=16    1         1/4     0:00  0.2       ▄",
        "002,LR=0.1                             starts     0:00",
    ]


def test_gpus_of_several_nodes_are_shown_with_their_node(view):
    terminal = view(f"{ON_GPUS}placed 2 other:GPU-5ebe1fc2-77\n")
    terminal.wait_for(r"^002.*other:GPU-")

    assert running(terminal)[1:] == [
        "001,LR=0.0044…              node:1         1/4     0:00  0.2       ▄",
        "002,LR=0.1      other:GPU-5ebe1fc2      starts     0:00",
    ]


def test_the_view_at_80_columns_shows_the_bar_the_best_what_runs_and_what_ended(view):
    terminal = view()
    terminal.wait_for(r"^004,LR=0.03")

    assert (
        timeless(terminal.text)
        == """\
above
exp  ━━━━━─────────────────────────  3/20 trials
0:00 so far, about 5 s left

best so far  0.75       epoch 3 of 001,LR=0.00443,BATCH_SIZE=16
hardcoded    0.5        the best is better by 0.25
trials       1 complete, 1 pruned, 1 failed, 2 running

running                            epoch     time  Score/Val
001,LR=0.00443,BATCH_SIZE=16         3/4     0:00  0.75      ▁▆█
004,LR=0.03                       starts     0:00

ended
failed     0 epochs  003  ValueError: too wide (scripted.py:7)
pruned     1 epoch   0.05       002,LR=0.1
complete   4 epochs  0.5        000,baseline

Ctrl-C: the running epochs end first; twice: at once"""
    )


@pytest.mark.parametrize("columns", [200, 80, 60, 40, 25])
def test_the_view_when_the_terminal_is_narrow_or_wide_then_keeps_to_its_lines(view, columns):
    terminal = view(columns=columns)
    shown = terminal.wait_for(r"^004,LR=0.03").split("\n")

    assert all(len(line) < columns for line in shown)
    assert sum("/20 trials" in line for line in shown) == 1
    assert shown[-1].startswith("Ctrl-C: the running")
    assert ("▁▆█" in "\n".join(shown)) == (columns >= 80)
    assert terminal.n_scrolled == 0


def test_the_view_when_the_terminal_is_resized_then_leaves_nothing_behind(view):
    terminal = view(columns=200, rows=40)
    terminal.wait_for(r"^004,LR=0.03")

    for number, (columns, rows) in enumerate([(80, 40), (50, 40), (120, 30), (65, 24), (80, 24)], start=1):
        terminal.resize(columns, rows)
        terminal.say(f"epoch 4 0.3{number}")
        shown = terminal.wait_for(rf"^004,LR=0\.03 .* 0\.3{number}").split("\n")
        assert shown[0] == "above"
        assert shown[-1].startswith("Ctrl-C: the running epochs")
        for part in ("/20 trials", "best so far", "running  ", "ended", "Ctrl-C"):
            assert "\n".join(shown).count(part) == 1


def test_what_is_printed_meanwhile_stands_above_the_view_whole(view):
    terminal = view()
    terminal.wait_for(r"^004,LR=0.03")
    terminal.say("print a warning of the search")
    terminal.say("epoch 4 0.125")
    shown = terminal.wait_for(r"0.125").split("\n")

    assert shown[:2] == ["above", "a warning of the search"]
    assert sum("/20 trials" in line for line in shown) == 1


def test_the_view_when_it_is_over_then_is_gone(view):
    terminal = view()
    terminal.wait_for(r"^004,LR=0.03")
    assert terminal.end() == 0

    assert terminal.lines == ["above", "below"]
    assert terminal.n_scrolled == 0
    assert terminal.raw.endswith(b"below\r\n")
    assert terminal.raw.rindex(b"\x1b[?25h") > terminal.raw.rindex(b"\x1b[?25l")  # the cursor is back


def test_the_view_before_the_first_trial_says_what_goes_on(view):
    terminal = view("")
    terminal.wait_for(r"so far, starting Ray$")
    terminal.say("ray")
    terminal.wait_for(r"so far, workers import torch$")
    terminal.say("began 0 000,baseline preflight")
    terminal.wait_for(r"so far, pre-flight: a batch or two of the baseline$")
    terminal.wait_for(r"^000,baseline +pre-flight +0:\d\d$")


def test_the_view_writes_out_what_a_name_would_do_to_the_terminal(view):
    terminal = view(metric=r'"\e[31mA\u202e\n\tB"', title="e\x1b[31m\u2028p", columns=120)
    shown = terminal.wait_for(r"^004,LR=0.03")

    assert shown.split("\n")[1].startswith(r"e\x1b[31m\u2028p  ")
    assert r"time  \x1b[31mA\u202e\n\tB" in shown
    assert b"\x1b[31mA" not in terminal.raw


def test_the_view_when_the_search_is_ending_says_so(view):
    terminal = view(EVENTS + "ending\n")
    terminal.wait_for("^ending: the running epochs end first, then all is saved; Ctrl-C again: at once$")
    assert "left" not in terminal.text


@pytest.mark.parametrize("columns", [80, 200])
def test_the_view_when_the_search_is_paused_says_by_whom_and_since_when(view, columns):
    terminal = view(f"{EVENTS}paused ann 1e9\n", columns=columns)
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(1e9))
    terminal.wait_for(rf"^\d+:\d\d so far, paused by ann at {at}: no trial starts$")
    assert "left" not in terminal.text
    terminal.say("resumed")
    terminal.wait_for(r"^\d+:\d\d so far, about \d+ \w+ left$")


def test_a_dumb_terminal_when_the_search_is_paused_has_a_line_for_it(view):
    terminal = view("ray\npaused ann 1e9\nresumed\n", environment={"TERM": "dumb"})
    terminal.wait_for("^paused by ann at 2001-09-0[89] .*: no trial starts$")
    terminal.wait_for("^the search goes on$")


def test_the_view_when_more_trials_run_than_there_is_room_for_then_counts_the_others(view):
    began = "".join(f"began {number} {number:03d},LR=0.{number}\n" for number in range(5, 40))
    terminal = view(EVENTS + began + "epoch 39 0.9\n", rows=20)
    shown = terminal.wait_for(r"^best so far +0.9 ").split("\n")

    n_rows = sum(bool(re.match(r"\d\d\d,", line)) for line in shown)
    assert f"and {37 - n_rows} more" in shown
    assert len(shown) <= 20
    assert terminal.n_scrolled == 0


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LANG": "POSIX"}, {"PYTHONIOENCODING": "ascii"}], ids=str)
def test_the_view_when_the_locale_is_plain_then_is_ascii(view, locale):
    terminal = view(environment=locale)
    shown = terminal.wait_for(r"^004,LR=0.03")

    assert "exp  #####.........................  3/20 trials" in timeless(shown)
    assert "0.75      _*@" in shown
    assert terminal.end() == 0
    assert terminal.raw.isascii()


def test_no_color_when_it_is_set_then_nothing_has_a_colour(view):
    coloured, plain = view(), view(environment={"NO_COLOR": "1"})
    for terminal in (coloured, plain):
        terminal.wait_for(r"^004,LR=0.03")
        assert terminal.end() == 0

    assert COLOURS.search(coloured.raw)
    assert not COLOURS.search(plain.raw)


def test_a_dumb_terminal_gets_a_line_a_trial(view):
    terminal = view(columns=120, environment={"TERM": "dumb"})
    assert terminal.end() == 0

    assert b"\x1b" not in terminal.raw
    assert terminal.lines == [
        "above",
        " 1/20 * complete   4 epochs  0.5         000,baseline",
        " 2/20   pruned     1 epoch   0.05        002,LR=0.1",
        " 3/20   failed     0 epochs  ValueError: too wide (scripted.py:7)  003,LR=0.02",
        "below",
    ]
