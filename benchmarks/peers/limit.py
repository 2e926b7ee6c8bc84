"""The limit: two processes take configurations from a queue, and do nothing but train.

Where no list is fixed this is random search, as fast as it can be done.

python -m benchmarks.peers.limit ASSIGNMENT
"""

import itertools
import math
import multiprocessing
import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.assignment import Assignment


def main() -> None:
    """Fill the queue, and wait for it to be empty."""
    assignment = Assignment.read(sys.argv[1])
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    for number, values in enumerate(points(assignment)):
        queue.put((number, values))
    for _ in range(assignment.n_workers):
        queue.put(None)
    workers = [context.Process(target=_work, args=(assignment, queue)) for _ in range(assignment.n_workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers)


def points(assignment: Assignment) -> list[dict[str, Any]]:
    """Return what is trained, in its order: the fixed list, or random draws."""
    if assignment.grid:
        return every_combination(assignment)
    rng = random.Random(assignment.seed)
    return [
        {name: draw(rng, *dict(kind).popitem()) for name, kind in assignment.constants.items()}
        for _ in range(assignment.n_trials)
    ]


def draw(rng: random.Random, kind: str, arguments: list[Any]) -> Any:
    """Return one value; both ends are included."""
    match kind:
        case "choice":
            return rng.choice(arguments)
        case "uniform":
            return rng.uniform(*arguments)
        case "loguniform":
            return math.exp(rng.uniform(*map(math.log, arguments)))
        case "lograndint":
            low, high = arguments
            return round(math.exp(rng.uniform(math.log(low - 0.5), math.log(high + 0.5))))
        case _:
            raise AssertionError(kind)


def every_combination(assignment: Assignment) -> list[dict[str, Any]]:
    """Return the fixed list that all contestants train."""
    axes = [kind["choice"] for kind in assignment.constants.values()]
    return [dict(zip(assignment.constants, point, strict=True)) for point in itertools.product(*axes)]


def _work(assignment: Assignment, queue: Any) -> None:
    from benchmarks.peers.training import train  # torch and Lightning, once a process

    while (task := queue.get()) is not None:
        number, values = task
        train(assignment, values, Path(assignment.folder) / f"{number:03d}")


if __name__ == "__main__":
    main()
