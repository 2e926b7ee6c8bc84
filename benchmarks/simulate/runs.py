"""Every run of a comparison: by two processes, and each written to a file, so that a run is never computed twice."""

import hashlib
import json
import math
import multiprocessing
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.simulate.events import Run, simulate
from benchmarks.simulate.methods import OURS, build_method
from benchmarks.simulate.tables import SHORT, Scale, open_table, scale_of

ROOT = Path(__file__).parents[2]
DECIDING = (
    "search/samplers/trial_window",
    "search/samplers/perturb",
    "search/samplers/optuna_samplers",
    "search/samplers/searcher",
    "internals/optuna_internals",
    "search/schedulers/asha",
    "search/schedulers/hyperband",
    "search/schedulers/median",
    "search/schedulers/pbt",
    "search/schedulers/build_scheduler",
)
"""The modules of ``tune`` of which another text is another search."""

FULL_TRAININGS = {1: 12, 2: 12, 4: 20, 16: 40}
"""The budget of all workers together, in mean full trainings of the table, by the number of workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run that is wanted."""

    table: str
    """As ``open_table`` takes it."""
    n_workers: int
    seed: int
    method: str
    trainings: int | None = None
    """The budget of all workers together, in mean full trainings of the table; None: that of ``FULL_TRAININGS``."""

    @property
    def key(self) -> tuple[str, int, int, str, str, int | None]:
        """What a row of the file is found by; a table by its name, wherever its file lies."""
        return (table_name(self.table), self.n_workers, self.seed, self.method, made_by(self.method), self.trainings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the file."""

    table: str
    n_workers: int
    seed: int
    method: str
    made_by: str
    run: Run
    scale: Scale
    trainings: int | None = None

    @property
    def key(self) -> tuple[str, int, int, str, str, int | None]:
        """That of its cell."""
        return (self.table, self.n_workers, self.seed, self.method, self.made_by, self.trainings)


def run_cells(cells: Sequence[Cell], file: Path, n_processes: int) -> Iterator[tuple[Row, bool]]:
    """Yield the row of each cell, and whether it was in the file already; new ones are written as they come.

    Without processes nothing is run: only what the file holds is yielded.
    """
    known = {row.key: row for row in read_rows(file)}
    missing = [cell for cell in cells if cell.key not in known]
    yield from ((known[cell.key], True) for cell in cells if cell.key in known)
    if not missing or not n_processes:
        return
    fresh = multiprocessing.get_context("spawn")  # a fork of a process that runs Ray would wait for it for ever
    with ProcessPoolExecutor(n_processes, fresh) as processes, file.open("a", encoding="utf-8") as out:
        futures = [processes.submit(_run, cell) for cell in missing]
        try:
            for future in as_completed(futures):
                row = future.result()
                out.write(json.dumps(asdict(row)) + "\n")
                out.flush()
                yield row, False
        finally:
            processes.shutdown(wait=False, cancel_futures=True)


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a file, none where there is no such file; a torn last line is no row."""
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        rows.append(Row(**{**fields, "run": Run(**fields["run"]), "scale": Scale(**fields["scale"])}))
    return rows


def table_name(table: str) -> str:
    """Return a table's name without opening it: ``lcbench:7593``, ``digits:loss@10+2``."""
    if short := SHORT.fullmatch(table):
        return f"{table_name(short['table'])}@{short['epochs']}+{short['start']}"
    return table.replace(Path(table.partition(":")[0]).name, Path(table.partition(":")[0]).stem).rpartition("/")[2]


def made_by(method: str) -> str:
    """Return what decides about the outcome beside the cell: the text of our classes, or the peers' versions."""
    if method.split()[0] != OURS:
        return f"optuna {version('optuna')}, ray {version('ray')}"
    texts = [(ROOT / "tune" / f"{name}.py").read_bytes() for name in DECIDING]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:12]


def _run(cell: Cell) -> Row:
    table, scale = open_table(cell.table), scale_of(cell.table)
    budget_s = scale.full_s * (cell.trainings or FULL_TRAININGS[cell.n_workers]) / cell.n_workers
    name, n_workers, seed, label, made, trainings = cell.key
    method = build_method(label, table, zlib.crc32(f"{name} {seed}".encode()), n_workers)  # no two tables share draws
    run = simulate(table, method, n_workers, budget_s)
    assert any(map(math.isfinite, run.best))
    return Row(
        table=name,
        n_workers=n_workers,
        seed=seed,
        method=label,
        made_by=made,
        run=run,
        scale=scale,
        trainings=trainings,
    )
