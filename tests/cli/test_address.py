"""What is refused before Ray is loaded: addresses, and a command that a launcher starts several times."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clusters import free_port

ROOT = Path(__file__).parents[2]
PORT = free_port()

REFUSED = [
    (
        "--address auto --gpu 0",
        (
            "--gpu: GPUs are named by their place in one machine, and --address means a cluster\n"
            "  Say with --gpus-per-trial how many a trial takes; Ray chooses them.\n"
        ),
    ),
    (
        "--address head",
        "--address: this is no address of a cluster, got 'head'\n  Write auto, HOST:6379, or ray://HOST:10001.\n",
    ),
    (
        "--address http://head:8265",
        (
            "--address: this is no address of a cluster, got 'http://head:8265'\n"
            "  Write auto, HOST:6379, or ray://HOST:10001.\n"
        ),
    ),
    (
        f"--address 127.0.0.1:{PORT}",
        (
            f"--address: no cluster answers at 127.0.0.1:{PORT}: Connection refused\n"
            "  Start it, or let this machine through its firewall.\n"
        ),
    ),
    (
        f"--address ray://127.0.0.1:{PORT}",
        (
            f"--address: no cluster answers at 127.0.0.1:{PORT}: Connection refused\n"
            "  Start it, or let this machine through its firewall.\n"
        ),
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=range(len(REFUSED)))
def test_an_address_that_leads_nowhere_is_refused_without_loading_ray(words, message, tmp_path):
    code = (
        "import sys\nfrom tune.cli import main\n"
        f"status = main({['--space', 'lr_bs.yaml', '--quiet', '--storage', str(tmp_path), *words.split()]!r})\n"
        "sys.exit(f'imported {sys.modules.keys() & {\"ray\", \"torch\"}}' if 'ray' in sys.modules else status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (2, message)
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_srun_starts_for_each_task_is_refused_before_anything_starts(tmp_path):
    words = ["--space", "lr_bs.yaml", "--quiet", "--storage", tmp_path]
    done = subprocess.run(
        [sys.executable, ROOT / "run_search.py", *words],
        cwd=ROOT,
        env={**os.environ, "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (
        2,
        (
            "srun starts this command 4 times, and each would search on its own, got SLURM_STEP_NUM_TASKS=4\n"
            "  Start it once, with `srun --ntasks=1`. `--workers-per-trial N` gives a trial several processes.\n"
        ),
    )
    assert list(tmp_path.iterdir()) == []
