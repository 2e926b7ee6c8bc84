"""What the orchestration adds to each trial, against the limit and against what a user would pick instead.

    python -m benchmarks.overhead --quick          # 40 trials, 10 minutes at most
    python -m benchmarks.overhead                  # 120 trials, 5 rounds: up to 2 hours; the same command goes on
    python -m benchmarks.overhead --minutes 7      # as much as fits into 7 minutes now
    python -m benchmarks.overhead --show           # what the results file holds so far

All train one fixed list of configurations of ``lit/digits.py``, five epochs each, on two workers with one thread each;
each leaves a TensorBoard version with hyperparameters and its checkpoint. In every round all are run in turn, and a
ratio is taken within a round. Ours is the real command with ``sampler: grid`` and ``scheduler: none``: the same work.

- **slope**: milliseconds a trial, from the end of the 20th to that of the 120th (``--quick``: the 10th to the 40th).
  Ray's tutorial form starts a process a trial; it runs 20 trials, and the slope is that from the 4th on.
- **start**: from the command to the end of the first epoch, over a fresh process's import of torch and Lightning and
  another one's ``ray.init``.
- **end**: from the last file of the last trial to the prompt.
- **driver**: its CPU while two trials report about once a second in all.
"""

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.overhead.measure import Window, measure_driver, measure_floor, measure_search
from benchmarks.overhead.table import show
from benchmarks.peers.contestants import HYDRA, LIMIT, OPTUNA, OURS, RAY, RAY_REUSE, Contestant
from benchmarks.results_file import ResultsFile

FLOOR, DRIVER = "floor", "driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    rounds: int
    window: Window
    """Of all contestants but the slow ones."""
    slow: dict[str, Window]
    """Of those that start a process a trial."""
    slow_rounds: int
    guess_s: dict[str, float]
    """Seconds that a measurement takes where none was made yet; what does not fit into the time is not begun."""


FULL = Plan(
    rounds=5,
    window=Window(20, 120),
    slow={RAY.name: Window(4, 20)},
    slow_rounds=5,
    guess_s={RAY.name: 150.0, FLOOR: 15.0, DRIVER: 75.0},
)
QUICK = Plan(
    rounds=3,
    window=Window(10, 40),
    slow={RAY.name: Window(2, 8)},
    slow_rounds=1,
    guess_s={RAY.name: 60.0, FLOOR: 15.0, DRIVER: 75.0},
)
USUAL_S = 60.0
QUICK_MINUTES = 9.5
CONTESTANTS = {each.name: each for each in (LIMIT, OURS, OPTUNA, RAY_REUSE, HYDRA, RAY)}


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials and rounds, 10 minutes at most")
    parser.add_argument("--minutes", type=float, help="begin nothing that would not be through by then")
    parser.add_argument("--only", nargs="+", choices=[*CONTESTANTS, FLOOR, DRIVER], help="these alone")
    parser.add_argument("--results", type=Path, help="the file; else overhead.jsonl, or overhead-quick.jsonl")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    results = ResultsFile(options.results or Path("overhead-quick.jsonl" if options.quick else "overhead.jsonl"))
    minutes = options.minutes or (QUICK_MINUTES if options.quick else None)
    if not options.show:
        deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
        for number in range(1, plan.rounds + 1):
            _round(number, plan, results, deadline, options.only)
    show(results, plan.window, plan.slow)


def _round(number: int, plan: Plan, results: ResultsFile, deadline: float, only: list[str] | None) -> None:
    """Measure each once, in an order of the round's own."""
    names = [*CONTESTANTS, FLOOR, DRIVER]
    random.Random(number).shuffle(names)
    for name in names:
        slow = name in plan.slow or name == DRIVER
        if (only and name not in only) or (slow and number > plan.slow_rounds) or results.has(who=name, round=number):
            continue
        if time.monotonic() + _estimate_s(name, plan, results) > deadline:
            print(f"round {number}: no time for {name}", flush=True)
            continue
        began = time.monotonic()
        measured = _measure(name, plan)
        results.add(measured, who=name, round=number, took_s=time.monotonic() - began)
        figures = "  ".join(f"{key} {value:.1f}" for key, value in measured.items())
        print(f"round {number}: {name:<14} {figures}", flush=True)


def _measure(name: str, plan: Plan) -> dict[str, float]:
    if name == FLOOR:
        return measure_floor()
    if name == DRIVER:
        return measure_driver()
    contestant: Contestant = CONTESTANTS[name]
    return measure_search(contestant, plan.slow.get(name, plan.window))


def _estimate_s(name: str, plan: Plan, results: ResultsFile) -> float:
    known = [line["took_s"] for line in results.lines if line["who"] == name]
    return 1.1 * max(known) if known else plan.guess_s.get(name, USUAL_S)


if __name__ == "__main__":
    main()
