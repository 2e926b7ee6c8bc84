"""What a warm worker spends outside of ``Trainer.fit``, from the start of a trial to the start of its next.

    python -m benchmarks.between_trials [--trials 24] [--repeats 5]

A real search of ``lit/digits.py`` through Ray, two workers; the first trial of each worker imports torch and is left
out. Prints seconds a trial: outside of ``fit``, inside, and the share of the two; median and range over the repeats.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
EPOCHS = 5


def main() -> None:
    """Run the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    outside, inside = [], []
    for repeat in range(options.repeats):
        with tempfile.TemporaryDirectory() as storage:
            pairs = _measure(Path(storage), options.trials, seed=repeat)
        outside.append(statistics.median(pair[0] for pair in pairs))
        inside.append(statistics.median(pair[1] for pair in pairs))
        print(
            f"repeat {repeat + 1}: {len(pairs)} trials, outside of fit {outside[-1]:.3f} s, inside {inside[-1]:.3f} s"
        )
    print(f"outside of fit, s a trial: {_spread(outside)}   (target: under 0.3)")
    print(f"inside of fit, s a trial:  {_spread(inside)}")
    print(f"outside / inside:          {_spread([a / b for a, b in zip(outside, inside, strict=True)])}")


def _measure(storage: Path, n_trials: int, seed: int) -> list[tuple[float, float]]:
    """Run a search; return (s outside of fit, s inside) of every trial that a trial of the same worker followed."""
    command = [sys.executable, "run_search.py", "--space", "lr_bs", "--scheduler", "none", "--storage", str(storage)]
    command += ["--trials", str(n_trials), "--seed", str(seed), "--trainer.max_epochs", str(EPOCHS), "--name", "bench"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    workers = defaultdict(list)
    for path in sorted((storage / "bench").glob("*/trial.json")):
        record = json.loads(path.read_text())
        workers[record["pid"]].append(record)
    pairs = []
    for records in workers.values():
        records.sort(key=lambda record: record["started"])
        for one, following in itertools.pairwise(records[1:]):
            whole = following["started"] - one["started"]
            pairs.append((whole - one["fit_s"], one["fit_s"]))
    return pairs


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f}, {len(values)} repeats)"


if __name__ == "__main__":
    main()
