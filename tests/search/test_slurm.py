"""The batch files of the documentation: a job that SLURM ends goes on in the next one, and one of several nodes."""

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
STEP = """#!/bin/bash
cores=1  # since SLURM 22.05 a step does not inherit what the job has for each task
while [[ $1 == --* ]]; do [[ $1 == --cpus-per-task=* ]] && cores=${1#*=}; shift; done
echo "$cores" > "$CORES"
"""
SRUN = f"""{STEP}
export SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_NTASKS=1 SLURM_STEP_NUM_TASKS=1 SLURM_JOB_NAME=search
"$@" &
if [ -n "$ENDS" ]; then
  until grep -qs '"op_code":7' "$ENDS"; do sleep 0.2; done  # an epoch has been reported
  kill -USR1 $!
fi
wait $!
"""


SRUN_ON_NODES = f"""{STEP}
export SLURM_NTASKS=2 SLURM_STEP_NUM_TASKS=2 SLURM_JOB_NAME=search
for node in 0 1; do
  SLURM_PROCID=$node SLURM_NODEID=$node SLURM_LOCALID=0 "$@" || exit
done
"""
RAY = """#!/bin/bash
[ "$1" = symmetric-run ] || exit 9
until [ "$1" = -- ]; do echo "$1" >> ray-words; shift; done
shift
[ "$SLURM_PROCID" != 0 ] || "$@"
"""


def batch_file(word):
    (text,) = (block.text for block in BLOCKS if block.language == "sbatch" and word in block.text)
    return text


def write_tools(folder, **tools):
    folder.mkdir()
    for name, text in tools.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_over_several_nodes_ray_starts_on_each_and_the_search_once(tmp_path):
    path = write_tools(
        tmp_path / "tools",
        srun=SRUN_ON_NODES,
        ray=RAY,
        scontrol="#!/bin/bash\n[ \"$*\" = 'show hostnames node[1-2]' ] && printf 'node1\\nnode2\\n'\n",
        promotune='#!/bin/bash\necho "$@" >> searches\n',
    )
    (tmp_path / "job.sh").write_text(batch_file("symmetric-run"))
    job = {"SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2", "SLURM_CPUS_PER_TASK": "16"}
    environment = {**os.environ, "PATH": path, **job, "CORES": str(tmp_path / "cores")}
    ran = subprocess.run(["bash", "job.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    words = ["symmetric-run", "--address", "node1:6379", "--min-nodes", "2", "--num-cpus", "16"]
    assert (tmp_path / "ray-words").read_text().split() == words * 2
    searches = (tmp_path / "searches").read_text().splitlines()
    assert searches == ["--space lr_bs.yaml --address auto --storage /mnt/shared/ray_results --quiet"]
    assert (tmp_path / "cores").read_text() == "16\n"


@pytest.mark.slow
def test_a_job_that_slurm_ends_goes_on_in_the_next_one(tmp_path):
    program = write_program(tmp_path / "project", "paced")
    program.with_name("lr_bs.yaml").write_text(SPACE)
    path = write_tools(
        tmp_path / "tools",
        srun=SRUN,
        scontrol=f'#!/bin/bash\necho "$@" > {tmp_path}/requeued\n',
        promotune=f'#!/bin/bash\nexec {sys.executable} {ROOT}/run_search.py "$@"\n',
    )
    job = tmp_path / "job.sh"
    job.write_text(batch_file("requeue"))
    journal = tmp_path / "ray_results" / "lr_bs" / "study.journal"
    job_has = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "16", "CORES": str(tmp_path / "cores")}
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": path, **job_has}

    def run(**more):
        return subprocess.run(
            ["bash", job], cwd=program.parent, env={**environment, **more}, capture_output=True, text=True, check=False
        )

    first = run(ENDS=str(journal))
    assert (tmp_path / "requeued").exists(), first.stdout + first.stderr
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    assert (tmp_path / "cores").read_text() == "16\n"
    n_before = len(Books(journal.parent).ended)
    assert n_before < 6
    (tmp_path / "requeued").unlink()
    second = run()

    assert not (tmp_path / "requeued").exists(), second.stdout + second.stderr
    assert "best: Score/Val" in second.stdout
    assert [trial.state.name for trial in Books(journal.parent).trials] == ["COMPLETE"] * 6
    assert all(len(trial.intermediate_values) == 40 for trial in Books(journal.parent).trials)
