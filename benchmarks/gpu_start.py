"""How long a search with GPUs takes to its first epoch, against one on the cores of the same machine.

    python -m benchmarks.gpu_start [--rounds 5]

Each round searches the README's example twice, in turn first: with a logical GPU for each core, on which trials are
given out as on real ones and train on the CPU, and without. Printed are seconds from the command to the first epoch in
an event file, the median and the range over the rounds; and the ratio of both, taken within each round. What CUDA
itself takes to start is not in it: `benchmarks.gpu_day` measures that.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gpu_day.checks import first_epoch_at
from benchmarks.gpu_day.searches import ROOT, Bench
from benchmarks.spread import spread
from tune.cluster.gpus import LOGICAL
from tune.cluster.resources import count_cores

WAYS = ("GPUs", "cores")
TRIALS = 4


def main() -> None:
    """Search in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(options.rounds):
        for way in WAYS if number % 2 else reversed(WAYS):
            found[way].append(measure_start(way))
    print(f"{'trials on':<10} {'s to the first epoch':>28}")
    for way, seconds in found.items():
        print(f"{way:<10} {spread(seconds):>28}")
    ratios = [on_gpus / on_cores for on_gpus, on_cores in zip(*found.values(), strict=True)]
    print(f"{'ratio':<10} {spread(ratios):>28}")


def measure_start(way: str) -> float:
    """Return the seconds from the command to the first epoch."""
    n_cores = count_cores()
    gpus = ["--gpu", *map(str, range(n_cores))] if way == "GPUs" else []
    with tempfile.TemporaryDirectory() as storage:
        bench = Bench(Path(storage), is_rehearsal=False, variables={LOGICAL: str(n_cores)} if gpus else {})
        words = ["--space", "lr_bs.yaml", "--trials", str(TRIALS), "--storage", storage, "--no-report", "-q", *gpus]
        began = time.time()
        subprocess.run(
            [sys.executable, "run_search.py", *words, "--trainer.accelerator", "cpu"],
            cwd=ROOT,
            env=bench.environment,
            capture_output=True,
            check=True,
        )
        return first_epoch_at(Path(storage)) - began


if __name__ == "__main__":
    main()
