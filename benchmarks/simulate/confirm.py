"""Whether a race of the best trials hands over a better configuration than the search alone, in the same time.

    python -m benchmarks.simulate.confirm TABLES... [--noise 0 1 2] [--trainings 48] [--rules 5x3@0.2 3x3@0.2]

The tables are those of ``python -m benchmarks.simulate``, with seed noise added (``benchmarks/simulate/noise.py``): 1
is the noise of real seeds. The search is the default one. A rule is the most trials and seeds of the race, and the
largest share of the budget that it takes; with ``!`` it takes its share even where the seed changes nothing. `5?` knows
the best of five for nothing, and `all?` that of all trials. `8-4-2@0.2` trains eight with one seed, the best four of
them with another one, and then two. Each run costs its whole training. The verdict on the winner is not part of it.

Printed is the regret of what is handed over: by its value without noise in its best epoch, 0 at the best value known
and 100% at the median of random configurations.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy and torch are imported: the processes share the cores already

import argparse
import multiprocessing
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.simulate.confirmation import HandedOver, RaceRule, hand_over
from benchmarks.simulate.methods import OURS, build_method
from benchmarks.simulate.noise import Noisy
from benchmarks.simulate.regret import WORST, bootstrap_interval
from benchmarks.simulate.runs import FULL_TRAININGS, table_name
from benchmarks.simulate.tables import Floats, Scale, find_tables, open_table, scale_of
from benchmarks.simulate.trace import trace_search

SEARCH_ALONE = RaceRule(top=0, seeds=0, share=0)
RULES = ("3x3@0.2", "5x3@0.2")
SEEDS_APART = 1000
"""Between the seeds of two searches, so that no race has the seed of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One search."""

    table: str
    n_workers: int
    seed: int
    noise: float
    trainings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What each rule handed over of one search."""

    cell: Cell
    scale: Scale
    handed_over: tuple[HandedOver, ...]
    values: tuple[float, ...]
    """The true ones."""


def run_cell(cell: Cell, rules: Sequence[RaceRule]) -> Outcome:
    """Search once, and hand over by each rule."""
    scale = scale_of(cell.table)
    table = Noisy(open_table(cell.table), scale, cell.noise, cell.seed * SEEDS_APART)
    budget_s = scale.full_s * cell.trainings / cell.n_workers
    seed = zlib.crc32(f"{table_name(cell.table)} {cell.seed}".encode())  # no two tables share draws
    trace = trace_search(table, build_method(OURS, table, seed, cell.n_workers), cell.n_workers, budget_s)
    handed_over = tuple(hand_over(trace, table, rule, cell.n_workers, budget_s) for rule in rules)
    values = tuple(table.true_value(each.config) for each in handed_over)
    return Outcome(cell=cell, scale=scale, handed_over=handed_over, values=values)


def compute_regrets(outcomes: Sequence[Outcome]) -> Floats:
    """Return the regrets (searches, rules)."""
    best: dict[str, float] = {}
    for each in outcomes:
        best[each.cell.table] = min(best.get(each.cell.table, each.scale.best), *each.values)
    rows = [
        (np.array(each.values) - best[each.cell.table]) / (each.scale.median - best[each.cell.table])
        for each in outcomes
    ]
    return np.minimum(np.array(rows), WORST)


def print_outcomes(outcomes: Sequence[Outcome], rules: Sequence[RaceRule], regrets: Floats) -> None:
    """Print a line for each rule; the first one is the search alone."""
    alone = regrets[:, 0]
    compared = [rule.share > 0 or rule.knows for rule in rules]
    for place, rule in enumerate(rules):
        of_rule = [each.handed_over[place] for each in outcomes]
        raced = [each for each in of_rule if each.n_trials]
        name = str(rule) if compared[place] else "search alone"
        line = f"  {name:14}{100 * regrets[:, place].mean():>7.1f}"
        if compared[place]:
            difference = regrets[:, place] - alone
            ends = [100 * each / alone.mean() for each in (difference.mean(), *bootstrap_interval(difference))]
            line += "{:>+7.0f}% {:>14}".format(ends[0], f"[{ends[1]:+.0f}, {ends[2]:+.0f}]")
            line += f"{len(raced) / len(of_rule):>7.0%}"
        if raced and rule.share:
            trials, seeds = (np.mean([getattr(each, part) for each in raced]) for part in ("n_trials", "n_seeds"))
            line += f"{trials:>7.1f} x {seeds:.1f}"
        print(line)


def main() -> None:
    """Run all searches, and print a table for each size of the noise and number of workers."""
    options = _options()
    rules = [SEARCH_ALONE, *options.rules]
    tables = find_tables(options.tables)
    groups = [
        [
            Cell(table=table, n_workers=n_workers, seed=seed, noise=noise, trainings=trainings)
            for seed in range(options.seeds)
            for table in tables
        ]
        for noise in options.noise
        for n_workers in options.workers
        for trainings in [options.trainings or FULL_TRAININGS[n_workers]]
    ]
    print(f"{'':16}{'regret':>7} {'to the search alone':>22}{'raced':>7}{'trials x seeds':>16}")
    spawn = multiprocessing.get_context("spawn")  # a fork of a process that runs Ray would wait for it for ever
    with ProcessPoolExecutor(options.processes, spawn) as processes:
        for cells in groups:
            outcomes = list(processes.map(run_cell, cells, [rules] * len(cells)))
            first = cells[0]
            print(
                f"noise {first.noise:g}, {first.n_workers} workers, {first.trainings} trainings, {len(cells)} searches"
            )
            print_outcomes(outcomes, rules, compute_regrets(outcomes))


def read_rule(text: str) -> RaceRule:
    """Return the rule that `5x3@0.2`, `5?` or `8-4-2@0.2` stands for. Raise ValueError for anything else."""
    if text.endswith("?"):
        known = text.removesuffix("?")
        return RaceRule(top=0 if known == "all" else int(known), seeds=0, share=0, knows=True)
    sizes, _, share = text.removesuffix("!").partition("@")
    checks_seed = not text.endswith("!")
    if "-" in sizes:
        rounds = tuple(map(int, sizes.split("-")))
        return RaceRule(top=rounds[0], seeds=len(rounds), share=float(share), checks_seed=checks_seed, rounds=rounds)
    top, _, seeds = sizes.partition("x")
    return RaceRule(top=int(top), seeds=int(seeds), share=float(share), checks_seed=checks_seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulate.confirm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tables", nargs="+", metavar="TABLES", help="files, folders, or FILE:PART")
    parser.add_argument("--noise", type=float, nargs="+", default=[0, 0.5, 1, 2], help="1: that of real seeds")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 16], choices=sorted(FULL_TRAININGS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trainings", type=int, help="that all workers together have time for; else 12, 20 or 40")
    parser.add_argument("--rules", type=read_rule, nargs="+", default=[read_rule(each) for each in RULES])
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
