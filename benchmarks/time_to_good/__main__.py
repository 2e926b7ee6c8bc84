"""How long a search takes until its best validation score is a good one, against what a user would pick instead.

    python -m benchmarks.time_to_good --quick        # 2 seeds, targets of 50 random trials: 10 minutes at most
    python -m benchmarks.time_to_good                # 10 seeds (3 of Ray's tutorial): up to 2 hours; it goes on
    python -m benchmarks.time_to_good --seeds 20     # ten more
    python -m benchmarks.time_to_good --minutes 7    # as much as fits into 7 minutes now
    python -m benchmarks.time_to_good --show         # what the results file holds so far

Three programs on small real data: ``lit/digits.py``, breast tumours and diabetes; spaces of five or six constants, two
workers with one thread each, ten epochs. Good is 95% of the way from the hardcoded values to the best of 200 random
trials, whose seed no search has; these targets are lines of the results file.

Each contestant searches as its documentation says, its sampler seeded: ours with its defaults; Ray's tutorial form with
OptunaSearch and ASHA; Optuna in two processes with its Lightning pruning callback; Hydra's Optuna sweeper; and random
search in two processes that stay. The time is from the command to the epoch that was as good as the target, imports
and all. A search that is not there in time (--cap) counts as infinitely long in the median, and is counted.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.peers.assignment import Assignment
from benchmarks.peers.contestants import HYDRA, OPTUNA, OURS, RANDOM, RAY, Contestant
from benchmarks.peers.events import LiveCurves
from benchmarks.peers.launch import launched
from benchmarks.results_file import ResultsFile
from benchmarks.tasks import Task, run_tasks
from benchmarks.time_to_good.problems import PROBLEMS
from benchmarks.time_to_good.table import show
from benchmarks.time_to_good.target import first_reached, measure_target

CONTESTANTS = (OURS, OPTUNA, HYDRA, RANDOM, RAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    seeds: int
    slow_seeds: int
    """Of Ray's tutorial form, whose every trial starts a process."""
    random_trials: int
    """Behind a target."""
    cap_s: float


FULL = Plan(seeds=10, slow_seeds=3, random_trials=200, cap_s=90)
QUICK = Plan(seeds=2, slow_seeds=1, random_trials=50, cap_s=60)
QUICK_MINUTES = 9.5
TARGET = "target"


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer seeds and random trials, 10 minutes at most")
    parser.add_argument("--minutes", type=float, help="begin nothing that would not be through by then")
    parser.add_argument("--seeds", type=int, help="so many; else 10, or 2")
    parser.add_argument("--cap", type=float, help="seconds that a search has; else 90, or 60")
    parser.add_argument("--only", nargs="+", help="these contestants alone")
    parser.add_argument("--problems", nargs="+", choices=[*PROBLEMS], default=[*PROBLEMS])
    parser.add_argument("--results", type=Path, help="the file; else time_to_good.jsonl, or time_to_good-quick.jsonl")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    plan = replace(plan, cap_s=options.cap or plan.cap_s, seeds=options.seeds or plan.seeds)
    results = ResultsFile(
        options.results or Path("time_to_good-quick.jsonl" if options.quick else "time_to_good.jsonl")
    )
    if not options.show:
        tasks = tasks_of(plan, results, options.problems)
        wanted = [task for task in tasks if not options.only or task.who in (*options.only, TARGET)]
        run_tasks(wanted, results, options.minutes or (QUICK_MINUTES if options.quick else None))
    show(results, CONTESTANTS, options.problems)


def tasks_of(plan: Plan, results: ResultsFile, problems: list[str]) -> Iterator[Task]:
    """Yield all measurements: the targets are round 0, then a round a seed."""
    for name in problems:
        key = {"problem": name}
        measure = partial(measure_target, PROBLEMS[name], plan.random_trials)
        yield Task(who=TARGET, round=0, key=key, measure=measure, guess_s=0.5 * plan.random_trials)
        for number in range(1, plan.seeds + 1):
            for each in CONTESTANTS:
                if each is not RAY or number <= plan.slow_seeds:
                    search = partial(_search, each, name, number, plan.cap_s, results)
                    yield Task(who=each.name, round=number, key=key, measure=search, guess_s=plan.cap_s)


def _search(
    contestant: Contestant, name: str, seed: int, cap_s: float, results: ResultsFile
) -> dict[str, float | None]:
    problem: Assignment = replace(PROBLEMS[name], seed=seed)
    (target,) = [line[TARGET] for line in results.lines if line["who"] == TARGET and line["problem"] == name]
    live = LiveCurves(problem.metric)

    def look(pid: int, folder: Path) -> bool:
        return first_reached(live.read(folder), problem.mode, target) is not None

    with launched(contestant, problem, cap_s, look) as launch:
        found = live.read(launch.folder, again=True)
        reached = first_reached(found, problem.mode, target)
    return {"reached_s": None if reached is None else reached - launch.began, "trials": len(found), "cap_s": cap_s}


if __name__ == "__main__":
    main()
