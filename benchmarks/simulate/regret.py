"""The tables that are printed: how far from the best known value each method was, when, and how sure that is."""

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.simulate.events import N_MOMENTS
from benchmarks.simulate.runs import Row
from benchmarks.simulate.tables import Floats

MOMENTS = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Shares of the budget."""
WORST = 1.5
"""Regret is cut off here: one and a half times as far from the best as the median of random configurations."""
N_BOOTSTRAPS = 2000

Pair = tuple[str, int]
"""Table and seed."""


class Regrets:
    """The regret of the methods on the pairs of table and seed that all of them have, for one number of workers."""

    def __init__(self, rows: Iterable[Row], methods: Sequence[str]) -> None:
        by_method: dict[str, dict[Pair, Row]] = {method: {} for method in methods}
        best: dict[str, float] = {}
        for row in rows:
            by_method[row.method][row.table, row.seed] = row
            best[row.table] = min(best.get(row.table, row.scale.best), row.run.best[-1])
        self.methods = [method for method in methods if by_method[method]]
        self.pairs = sorted(set.intersection(*(set(by_method[method]) for method in self.methods)))
        self.tables = sorted({table for table, _ in self.pairs})
        self.rows = {method: [by_method[method][pair] for pair in self.pairs] for method in self.methods}
        self.of = {
            method: np.array([_regret(row, best[row.table]) for row in rows]) for method, rows in self.rows.items()
        }
        """By method: (pairs, moments), 0 the best known value and 1 the median of random configurations."""

    def ends(self, method: str, table: str | None = None) -> Floats:
        """Return the regret when the budget is spent."""
        chosen = [place for place, pair in enumerate(self.pairs) if table in (None, pair[0])]
        return self.of[method][chosen, -1]


def _regret(row: Row, best: float) -> Floats:
    values = np.array(row.run.best)
    return np.clip((values - best) / (row.scale.median - best), 0, WORST)


def print_regrets(regrets: Regrets, n_workers: int, against: str) -> None:
    """Print the methods, the best first, and the regret of each table."""
    seeds = len({seed for _, seed in regrets.pairs})
    print(f"\nW = {n_workers}: {len(regrets.tables)} tables, {seeds} seeds, {len(regrets.pairs)} runs a method\n")
    shares = " ".join(f"{f'{share:.1%}' if share < 0.2 else f'{share:.0%}':>6}" for share in MOMENTS)
    print(f"{'':22} {'':>7} {'regret, % of a random one, after':^34} {'':>8} {'minus ' + against:>20} {'better':>7}")
    print(f"{'method':22} {'trials':>7} {shares} {'<= 10%':>8} {'(95%)':>20} {'/worse':>7} {'ms/trial':>9}")
    for method in sorted(regrets.methods, key=lambda name: regrets.ends(name).mean()):
        print(_line(regrets, method, against))
    print(f"\n{'regret at the end, %':22} " + " ".join(f"{_short(table):>9}" for table in regrets.tables))
    for method in sorted(regrets.methods, key=lambda name: regrets.ends(name).mean()):
        means = (100 * regrets.ends(method, table).mean() for table in regrets.tables)
        print(f"{method:22} " + " ".join(f"{mean:>9.1f}" for mean in means))
    if against in regrets.methods and len(regrets.tables) > 1:
        print(f"\n{'minus ' + against + ', at the end':22} {'other tables':>16} {'one left out':>16}")
        for method in regrets.methods:
            if method != against:
                print(_elsewhere(regrets, method, against))


def _line(regrets: Regrets, method: str, against: str) -> str:
    of, rows = regrets.of[method], regrets.rows[method]
    n_trials = np.mean([row.run.n_trials for row in rows])
    ms = 1000 * sum(row.run.method_s for row in rows) / sum(row.run.n_trials for row in rows)
    at = " ".join(f"{100 * of[:, round(share * N_MOMENTS) - 1].mean():>6.1f}" for share in MOMENTS)
    within = f"{np.mean(of[:, -1] <= 0.1):.0%}"
    versus, wins = "", ""
    if method != against and against in regrets.methods:
        differences = regrets.ends(method) - regrets.ends(against)
        low, high = bootstrap_interval(differences)
        versus = f"{100 * differences.mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        wins = f"{np.mean(differences < 0):.0%}/{np.mean(differences > 0):.0%}"
    return f"{method:22} {n_trials:>7.0f} {at} {within:>8} {versus:>20} {wins:>7} {ms:>9.1f}"


def _elsewhere(regrets: Regrets, method: str, against: str) -> str:
    """Return what the difference might be on other tables, and between what it lies if one of these is left out."""
    by_table = np.array(
        [(regrets.ends(method, table) - regrets.ends(against, table)).mean() for table in regrets.tables]
    )
    low, high = bootstrap_interval(by_table)
    without = (by_table.sum() - by_table) / (len(by_table) - 1)
    others = f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"{method:22} {others:>16} {f'{100 * without.min():+.1f} to {100 * without.max():+.1f}':>16}"


def bootstrap_interval(differences: Floats) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the mean."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (N_BOOTSTRAPS, len(differences))).mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def _short(table: str) -> str:
    return table.replace("lcbench:", "lc").replace("_noisy", "_n").replace(":error", "")[:9]
