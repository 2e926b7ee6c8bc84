"""An exception of the program as data: the user's own line is found, also behind others that follow from it."""

import io
import pdb
import sys
from types import SimpleNamespace

import pytest

from tune.promotion.execute import Executor
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot
from tune.trial.describe_exception import create_failure, format_traceback

SYSTEM = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

MAX_EPOCHS = 1


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        torch.broken = True
        raise RuntimeError("CUDA error: invalid device ordinal")

    def validation_step(self, batch, index):
        self.log("Loss/Val", 0.0)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


move = pl.LightningModule.cpu
exec(\"\"\"
def cpu(self):
    if hasattr(torch, "broken"):
        raise RuntimeError("CUDA error: invalid device ordinal")
    return move(self)
\"\"\", {"torch": torch, "move": move}, found := {})
Net.cpu = found["cpu"]  # as Lightning's teardown on a broken GPU: no frame of it is the program's


def dataloaders():
    return DataLoader(torch.zeros(4, 2)), DataLoader(torch.zeros(4, 2))
"""
LIBRARY = """
def fit(step):
    try:
        step()
    except BaseException:
        raise RuntimeError("CUDA error: device-side assert triggered")  # the GPU answers nothing else from then on
"""
SCRIPT = """
import library

def step():
    raise RuntimeError("CUDA error: device-side assert triggered")

library.fit(step)
"""
RAISED_BY_LIGHTNING = {  # how it raises while it handles the program's error; which of the two is told
    "raised beside it": ("raise KeyError('teardown')", "ValueError: the program's (p.py:4)"),
    "raised from it": (
        "raise KeyError('better said') from error",
        "KeyError: 'better said', from ValueError: the program's (p.py:4)",
    ),
}


def raise_in(text, folder, *, own_folder=False):
    """Execute a program; return the error that it raises, and what makes a failure of an error."""
    (folder / "p.py").write_text(text)
    program = find_program(folder / "p.py")
    executor = Executor(take_snapshot(program, folder / "snapshot"), {})
    with pytest.raises(Exception) as caught, executor.import_program({}):  # noqa: PT011 - whatever it is
        pass
    job = SimpleNamespace(program=program, folder=folder, own_folder=own_folder)
    return caught.value, lambda error: create_failure(error, job)


def test_behind_a_cuda_error_that_tearing_down_raises_again_the_system_s_own_line_is_told(worker):
    failure = worker("net", SYSTEM, metric="Loss/Val", mode="min").run().failure

    assert failure.reason == "RuntimeError: CUDA error: invalid device ordinal (net.py:16)"
    assert failure.code == 'raise RuntimeError("CUDA error: invalid device ordinal")'
    assert failure.hint == "A trial sees only the GPUs that it was given. The first of them is cuda:0."


def test_behind_a_cuda_error_that_tearing_down_raises_again_the_script_s_own_line_is_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "library.py").write_text(LIBRARY)
    error, as_failure = raise_in(SCRIPT, tmp_path)
    failure = as_failure(error)

    assert failure.reason == "RuntimeError: CUDA error: device-side assert triggered (p.py:5)"
    assert failure.hint == (
        "CUDA may report it at a later line than the one that caused it. "
        "Run the search with CUDA_LAUNCH_BLOCKING=1 to see that line."
    )


@pytest.mark.parametrize(("raises", "reason"), RAISED_BY_LIGHTNING.values(), ids=RAISED_BY_LIGHTNING)
def test_an_error_of_teardown_does_not_stand_before_the_program_s_own(tmp_path, raises, reason):
    first, as_failure = raise_in('\n\n\nraise ValueError("the program\'s")\n', tmp_path)
    with pytest.raises(KeyError) as caught:
        exec(f"try:\n    raise first\nexcept ValueError as error:\n    {raises}", {"first": first})

    assert as_failure(caught.value).reason == reason


LOADER = """
from torch.utils.data import DataLoader

class Data:
    def __len__(self): return 2
    def __getitem__(self, index):
        raise ValueError("a bad sample")

list(DataLoader(Data(), num_workers=1))
"""
UNEQUAL = """
TOLD = '''Caught RuntimeError in a worker.
Traceback (most recent call last):
  File "/lib/collate.py", line 3, in collate
    raise ValueError("of unequal size")
ValueError: of unequal size'''
raise RuntimeError(TOLD)
"""
POOL = """
import pickle
from multiprocessing.pool import ExceptionWithTraceback
def work():
    raise ValueError("the worker's")
try:
    work()
except ValueError as error:
    sent = pickle.dumps(ExceptionWithTraceback(error, error.__traceback__))
raise pickle.loads(sent)
"""
GROUP = """
import asyncio

async def work():
    raise ValueError("the task's")

async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(work())

asyncio.run(main())
"""
FROM = "def f():\n    raise {raised}\ntry:\n    f()\nexcept Exception as error:\n    {then}\n"
CHAINED = {
    "from another": (
        FROM.format(raised="KeyError('lr')", then="raise ValueError('a bad config') from error"),
        "ValueError: a bad config, from KeyError: 'lr' (p.py:2)",
        "raise KeyError('lr')",
    ),
    "from another that says nothing": (
        FROM.format(raised="AssertionError", then="raise ValueError('a bad config.') from error"),
        "ValueError: a bad config, from AssertionError (p.py:2)",
        "raise AssertionError",
    ),
    "from another, with its text in one line": (
        FROM.format(raised="KeyError('lr')", then="raise ValueError(f'no {error}') from error"),
        "ValueError: no 'lr' (p.py:2)",
        "raise KeyError('lr')",
    ),
    "from a full memory": (
        FROM.format(raised="MemoryError('full')", then="raise ValueError('no model') from error"),
        "MemoryError: no model, from MemoryError: full (p.py:2)",
        "raise MemoryError('full')",
    ),
    "from nothing": (
        FROM.format(raised="KeyError('lr')", then="raise ValueError('a bad config') from None"),
        "ValueError: a bad config (p.py:6)",
        "raise ValueError('a bad config') from None",
    ),
    "by hydra": (
        "import hydra.utils\nhydra.utils.instantiate({'_target_': 'model.build'})\n",
        "InstantiationException: Error in call to target 'model.build', from ValueError: no such width (model.py:2)",
        "raise ValueError('no such width')",
    ),
    "in a group": (
        GROUP,
        "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception), from ValueError: the task's (p.py:5)",
        'raise ValueError("the task\'s")',
    ),
    "in a worker of a DataLoader": (
        LOADER,
        "ValueError: Caught ValueError in DataLoader worker process 0, from ValueError: a bad sample (p.py:7)",
        'raise ValueError("a bad sample")',
    ),
    "in a worker of a DataLoader, where no line is the program's": (
        UNEQUAL,
        "RuntimeError: Caught RuntimeError in a worker, from ValueError: of unequal size (p.py:7)",
        "raise RuntimeError(TOLD)",
    ),
    "in a process of a pool": (POOL, "ValueError: the worker's (p.py:5)", 'raise ValueError("the worker\'s")'),
}


@pytest.mark.parametrize(("text", "reason", "code"), CHAINED.values(), ids=CHAINED)
def test_an_error_that_another_caused_is_told_with_that_and_its_line(tmp_path, text, reason, code):
    (tmp_path / "model.py").write_text("def build():\n    raise ValueError('no such width')\n")
    error, as_failure = raise_in(text, tmp_path)

    failure = as_failure(error)
    assert (failure.reason, failure.code) == (reason, code)


def test_colors_of_a_message_are_left_out(tmp_path):
    error, create = raise_in("raise ValueError('\\x1b[1mnot\\x1b[0m a \\x1b[31;1mcheckpoint\\x1b[0m')", tmp_path)

    assert create(error).message == "not a checkpoint"


@pytest.mark.parametrize("text", ["input()", "breakpoint()", "def f():\n    breakpoint()\nf()"])
def test_a_program_that_waits_for_a_terminal_is_told_that_a_trial_has_none(tmp_path, monkeypatch, capfd, text):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.breakpointhook", sys.__breakpointhook__)  # pytest has one of its own
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    monkeypatch.setattr("pdb.set_trace", lambda: pdb.Pdb(stdin=sys.stdin).set_trace(sys._getframe(1)))
    error, create = raise_in(f"{text}\n", tmp_path)

    hint = "A trial has no terminal. Run the program without a search to debug it, or to type something in."
    assert create(error).hint == hint


@pytest.mark.parametrize(("made", "is_told"), [("runs", True), ("runs/1", True), ("/", False)])
def test_a_folder_that_another_run_of_the_program_made_is_told_with_the_way_to_one_of_its_own(
    tmp_path, monkeypatch, made, is_told
):
    monkeypatch.chdir(tmp_path)
    error, create = raise_in(f"import os\nos.makedirs({made!r}, exist_ok=True)\nos.makedirs({made!r})\n", tmp_path)

    hint = (
        "The run of the program before this one, or one beside it, has made it: with `--own-folder` each trial writes"
    )
    assert (create(error).hint or "").startswith(hint) is is_told


@pytest.mark.parametrize(
    ("own_folder", "name", "is_told"), [(True, "a.json", True), (True, "b.json", False), (False, "b.json", False)]
)
def test_a_file_that_a_folder_of_its_own_lacks_is_told_with_that(tmp_path, monkeypatch, own_folder, name, is_told):
    (tmp_path / "a.json").touch()
    (tmp_path / "files").mkdir()
    monkeypatch.chdir(tmp_path / "files")
    error, create = raise_in(f"open({name!r})\n", tmp_path, own_folder=own_folder)

    hint = "It lies where the search was started: with `--own-folder` a trial starts in a folder of its own. "
    assert (create(error).hint or "").startswith(hint) is is_told


def test_a_recursion_of_a_hundred_thousand_calls_is_written_as_its_innermost_frames(tmp_path):
    text = (
        "import sys\nsys.setrecursionlimit(10**5)\ndef f(n):\n    return f(n + 1)\n"
        "try:\n    f(0)\nfinally:\n    sys.setrecursionlimit(1000)\n"
    )
    error, create = raise_in(text, tmp_path)

    assert create(error).place == "p.py:4"
    assert "[Previous line repeated 997 more times]" in format_traceback(error)
