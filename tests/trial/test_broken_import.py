"""An environment's fault is named: what failed, in which file, and what may help."""

import os
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from tune.promotion.execute import Executor
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot
from tune.trial.describe_exception import create_failure, describe_raised
from tune.trial.process.watched import find_crash_places

REFIT = f"The package may be made for another torch than {metadata.version('torch')}: install it again to fit."
MISSING = f"It is neither in the project nor installed: `{sys.executable} -m pip install {{}}`, if it is a package."

PACKAGES = {  # its source; what is said beside the place
    "an operator of another torch": ("raise RuntimeError('operator torchvision::nms does not exist')", REFIT),
    "a library of another CUDA": ("import ctypes\nctypes.CDLL('libcudart.so.11.0')", REFIT),
    "a symbol of another torch": ("raise ImportError('/x/_C.so: undefined symbol: _ZN2at4_ops')", REFIT),
    "a name of another torch": ("from torch.nn import no_such_name", REFIT),
    "a library that is not there": ("import ctypes\nctypes.CDLL('libsndfile_nowhere.so')", ""),
    "a licence": ("raise SystemExit('no licence')", ""),
    "a bug": ("1 / 0", ""),
    "a package that it needs": ("import nowhere", MISSING.format("nowhere")),
    "a package of another name": ("\n\nimport cv2", MISSING.format("opencv-python")),
    "a module that setuptools had": ("import pkg_resources", MISSING.format("'setuptools<81'")),
    "Lightning's bolts": ("import pl_bolts.models", MISSING.format("lightning-bolts")),
}


@pytest.fixture
def fail(tmp_path, monkeypatch):
    """Return what imports packages in a program, and gives its failure."""
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))

    def failed(text, **packages):
        for name, source in packages.items():
            file = tmp_path / "site-packages" / name / "__init__.py"
            file.parent.mkdir(parents=True)
            file.write_text(source)
        (tmp_path / "p.py").write_text(text)
        program = find_program(tmp_path / "p.py")
        executor = Executor(take_snapshot(program, tmp_path / "snapshot"), {})
        with pytest.raises(BaseException) as caught, executor.import_program({}):  # noqa: PT011 - whatever it is
            pass
        return create_failure(caught.value, SimpleNamespace(program=program))

    return failed


@pytest.mark.parametrize(("source", "remedy"), PACKAGES.values(), ids=PACKAGES)
def test_a_package_that_cannot_be_imported_is_named_with_its_line(source, remedy, fail, tmp_path):
    failure = fail("X = 1\nimport brokenvision\n", brokenvision=source)

    line = len(source.splitlines())
    assert (failure.place, failure.code) == ("p.py:2", "import brokenvision")
    raised = f"It is raised in {tmp_path}/site-packages/brokenvision/__init__.py:{line}."
    assert failure.hint == f"{raised} {remedy}".strip()


def test_a_missing_package_is_named(fail):
    failure = fail("import nowhere.inside\n")

    assert failure.reason == "ModuleNotFoundError: No module named 'nowhere' (p.py:1)"
    assert failure.hint == MISSING.format("nowhere")


@pytest.mark.parametrize(
    "text", ["from torch import nowhere\n", "import torch.nowhere\n", "import json\njson.loads('{')\n"]
)
def test_a_mistake_of_the_program_is_none_of_the_environment(text, fail):
    assert fail(text).hint is None


def test_what_is_raised_in_a_template_is_told_with_its_place(tmp_path):
    file = tmp_path / "torchvision.py"
    file.write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    with pytest.raises(RuntimeError) as caught:
        exec(compile(file.read_text(), str(file), "exec"))
    said = f"RuntimeError: operator torchvision::nms does not exist ({file}:1). {REFIT}"

    assert describe_raised(caught.value) == said


DEATHS = {
    "os._exit": "import os\nos._exit(3)",
    "SIGSEGV": "import ctypes\nctypes.string_at(0)",
    "SIGABRT": "import os\nos.abort()",
    "SIGSEGV beside a thread": "import ctypes, threading as t, time; t.Thread(target=time.sleep, args=[9]).start()\n"
    "ctypes.string_at(0)",
    "os._exit in a function": "import os\ndef leave(): os._exit(0)\nleave()",
}
START = (
    "import faulthandler, sys; faulthandler.enable(); "
    "from tune.trial.process.watched import log_os_exits; log_os_exits(); "
)


@pytest.mark.parametrize("source", DEATHS.values(), ids=DEATHS)
def test_the_stack_of_a_process_that_died_gives_the_lines(source, tmp_path):
    package = tmp_path / "site-packages" / "broken.py"
    package.parent.mkdir()
    package.write_text(source)
    (tmp_path / "p.py").write_text("X = 1\nimport broken\n")
    log = tmp_path / "log.txt"
    log.write_text(
        'Fatal Python error: Aborted\n\nCurrent thread 0x0 (most recent call first):\n  File "/x.py", line 9 in f\n'
    )
    start = log.stat().st_size
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(package.parent)])}
    with log.open("a") as out:
        subprocess.run(
            [sys.executable, "-c", f"{START}import p"], cwd=tmp_path, stderr=out, env=environment, check=False
        )

    places = find_crash_places(log, start)
    assert (package, 2) in places[:2]
    assert places[-1] == (tmp_path / "p.py", 2)
    assert find_crash_places(tmp_path / "nothing") == []


def test_a_forked_worker_that_ends_writes_no_stack(tmp_path):
    text = f"{START}import multiprocessing as m; p = m.get_context('fork').Process(target=print); p.start(); p.join()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=environment, check=False)

    assert (done.stdout, done.stderr) == ("\n", "")
