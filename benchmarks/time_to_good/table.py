"""The table of the times, problem by problem."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.peers.contestants import OURS, Contestant
from benchmarks.results_file import ResultsFile
from benchmarks.spread import ratios, spread


def show(results: ResultsFile, contestants: Sequence[Contestant], problems: Sequence[str]) -> None:
    """Print it."""
    for problem in problems:
        lines = [line for line in results.lines if line["problem"] == problem]
        for line in lines:
            if line["who"] == "target":
                figures = "  ".join(f"{name} {line[name]:.4g}" for name in ("baseline", "best", "target"))
                print(f"\n{problem}: {figures}, of {line['random_trials']} random trials")
        print(f"{'':<16}{'seconds to the target':<32}{'over ours, seed by seed':<30}reached")
        ours = times(lines, OURS.name)
        for each in contestants:
            own = times(lines, each.name)
            over = ratios({seed: time for seed, time in own.items() if math.isfinite(ours.get(seed, math.inf))}, ours)
            n_reached = sum(map(math.isfinite, own.values()))
            cells = spread([*own.values()], 1), spread(over)
            print(f"{each.name:<16}{cells[0]:<32}{cells[1]:<30}{n_reached} of {len(own)}")
        medians = {
            each.name: statistics.median(own.values()) for each in contestants if (own := times(lines, each.name))
        }
        if medians:
            print(f"first in the median: {min(medians, key=lambda name: medians[name])}")
    if results.mixed:
        print(f"\nwarning: {results.path} holds measurements of other code of ours too; --results starts a new file")


def times(lines: Sequence[dict[str, object]], who: str) -> dict[int, float]:
    """Return seconds to the target by seed; infinite where it was not reached in time."""
    own = [line for line in lines if line["who"] == who]
    return {line["round"]: math.inf if line["reached_s"] is None else line["reached_s"] for line in own}
