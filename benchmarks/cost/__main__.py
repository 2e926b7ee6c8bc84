"""What a search costs beside its training, and whether that grows: 10,000 trials of nothing, against bare Ray Tune.

    python -m benchmarks.cost [--trials 2000] [--samplers random tpe] [--full]

Two workers, trials of three reports, no early stopping. Everything of a search is real (Ray, the conductor, the
searcher, the ledger's journal on disk, the actors, each trial's own record) but for the program: instead of
executing and fitting one, a trial reports three numbers, for Lightning's own time, the same in any tool, would hide
what is asked here. Bare Ray Tune runs as many trials of three reports in the same run, with its own random search,
reused actors too, and none of the files that it would write by default.

Printed for every thousand trials: wall and the driver's CPU, milliseconds a trial, and the driver's resident memory.
Then `resume` of each finished search for two trials more, the whole command, with Ray's start: seconds. Each part runs
in a process of its own. ``--full`` is 10,000 trials; the targets printed are those of that length.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cost.parts import bare, ours, resumed

PART = 1000  # trials a line


def main() -> None:
    """Run the parts in turn, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--samplers", nargs="+", default=["random", "tpe"])
    parser.add_argument("--full", action="store_true", help="10,000 trials")
    options = parser.parse_args()
    n_trials = 10_000 if options.full else options.trials
    with tempfile.TemporaryDirectory() as folder:
        limit_wall, limit_cpu = _shown("bare Ray Tune", _in_process(bare, Path(folder), n_trials))
        for sampler in options.samplers:
            storage = Path(folder) / sampler
            storage.mkdir()
            wall, cpu = _shown(f"ours, {sampler}", _in_process(ours, storage, n_trials, sampler))
            over = f"over bare Ray Tune: wall {wall / limit_wall:.2f}, driver CPU {cpu / limit_cpu:.2f}"
            print(f"{over}   (target with random: wall 1.3 at most)")
            started = time.perf_counter()
            _in_process(resumed, storage, n_trials + 2)
            took = time.perf_counter() - started
            print(f"resume of {n_trials:,} trials: {took:.1f} s   (target: under 20 s)", flush=True)


def _shown(title: str, marks: list[dict[str, float]]) -> tuple[float, float]:
    """Print the table of one part; return milliseconds of wall and of CPU a trial, its first thousand left out."""
    print(f"\n{title}\n{'trials':>8} {'wall, ms':>10} {'driver CPU, ms':>15} {'memory, MB':>11}")
    walls, cpus = [], []
    n_trials = len(marks) - 1
    step = PART if n_trials >= 3 * PART else n_trials // 4  # a short run has four parts
    for end in range(step, len(marks), step):
        first, last = marks[end - step], marks[end]
        walls.append(1000 * (last["wall_s"] - first["wall_s"]) / step)
        cpus.append(1000 * (last["cpu_s"] - first["cpu_s"]) / step)
        print(f"{end:>8,} {walls[-1]:>10.1f} {cpus[-1]:>15.1f} {last['rss'] / 2**20:>11.0f}", flush=True)
    over = f"last over second part: wall {walls[-1] / walls[1]:.2f}, driver CPU {cpus[-1] / cpus[1]:.2f}"
    print(f"{over}   (target: wall 1.3 at most, and 80 ms a trial)")
    return statistics.mean(walls[1:]), statistics.mean(cpus[1:])


def _in_process(part: Callable[..., None], folder: Path, *arguments: Any) -> list[dict[str, float]]:
    """Run a part in a fresh process, and return what it wrote down."""
    out = folder / f"{part.__name__}.json"
    process = multiprocessing.get_context("spawn").Process(target=part, args=(out, folder, *arguments))
    process.start()
    process.join()
    assert process.exitcode == 0, f"{part.__name__} ended with {process.exitcode}"
    return json.loads(out.read_text())


if __name__ == "__main__":
    main()
