"""What it costs to ask for a trial and to write down its end, by the number of trials that a search has behind it.

    python -m benchmarks.ask [--full] [--sampler tpe]

Five constants, three reports a trial, half of the trials pruned. A whole search is driven through the ledger, with its
journal on disk, and without Ray; medians of the last 50 trials before each mark. Beside it, the ask of an Optuna study
in memory that holds all trials, from the same sampler with the same arguments: its median of 10, at the same mark.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

import optuna

from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import PromotedConstant, resolve_constants
from tune.search.samplers.optuna_samplers import build_sampler
from tune.search.samplers.optuna_values import distribution_of
from tune.search.study.study import SearchStudy, create_search_study
from tune.space.space import Space
from tune.space.space_file import read_space
from tune.trial.messages import EpochReport

MARKS = (100, 1_000, 5_000)
FULL = (*MARKS, 10_000)
WINDOW = 50  # trials before a mark
N_ASKS = 10  # of the study that holds all
PROGRAM = "LR = 1e-3\nWD = 1e-4\nDROPOUT = 0.1\nHIDDEN = 64\nOPTIMIZER = 'adam'\n"
SPACE = """
system: program.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-5, 1e-1]}
  WD: {loguniform: [1e-6, 1e-2]}
  DROPOUT: {uniform: [0.0, 0.5]}
  HIDDEN: {lograndint: [16, 512]}
  OPTIMIZER: {choice: [adam, sgd, rmsprop]}
"""


def main() -> None:
    """Run one search up to the last mark and print a line at each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="up to 10,000 trials")
    parser.add_argument("--sampler", default="tpe")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        space, promoted = _space(Path(folder), options.sampler)
        paths = ExperimentPaths(Path(folder) / "bench")
        paths.folder.mkdir()
        ledger = create_search_study(paths, space, promoted)
        print(f"{options.sampler}: {'trials':>8} {'ask, ms':>10} {'ends, ms':>10} {'Optuna holding all, ask, ms':>30}")
        asks: list[float] = []
        ends: list[float] = []
        rng = random.Random(0)
        for number in range((FULL if options.full else MARKS)[-1]):
            ask_ms, end_ms = _trial(ledger, number, rng)
            asks.append(ask_ms)
            ends.append(end_ms)
            if number + 1 in FULL:
                plain = _plain_ask_ms(paths, space, promoted)
                print(
                    f"{'':{len(options.sampler) + 1}} {number + 1:>8,} {statistics.median(asks[-WINDOW:]):>10.1f} "
                    f"{statistics.median(ends[-WINDOW:]):>10.1f} {plain:>30.1f}",
                    flush=True,
                )


def _space(folder: Path, sampler: str) -> tuple[Space, tuple[PromotedConstant, ...]]:
    (folder / "program.py").write_text(PROGRAM)
    (folder / "space.yaml").write_text(f"{SPACE}sampler: {sampler}\n")
    space = read_space(folder / "space.yaml")
    return space, resolve_constants(space, find_program(space.program))


def _trial(ledger: SearchStudy, number: int, rng: random.Random) -> tuple[float, float]:
    """Run a trial without training; return the milliseconds of its ask, and of its reports and end."""
    started = time.perf_counter()
    asked, values = ledger.ask_trial() if number else ledger.ask_baseline()
    ended = time.perf_counter()
    score = 1 - abs(float(str(values["DROPOUT"])) - 0.2) - 0.05 * rng.random()
    for epoch in (1, 2, 3):
        ledger.write_epochs(asked, [EpochReport(epoch, score - 1 / epoch)])
    _ = ledger.prune_trial(asked) if number % 2 else ledger.complete_trial(asked)
    return (ended - started) * 1000, (time.perf_counter() - ended) * 1000


def _plain_ask_ms(paths: ExperimentPaths, space: Space, promoted: tuple[PromotedConstant, ...]) -> float:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(paths.journal)))
    trials = optuna.load_study(study_name=None, storage=storage).get_trials(deepcopy=False)
    dimensions = {item.key: item.dimension for item in promoted}
    study = optuna.create_study(direction="maximize", sampler=build_sampler(space.settings.sampler, {}, seed=0))
    study.add_trials(trials)
    times = []
    for _ in range(N_ASKS):
        started = time.perf_counter()
        study.ask({name: distribution_of(dimension) for name, dimension in dimensions.items()})
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
