"""Experiments that were not searched: a ledger with the trials that a test wants, and the files that go with them."""

import json
import math
import random
from datetime import datetime

from tests.projects import write_program
from tune.experiment.records import Failure, TrialRecord
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.study.study import create_search_study
from tune.search.study.version_folders import version_name
from tune.space.space_file import read_space, write_space
from tune.trial.messages import EpochReport

BEGAN = datetime(2026, 3, 1, 12, 0).timestamp()


class Recorded:
    """Writes one trial after the other, on two workers, as a search does."""

    def __init__(self, folder, text, *, program="scripted", source=None, name="exp"):
        file = write_program(folder / "project", program, source)
        space_file = file.with_name("space.yaml")
        space_file.write_text(f"system: {file.name}\n{text}")
        self.space = read_space(space_file)
        found = find_program(self.space.program)
        promoted = resolve_constants(self.space, found)
        self.paths = ExperimentPaths(folder / "storage" / name)
        self.paths.folder.mkdir(parents=True)
        write_space(self.space, self.paths.space)
        take_snapshot(found, self.paths.source)
        self.ledger = create_search_study(self.paths, self.space, promoted)
        self.ledger.notes.add_command("python run_search.py --space space.yaml")
        self.times = {}  # start and end by number
        self.free = [BEGAN, BEGAN]  # when each worker is free

    def trial(self, curve, state="complete", *, reason=None, others=None, pause_s=0.0, epoch_s=2.0):
        """Write a trial with this curve, or what a function of its constants says: curve, state and reason."""
        number, values = self.ledger.ask_baseline() if self.ledger.n_trials == 0 else self.ledger.ask_trial()
        if callable(curve):
            curve, state, reason = curve(values)
        worker = min(range(2), key=lambda each: self.free[each])
        start = self.free[worker] + pause_s
        end = start + epoch_s * (len(curve) or 1)
        self.free[worker] = end + 0.2
        self.times[number] = (start, end)
        version = version_name(number, values if number else {})
        self.ledger.set_attributes(number, version=version, worker=f"host:{100 + worker}")
        for epoch, value in enumerate(curve, 1):
            more = () if others is None else tuple(others(values, epoch))
            self.ledger.write_epochs(number, [EpochReport(epoch, value, others=more)])
        files = self.paths.version(version)
        files.folder.mkdir()
        TrialRecord(
            number=number,
            version=version,
            constants=values,
            seed=0,
            stage="failed" if state == "failed" else "running" if state == "running" else "complete",
            pid=100 + worker,
            host="host",
            devices=None,
            started=start,
            ended=None if state == "running" else end,
            failure=Failure(kind="Error", message=reason or "") if state == "failed" else None,
        ).write_record(files)
        if state == "failed":
            self.ledger.fail_trial(number, reason)
        elif state == "pruned":
            self.ledger.prune_trial(number)
        elif state == "complete":
            self.ledger.complete_trial(number)
        return number

    def finish(self):
        """Put the times of the plan into the journal, which holds those of its writing."""
        lines = []
        opened = iter(self.times.values())
        for line in self.paths.journal.read_text().splitlines():
            record = json.loads(line)
            if record.get("datetime_start"):
                record["datetime_start"] = self._iso(next(opened)[0])
            if record.get("datetime_complete"):
                record["datetime_complete"] = self._iso(self.times[record["trial_id"]][1])
            lines.append(json.dumps(record, separators=(",", ":")))
        self.paths.journal.write_text("\n".join(lines) + "\n")
        return self.paths

    @staticmethod
    def _iso(time):
        return datetime.fromtimestamp(time).isoformat(timespec="microseconds")


def learnt(quality, n_epochs, rng):
    """Return a curve that rises to ``quality``, with noise."""
    return [quality * (1 - math.exp(-epoch / 3)) + rng.gauss(0, 0.004) for epoch in range(1, n_epochs + 1)]


def searched(folder, n_trials, *, n_epochs=10, name="exp", seed=0):
    """Return an experiment of two constants that looks like a search: a few trials complete, most were stopped."""
    text = """
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
  BATCH_SIZE: {choice: [8, 16, 32]}
  HIDDEN: {lograndint: [4, 256]}
sampler: random
"""
    rng = random.Random(seed)
    recorded = Recorded(folder, text, name=name)

    def drawn(values, *, first):
        quality = 0.95 - 0.08 * abs(math.log10(values["LR"]) + 2.3) - 0.01 * abs(math.log2(values["HIDDEN"]) - 6)
        if not first and rng.random() < 0.04:
            return learnt(quality, 2, rng), "failed", "RuntimeError: out of memory (scripted.py:22)"
        stops = not first and rng.random() < (0.9 if quality < 0.9 else 0.4)
        return (
            learnt(quality, rng.choice([1, 1, 2, 4]) if stops else n_epochs, rng),
            "pruned" if stops else "complete",
            None,
        )

    for number in range(n_trials):
        recorded.trial(lambda values, n=number: drawn(values, first=n == 0))
    return recorded.finish()
