"""Plain runs: what a program logs, and what Lightning's own ``ModelCheckpoint`` says about its metric."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.twins.logged import Curves, Tables, read_curves, read_tables
from benchmarks.twins.twin import Twin


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRun:
    """What a plain run left."""

    curves: Curves
    tables: Tables
    fits: list[list[float]]
    """Every value of the metric as ``ModelCheckpoint`` read it, by fit; fits without the metric are left out."""
    score: float
    """What a trial with the same values is worth."""


class PlainRunner:
    """Runs plain programs in one process that stays."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(
        self, twin: Twin, folder: Path, values: Mapping[str, Any], *, seed: int = 0, n_threads: int = 1
    ) -> PlainRun:
        """Edit a copy of the program in a new folder, run it there, and return what it left."""
        program = twin.copy(folder / "program")
        log, result, monitors = folder / "plain.log", folder / "plain.json", folder / "monitors"
        request = {
            "folder": str(program),
            "words": twin.write_by_hand(program, values),
            "package": twin.lightning,
            "metric": twin.metric,
            "mode": twin.mode,
            "monitor": dict(twin.monitor),
            "log": str(log),
            "result": str(result),
            "monitors": str(monitors),
            "seed": seed,
            "n_threads": n_threads,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code = self._process.stdout.readline().strip()
        if code != "0":
            raise RuntimeError(f"the plain {twin.name} ended with {code or 'its runner'}:\n{log.read_text()[-3000:]}")
        curves = read_curves(program)
        found = json.loads(result.read_text())
        fits = [fit for fit in found if fit["best"] is not None]
        return PlainRun(
            curves=curves,
            tables=read_tables(program),
            fits=[fit["curve"] for fit in fits],
            score=_score(twin, [fit["best"] for fit in fits], curves),
        )


def _score(twin: Twin, bests: list[float], curves: Curves) -> float:
    match twin.score:
        case "best":
            return bests[-1]
        case "mean":
            return fmean(bests)
        case {"tag": str(tag)}:
            return curves[tag][-1][1]
    raise ValueError(f"score must be best, mean or a tag, got {twin.score!r}")


@contextlib.contextmanager
def plain_runner() -> Iterator[PlainRunner]:
    """Start the process that runs plain programs, and end it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "benchmarks.twins.runner"]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield PlainRunner(process)
        assert process.stdin is not None
        process.stdin.close()
