"""The batch file of the documentation: a job that SLURM ends goes on in the next one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import BLOCKS
from tests.projects import write_program
from tests.search.test_kill import Books

ROOT = Path(__file__).parents[2]
SPACE = """\
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
trials: 6
concurrency: 1
trainer: {max_epochs: 40}
scheduler: none
"""
SRUN = """#!/bin/bash
shift  # --ntasks=1
export SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1 SLURM_STEP_NUM_TASKS=1 SLURM_JOB_NAME=search
"$@" &
if [ -n "$ENDS" ]; then
  until grep -qs '"op_code":7' "$ENDS"; do sleep 0.2; done  # an epoch has been reported
  kill -USR1 $!
fi
wait $!
"""


def batch_file():
    (text,) = (block.text for block in BLOCKS if block.language == "sbatch")
    return text


@pytest.mark.slow
def test_a_job_that_slurm_ends_goes_on_in_the_next_one(tmp_path):
    program = write_program(tmp_path / "project", "paced")
    program.with_name("lr_bs.yaml").write_text(SPACE)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in {
        "srun": SRUN,
        "scontrol": f'#!/bin/bash\necho "$@" > {tmp_path}/requeued\n',
        "promotune": f'#!/bin/bash\nexec {sys.executable} {ROOT}/run_search.py "$@"\n',
    }.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    job = tmp_path / "job.sh"
    job.write_text(batch_file())
    journal = tmp_path / "ray_results" / "lr_bs" / "study.journal"
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}

    def run(**more):
        return subprocess.run(
            ["bash", job], cwd=program.parent, env={**environment, **more}, capture_output=True, text=True, check=False
        )

    first = run(ENDS=str(journal))
    assert (tmp_path / "requeued").exists(), first.stdout + first.stderr
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    n_before = len(Books(journal.parent).ended)
    assert n_before < 6
    (tmp_path / "requeued").unlink()
    second = run()

    assert not (tmp_path / "requeued").exists(), second.stdout + second.stderr
    assert "best: Score/Val" in second.stdout
    assert [trial.state.name for trial in Books(journal.parent).trials] == ["COMPLETE"] * 6
    assert all(len(trial.intermediate_values) == 40 for trial in Books(journal.parent).trials)
