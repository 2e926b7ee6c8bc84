"""Searches on GPUs that NVML makes up: trials train on the CPU, and their program says what it takes of a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.nvml import FOLDER
from tests.projects import write_program

ROOT = Path(__file__).parents[1]
SPACE = """
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
  MAX_EPOCHS: {randint: [3, 6]}
trials: 5
scheduler: none
trainer: {accelerator: auto}
"""
TAKES = """
import atexit
import os
from pathlib import Path

taken = Path(os.environ["FAKE_NVML_TAKEN"])
taken.write_text(str(2 * MAX_EPOCHS - 7 if MAX_EPOCHS > 4 else 1))  # GiB: 5 of the largest configuration
atexit.register(taken.write_text, "0")
"""
DRIVER = """
import importlib.metadata
import sys

from tune.cli import main

version = importlib.metadata.version
importlib.metadata.version = lambda name: version(name).removesuffix("+cpu")  # a build for GPUs, where NVML has some
sys.exit(main(sys.argv[1:]))
"""
GPU = {"uuid": "GPU-1", "name": "NVIDIA T4", "gib": 24, "busy": 20}


def search(folder, *words, gpus=(GPU,), space=SPACE, takes=TAKES, command=("--space", "s.yaml"), **variables):
    """Search on GPUs that NVML makes up, on the CPU; return what was told, and the records."""
    program = write_program(folder / "project", "paced")
    program.write_text(program.read_text() + takes)
    program.with_name("s.yaml").write_text(space)
    (folder / "drive.py").write_text(DRIVER)
    ran = subprocess.run(
        [sys.executable, folder / "drive.py", *command, "--storage", folder / "storage", *words],
        cwd=program.parent,
        env={
            **os.environ,
            "PYTHONPATH": f"{FOLDER}:{ROOT}",
            "FAKE_NVML": json.dumps(gpus),
            "FAKE_NVML_TAKEN": str(folder / "taken"),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    files = sorted((folder / "storage" / "s").glob("*/trial.json"))
    return ran, [json.loads(file.read_text()) for file in files]
