"""The table of what was measured, and how far it is from what is aimed at."""

from collections.abc import Mapping

from benchmarks.overhead.measure import Window
from benchmarks.peers.contestants import HYDRA, LIMIT, OPTUNA, OURS, RAY, RAY_REUSE
from benchmarks.results_file import ResultsFile
from benchmarks.spread import ratios, spread

ORDER = (LIMIT, OURS, OPTUNA, RAY_REUSE, HYDRA, RAY)


def show(results: ResultsFile, window: Window, slow: Mapping[str, Window]) -> None:
    """Print it."""
    limit = by_round(results, LIMIT.name, "slope_ms")
    print(
        f"\nslope: milliseconds a trial, from the end of trial {window.first} to that of {window.last}; median (spread)"
    )
    cpu_limit = by_round(results, LIMIT.name, "cpu_ms")
    print(
        f"{'':<16}{'slope, ms':<24}{'over the limit':<24}{'CPU over the limit':<24}{'start, s':<22}{'end, s':<22}rounds"
    )
    for contestant in ORDER:
        slope = by_round(results, contestant.name, "slope_ms")
        start, end = (by_round(results, contestant.name, name) for name in ("start_s", "end_s"))
        cpu = by_round(results, contestant.name, "cpu_ms")
        cells = spread([*slope.values()], 0), spread(ratios(slope, limit)), spread(ratios(cpu, cpu_limit))
        times = (spread([*start.values()], 1), spread([*end.values()], 1))
        print(
            f"{contestant.name:<16}{cells[0]:<24}{cells[1]:<24}{cells[2]:<24}{times[0]:<22}{times[1]:<22}{len(slope)}"
        )
    for name, own in slow.items():
        print(f"{name}: from trial {own.first} to {own.last}")
    _show_aims(results)
    if results.mixed:
        print(f"\nwarning: {results.path} holds measurements of other code of ours too; --results starts a new file")


def _show_aims(results: ResultsFile) -> None:
    slopes = {each.name: by_round(results, each.name, "slope_ms") for each in ORDER}
    cpu = {each.name: by_round(results, each.name, "cpu_ms") for each in ORDER}
    imports, ray = by_round(results, "floor", "import_s"), by_round(results, "floor", "ray_s")
    floor = {number: imports[number] + ray[number] for number in imports}
    ours = slopes[OURS.name]
    print("\nours, ratios within a round")
    aims = {
        "slope over the limit": (ratios(ours, slopes[LIMIT.name]), "1.15 at most"),
        "slope over Optuna": (ratios(ours, slopes[OPTUNA.name]), "1.0 at most"),
        "CPU of all processes over Optuna's": (ratios(cpu[OURS.name], cpu[OPTUNA.name]), ""),
        "Ray's tutorial over ours": (ratios(slopes[RAY.name], ours), "5 at least"),
        "start over import + ray.init": (ratios(by_round(results, OURS.name, "start_s"), floor), "1.5 at most"),
        "end, s": ([*by_round(results, OURS.name, "end_s").values()], "under 2"),
        "driver's CPU, % of a core": ([*by_round(results, "driver", "cpu_percent").values()], "under 5"),
        "  at reports a second": ([*by_round(results, "driver", "reports_per_s").values()], "about 1"),
        "import of torch and Lightning, s": ([*imports.values()], ""),
        "import of ray, ray.init, s": ([*ray.values()], ""),
    }
    for name, (values, aim) in aims.items():
        print(f"{name:<36}{spread(values):<28}{aim}")


def by_round(results: ResultsFile, who: str, what: str) -> dict[int, float]:
    """Return a measurement by its round."""
    return {line["round"]: line[what] for line in results.lines if line["who"] == who}
