"""A worker of pytest that dies fails one test; all others run, in real runs of pytest with xdist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """\
import sys
sys.path.insert(0, {root!r})
from tests.restarting_scheduler import RestartingFileScheduling

def pytest_xdist_make_scheduler(config, log):
    return RestartingFileScheduling(config, log)
"""
DIES = "import os, signal\ndef test_dies():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
PASSES = "def test_passes():\n    pass\n"


def run(folder, n_workers, files):
    (folder / "conftest.py").write_text(CONFTEST.format(root=str(Path(__file__).parents[1])))
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "xdist.plugin",
        "-n",
        str(n_workers),
        "--dist",
        "loadfile",
        "-p",
        "no:cacheprovider",
    ]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environment)
    return {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed)", ran.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    ("n_workers", "files", "expected"),
    [
        (1, {"test_a.py": DIES, "test_b.py": PASSES}, {"failed": 1, "passed": 1}),
        (1, {"test_a.py": PASSES + DIES + PASSES.replace("passes", "passes_too")}, {"failed": 1, "passed": 2}),
        (2, {f"test_{n}.py": PASSES for n in range(4)} | {"test_z.py": DIES}, {"failed": 1, "passed": 4}),
    ],
    ids=["in the first file", "amid a file", "behind four files"],
)
def test_one_test_fails_when_a_worker_dies_in_it_and_all_others_run(tmp_path, n_workers, files, expected):
    assert run(tmp_path, n_workers, files) == expected
