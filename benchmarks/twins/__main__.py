"""Whether a trial is the plain program with its constants edited by hand: what it logs, and what it is worth.

    python -m benchmarks.twins                 # all programs of tests/programs, 3 trials each
    python -m benchmarks.twins folds refit     # some of them
    python -m benchmarks.twins --trials 5 --seed 1

Each program is searched by the command. The source is then edited by hand to each trial's values, and run as it stands
with its own loggers. All scalars are compared to the last bit, with tags and steps. The score is compared with what
Lightning's ``ModelCheckpoint`` has read in the plain run. Prints a line for each program, and exits with 1 where one
differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.twins.logged import compare_curves, count_cells, read_curves, read_tables
from benchmarks.twins.plain import PlainRunner, plain_runner
from benchmarks.twins.twin import PLACEHOLDER, PROGRAMS, SPACE, Twin, program_names, read_twin

COMMAND = Path(__file__).parents[2] / "run_search.py"
EXPERIMENT = "space"
TIMEOUT_S = 300


@dataclass(slots=True)
class Row:
    """What was found for one program."""

    name: str
    n_trials: int = 0
    n_tags: int = 0
    n_values: int = 0
    added: set[str] = field(default_factory=set)
    """Tags of trials alone."""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = "; ".join(self.problems) or "equal"
        added = f" (and of the trials alone: {', '.join(sorted(self.added))})" if self.added else ""
        return f"{self.name:<18}{self.n_trials:>6}{self.n_tags:>6}{self.n_values:>8}  {verdict}{added}"


def main() -> int:
    """Compare the programs in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="folders of tests/programs; default: all")
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.names or program_names()
    print(f"{'program':<18}{'trials':>6}{'tags':>6}{'values':>8}")
    n_different = 0
    with plain_runner() as plain:
        for name in names:
            with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
                row = _compare(read_twin(PROGRAMS / name), Path(folder), plain, options.trials, options.seed)
            n_different += bool(row.problems)
            print(row, flush=True)
    print(f"{len(names) - n_different} of {len(names)} programs: all trials are equal to their twins")
    return 1 if n_different else 0


def _compare(twin: Twin, folder: Path, plain: PlainRunner, n_trials: int, seed: int) -> Row:
    """Search a program, and run the twin of each of its trials."""
    row = Row(twin.name)
    project, storage = twin.copy(folder / "project"), folder / "storage"
    words = ["--trials", str(n_trials), "--seed", str(seed), "--scheduler", "none", "--quiet"]
    searched = _run(["--space", str(project / SPACE), *words], project, storage)
    if searched.returncode != 0:
        row.problems.append(f"the search ended with {searched.returncode}: {searched.stderr[-500:]}")
        return row
    found = json.loads(_run(["results", EXPERIMENT, "--json"], project, storage).stdout)
    (experiment,) = found["experiments"]
    surroundings = json.loads((storage / EXPERIMENT / "surroundings.json").read_text())
    for trial in experiment["trials"]:
        if trial["state"] != "complete":
            row.problems.append(f"{trial['version']} {trial['state']}: {trial['reason']}")
            continue
        run = plain.run(
            twin,
            folder / f"plain-{trial['number']}",
            trial["constants"],
            seed=seed,
            n_threads=int(surroundings["threads"]),
        )
        difference = compare_curves(run.curves, read_curves(storage / EXPERIMENT / trial["version"]))
        row.n_trials += 1
        row.n_tags = len(run.curves)
        tables = [*read_tables(project).values()]  # trials share the folder of a CSVLogger
        tables += read_tables(storage / EXPERIMENT / trial["version"]).values()  # hydra's folder is the version's
        row.problems += [
            f"{trial['version']}: no {path} is equal" for path in run.tables if run.tables[path] not in tables
        ]
        row.n_values += sum(count_cells(table) for table in run.tables.values())
        row.n_values += difference.n_values
        row.added |= set(difference.added) if run.curves else set()
        row.problems += [f"{trial['version']}: {tag}: {what}" for tag, what in difference.other.items()]
        row.problems += [f"{trial['version']}: no {tag}" for tag in difference.missing if tag != PLACEHOLDER]
        if trial["score"] != run.score:
            row.problems.append(f"{trial['version']}: score {trial['score']!r}, not {run.score!r}")
    return row


def _run(words: Sequence[str], project: Path, storage: Path) -> "subprocess.CompletedProcess[str]":
    command: list[Any] = [sys.executable, COMMAND, *words, "--storage", storage]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


if __name__ == "__main__":
    sys.exit(main())
