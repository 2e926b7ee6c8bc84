"""What only a GPU can tell: twelve checks, for one NVIDIA GPU and some cores.

    python -m benchmarks.gpu_day                    # all of them, some fifteen minutes
    python -m benchmarks.gpu_day --only tf32 rng    # these
    python -m benchmarks.gpu_day --minutes 6        # as many as there is time for
    python -m benchmarks.gpu_day --rehearse         # on the CPU, to see that they run

A line for each check: its name, PASS or FAIL, and the figures; the last line counts. A FAIL is a defect, one of speed
too. Checks that did not run, or for which the time was too short, are named. A rehearsal says nothing of a GPU.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gpu_day.checks import CHECKS, NEED_A_GPU, Verdict
from benchmarks.gpu_day.searches import Bench
from tune.cluster.gpus import detect_gpus

NO_GPU = (
    "benchmarks.gpu_day needs an NVIDIA GPU, and this machine has none: nothing was checked (--rehearse: on the CPU)"
)


def main() -> int:
    """Run the checks; return 0 where all passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS), metavar="CHECK")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, with one logical GPU")
    parser.add_argument("--minutes", type=float, default=math.inf, help="in which all is over; default: no limit")
    options = parser.parse_args()
    if not options.rehearse and not detect_gpus():
        sys.exit(NO_GPU)
    left_out = [name for name in options.only if options.rehearse and name in NEED_A_GPU]
    names = [name for name in options.only if name not in left_out]
    if options.rehearse:
        print("a rehearsal on the CPU: it says nothing of a GPU")
    began, n_passed = time.monotonic(), 0
    ends_at, too_late = began + 60 * options.minutes, []
    with tempfile.TemporaryDirectory(prefix="gpu-day-") as folder:
        bench = Bench(Path(folder), options.rehearse, ends_at=ends_at)
        for name in names:
            at = time.monotonic()
            if at >= ends_at:
                too_late.append(name)
                continue
            if (verdict := run_check(name, bench)) is None:
                too_late.append(name)
                continue
            n_passed += verdict.passed
            passed = "PASS" if verdict.passed else "FAIL"
            print(f"{name:<8} {passed} {time.monotonic() - at:5.0f} s  {verdict.told}", flush=True)
    if left_out:
        print(f"not run without a GPU: {', '.join(left_out)}")
    if too_late:
        print(f"not run for want of time: {', '.join(too_late)}")
    print(f"{n_passed} of {len(names)} passed in {time.monotonic() - began:.0f} s")
    return 0 if n_passed == len(names) else 1


def run_check(name: str, bench: Bench) -> Verdict | None:
    """Run a check; one that breaks has failed, and the next one is another one. None: the time was over before it."""
    try:
        return CHECKS[name](bench)
    except Exception as error:
        if isinstance(error, subprocess.TimeoutExpired) and time.monotonic() >= bench.ends_at:
            return None
        return Verdict(passed=False, told=f"{type(error).__name__}: {str(error)[:300]}")


if __name__ == "__main__":
    sys.exit(main())
