"""A process is put back as it was when a trial ends."""

import atexit
import gc
import logging
import multiprocessing
import signal
import socket
import sys

import pytest

from tune.trial.isolation import isolated

CHANGES = {
    "a signal's handler": (
        lambda: signal.signal(signal.SIGUSR1, lambda *_: None),
        lambda: signal.getsignal(signal.SIGUSR1),
    ),
    "the start method": (
        lambda: multiprocessing.set_start_method("spawn", force=True),
        lambda: multiprocessing.get_start_method(allow_none=True),
    ),
    "the collector": (gc.disable, gc.isenabled),
    "what is logged": (lambda: logging.disable(logging.CRITICAL), lambda: logging.root.manager.disable),
    "the time-out of sockets": (lambda: socket.setdefaulttimeout(3), socket.getdefaulttimeout),
    "the hook of exceptions": (lambda: setattr(sys, "excepthook", print), lambda: sys.excepthook),
    "who is told of the end": (lambda: setattr(atexit, "register", print), lambda: atexit.register),
}


@pytest.mark.parametrize(("change", "look"), CHANGES.values(), ids=CHANGES)
def test_what_a_trial_changes_is_put_back(tmp_path, change, look):
    before = look()
    with isolated(tmp_path, 1):
        change()
        assert look() != before

    assert look() == before


EXITS = """
import atexit

def last(text): print("at exit:", text)
def never(): print("at exit: never")
def breaks(): raise ValueError("at exit: broken")

atexit.register(last, text="first")
atexit.register(breaks)
atexit.register(last, "second")
atexit.register(never)
atexit.unregister(never)
"""


def test_what_a_program_registers_for_its_end_is_called_at_the_end_of_its_trial(worker, programs):
    start = worker("scripted", EXITS + programs("scripted").read_text(), max_epochs=1)

    for _ in range(2):
        trial = start.run()

        assert trial.record.failure is None
        said = [line for line in trial.log.splitlines() if "at exit:" in line and "raise" not in line]
        assert said == ["at exit: second", "ValueError: at exit: broken", "at exit: first"]


UNSEEN = {
    "globals()": 'globals()["HID" + "DEN"] = 3',
    "vars()": "import sys; vars(sys.modules[__name__]).update(HIDDEN=3)",
    "setattr": 'import sys; name = "HIDDEN"; setattr(sys.modules[__name__], name, 3)',
    "exec": 'exec("HIDDEN = 3")',
    "in a hook": "pl.LightningModule.setup = lambda self, stage: globals().__setitem__('HIDDEN', 3)",
}


@pytest.fixture
def clean():
    """Take away what a program left in Lightning's own class; nothing that a program does to a library is undone."""
    import pytorch_lightning as pl

    before = vars(pl.LightningModule).get("setup")
    yield
    if before is None and "setup" in vars(pl.LightningModule):
        del pl.LightningModule.setup
    elif before is not None:
        pl.LightningModule.setup = before


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("change", UNSEEN.values(), ids=UNSEEN)
def test_a_constant_that_is_assigned_again_unseen_is_found_in_the_preflight(worker, programs, change):
    text = programs("scripted").read_text().replace("HIDDEN2 = ", f"{change}\nHIDDEN2 = ")
    trial = worker("scripted", text).run(preflight=True, HIDDEN=16)

    assert (trial.preflights, trial.reports) == (0, [])
    assert trial.failure.kind == "ProgramError"
    assert trial.failure.message == (
        "scripted.py:12: HIDDEN is not in force: the search set 16, the program holds 3 when training begins"
    )
    assert trial.failure.hint == "The program assigns it again somewhere; search the constant that it is assigned from."
