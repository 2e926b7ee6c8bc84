"""What trials gain by sharing one GPU: throughput and memory of a search with 1 and with 8 trials at a time on it.

    python -m benchmarks.sharing [--spaces lr_bs panodepth] [--at-a-time 1 8] [--trials 24] [--repeats 3]

It needs an NVIDIA GPU, and says so where there is none. Each search is the real command: GPU 0 alone, no trial stopped
early, the same draws whatever runs at a time. Printed for each space and number at a time, median and range over the
repeats: trials a minute once every worker has had its first trial, seconds in `Trainer.fit` a
trial, and the most memory that NVML saw given out above what was taken before. The last column is the gain in trials a
minute over the first number at a time.

PROMOTUNE_LOGICAL_GPUS=1 rehearses it on the CPU, to see that it runs; the figures then say nothing of a GPU.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tune.cluster.gpus import LOGICAL, detect_gpus

ROOT = Path(__file__).parent.parent
NO_GPU = "benchmarks.sharing needs an NVIDIA GPU, and this machine has none: nothing was measured"
GIB = 2**30
SAMPLE_S = 0.2  # between two looks at the memory


@dataclass(frozen=True)
class Measured:
    """One search."""

    trials_a_minute: float
    fit_s: float
    """A trial, in the median."""
    memory_gib: float
    """NaN in a rehearsal."""


@dataclass
class Peak:
    """The most memory that was taken while somebody looked."""

    gib: float = float("nan")
    over: threading.Event = field(default_factory=threading.Event)


def main() -> None:
    """Run the searches in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=["lr_bs", "panodepth"])
    parser.add_argument("--at-a-time", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    if not detect_gpus():
        sys.exit(NO_GPU)
    if _is_rehearsal():
        print("a rehearsal on the CPU: these figures say nothing of a GPU")
    print(f"{'space':<12} {'at a time':>9} {'trials a minute':>24} {'fit, s':>24} {'memory, GiB':>24} {'gain':>6}")
    for space in options.spaces:
        first = None
        for at_a_time in options.at_a_time:
            found = [_search(space, at_a_time, options, seed) for seed in range(options.repeats)]
            rate = statistics.median(each.trials_a_minute for each in found)
            first = first or rate
            cells = (_spread([getattr(each, name) for each in found]) for name in Measured.__annotations__)
            print(f"{space:<12} {at_a_time:>9} " + " ".join(f"{cell:>24}" for cell in cells) + f" {rate / first:>6.2f}")


def _search(space: str, at_a_time: int, options: argparse.Namespace, seed: int) -> Measured:
    """Run one search, and read what its trials say of themselves."""
    share = int(10_000 / at_a_time) / 10_000  # Ray counts a GPU in ten-thousandths
    given = {
        "space": space,
        "name": "bench",
        "gpu": 0,
        "gpus-per-trial": share,
        "concurrency": at_a_time,
        "trials": options.trials,
        "sampler": "random",
        "scheduler": "none",
        "seed": seed,
        "trainer.max_epochs": options.epochs,
    }
    if _is_rehearsal():
        given["trainer.accelerator"] = "cpu"
    with tempfile.TemporaryDirectory() as storage, _watched() as peak:
        words = [word for name, value in {**given, "storage": storage}.items() for word in (f"--{name}", str(value))]
        done = subprocess.run(
            [sys.executable, "run_search.py", *words, "--no-report"],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        records = [json.loads(path.read_text()) for path in Path(storage, "bench").glob("*/trial.json")]
    return Measured(_rate(records), statistics.median(each["fit_s"] for each in records), peak.gib)


def _rate(records: list[dict[str, Any]]) -> float:
    """Return trials a minute from when every worker has had its first one, by their ends."""
    firsts: dict[int, float] = {}
    for each in sorted(records, key=lambda each: each["ended"]):
        firsts.setdefault(each["worker"], each["ended"])
    warm, end = max(firsts.values()), max(each["ended"] for each in records)
    n_ended = sum(each["ended"] > warm for each in records)
    return 60 * n_ended / (end - warm) if n_ended else float("nan")


@contextlib.contextmanager
def _watched() -> Iterator[Peak]:
    """Look at GPU 0's memory, as NVML counts it, for as long as this is entered."""
    peak = Peak()
    if _is_rehearsal():
        yield peak
        return
    thread = threading.Thread(target=_watch, args=(peak,), daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.over.set()
        thread.join()


def _watch(peak: Peak) -> None:
    import pynvml

    pynvml.nvmlInit()
    first = detect_gpus()[0]
    by_index = first.isdecimal()
    gpu = pynvml.nvmlDeviceGetHandleByIndex(int(first)) if by_index else pynvml.nvmlDeviceGetHandleByUUID(first)
    before = pynvml.nvmlDeviceGetMemoryInfo(gpu).used
    most = before
    while not peak.over.wait(SAMPLE_S):
        most = max(most, pynvml.nvmlDeviceGetMemoryInfo(gpu).used)
        peak.gib = (most - before) / GIB
    pynvml.nvmlShutdown()


def _is_rehearsal() -> bool:
    return bool(os.environ.get(LOGICAL))


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
