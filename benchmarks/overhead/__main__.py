"""What the orchestration adds to each trial, against the limit and against what a user would pick instead.

    python -m benchmarks.overhead --quick          # 60 trials, 10 minutes at most
    python -m benchmarks.overhead                  # 120 trials, 5 rounds: up to 2 hours; the same command goes on
    python -m benchmarks.overhead --minutes 7      # as much as fits into 7 minutes now
    python -m benchmarks.overhead --show           # what the results file holds so far

All train one fixed list of configurations of ``lit/digits.py``, five epochs each, on two workers with one thread each;
each leaves a TensorBoard version with hyperparameters and its checkpoint. In every round all are run in turn, and a
ratio is taken within a round. Ours is the real command with ``sampler: grid`` and ``scheduler: none``: the same work.

- **slope**: milliseconds a trial, from the end of the 20th to that of the 120th (``--quick``: the 20th to the 60th).
  Ray's tutorial form starts a process a trial; it runs 20 trials, and the slope is that from the 4th on.
- **CPU**: the same of the CPU that all its processes took together; where the machine is busy, trust this rather.
- **start**: from the command to the end of the first epoch, over a fresh process's import of torch and Lightning and
  another one's ``ray.init``.
- **end**: from the last file of the last trial to the prompt.
- **driver**: its CPU while two trials report about once a second in all.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.overhead.measure import Window, measure_driver, measure_floor, measure_search
from benchmarks.overhead.table import show
from benchmarks.peers.contestants import HYDRA, LIMIT, OPTUNA, OURS, RAY, RAY_REUSE
from benchmarks.results_file import ResultsFile
from benchmarks.tasks import Task, run_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    rounds: int
    window: Window
    """Of all contestants but the slow ones."""
    slow: Mapping[str, Window]
    """Of those that start a process a trial."""
    slow_rounds: int
    """Rounds of those, and of the driver's CPU."""
    slow_guess_s: float
    """Seconds that the first of them is taken to last."""


FULL = Plan(rounds=5, window=Window(20, 120), slow={RAY.name: Window(4, 20)}, slow_rounds=5, slow_guess_s=150)
QUICK = Plan(rounds=3, window=Window(20, 60), slow={RAY.name: Window(2, 8)}, slow_rounds=1, slow_guess_s=60)
GUESS_S = {"floor": 15, "driver": 75}
USUAL_S = 30
QUICK_MINUTES = 9.5
CONTESTANTS = (LIMIT, OURS, OPTUNA, RAY_REUSE, HYDRA, RAY)


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials and rounds, 10 minutes at most")
    parser.add_argument("--minutes", type=float, help="begin nothing that would not be through by then")
    parser.add_argument("--only", nargs="+", help="these alone: contestants, floor, driver")
    parser.add_argument("--results", type=Path, help="the file; else overhead.jsonl, or overhead-quick.jsonl")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    results = ResultsFile(options.results or Path("overhead-quick.jsonl" if options.quick else "overhead.jsonl"))
    if not options.show:
        tasks = [task for task in tasks_of(plan) if not options.only or task.who in options.only]
        run_tasks(tasks, results, options.minutes or (QUICK_MINUTES if options.quick else None))
    show(results, plan.window, plan.slow)


def tasks_of(plan: Plan) -> Iterator[Task]:
    """Yield all measurements."""
    for number in range(1, plan.rounds + 1):
        yield Task(who="floor", round=number, measure=measure_floor, guess_s=GUESS_S["floor"])
        if number <= plan.slow_rounds:
            yield Task(who="driver", round=number, measure=measure_driver, guess_s=GUESS_S["driver"])
        for each in CONTESTANTS:
            slow = each.name in plan.slow
            if slow and number > plan.slow_rounds:
                continue
            measure = partial(measure_search, each, plan.slow.get(each.name, plan.window))
            yield Task(who=each.name, round=number, measure=measure, guess_s=plan.slow_guess_s if slow else USUAL_S)


if __name__ == "__main__":
    main()
