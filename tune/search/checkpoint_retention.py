"""The checkpoints that a search keeps: those of its best trials, of the baseline, and of what is not through yet."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.experiment.records import read_record
from tune.experiment.trial_result import Mode, TrialResult, pareto_front, rank_trials
from tune.invocation import this_command
from tune.paths import ExperimentPaths, VersionPaths

FREE_SHARE = 0.1
"""Of the disk that would be free without them: so much all checkpoints may take where no number is given."""


@dataclass(frozen=True, slots=True)
class FreedCheckpoints:
    """What made room."""

    n_trials: int
    """Whose checkpoints are gone."""
    n_bytes: int


def disk_free(folder: Path) -> int:
    """Return how many bytes are left on the folder's disk."""
    return shutil.disk_usage(folder).free


class CheckpointRetention:
    """Frees checkpoints, just before the ledger says that a trial ended.

    So that at no moment more ended trials have checkpoints than are to be kept. Should the driver die in between, the
    ledger still holds the trial's curve, which makes it count among the best, and its checkpoint is there.
    """

    def __init__(
        self,
        paths: ExperimentPaths,
        modes: Sequence[Mode],
        keep: int | None,
        *,
        free: Callable[[Path], int] = disk_free,
        elsewhere: bool = False,
    ) -> None:
        self._paths = paths
        self._modes = modes
        self._keep = keep
        self._free = free
        self._elsewhere = elsewhere  # whether a trial's checkpoints may be there though they are not here
        self._held: dict[int, TrialResult] = {}  # ended trials that have checkpoints, but the baseline
        self._sizes: dict[int, int] = {}  # of theirs, in bytes
        self._late: list[VersionPaths] = []  # freed, and their processes may still write there
        self.freed = FreedCheckpoints(0, 0)
        """In this process, so far."""

    def restore_ended_trials(self, outcomes: Sequence[TrialResult]) -> None:
        """Know the trials of earlier drivers."""
        for outcome in outcomes:
            if outcome.state in ("complete", "pruned", "failed") and outcome.repeat_of is None:
                self._add_ended_trial(outcome)
        self._free_surplus(self._count_other_bytes(set()))

    def free_checkpoints(self, ending: TrialResult, running: Sequence[VersionPaths]) -> None:
        """Count a trial that is about to end; free what is not to be kept beside the ``running`` ones'."""
        self._add_ended_trial(ending)
        self._free_surplus(self._count_other_bytes(set(running)), ending)
        self.free_late_files()

    def free_late_files(self) -> None:
        """Free once more what a trial still wrote while it was stopped."""
        for version in self._late:
            _delete_checkpoints(version)
        self._late = [version for version in self._late if not _has_trial_ended(version)]

    def finish_freeing(self) -> FreedCheckpoints:
        """Return what made room, after a last look at what was stopped late."""
        self.free_late_files()
        return self.freed

    def _add_ended_trial(self, outcome: TrialResult) -> None:
        version = self._paths.version(outcome.version)
        size = count_checkpoint_bytes(version)
        there = size > 0 or (self._elsewhere and outcome.n_epochs > 0 and not version.freed_note.is_file())
        if there and not outcome.is_baseline:
            self._held[outcome.number] = outcome
            self._sizes[outcome.number] = size

    def _count_other_bytes(self, running: set[VersionPaths]) -> int:
        """Return the bytes of what is kept in any case."""
        if self._keep is not None:
            return 0
        baseline = [self._paths.folder.glob("000,*")] if self._held else []
        kept = {*running, *(VersionPaths(folder) for found in baseline for folder in found)}
        return sum(count_checkpoint_bytes(version) for version in kept)

    def _free_surplus(self, other_bytes: int, ending: TrialResult | None = None) -> None:
        if not self._held or (self._keep is not None and len(self._held) <= self._keep):
            return
        in_order, n_best = self._order_trials()
        n_kept = max(n_best, self._count_kept([self._sizes[each.number] for each in in_order], other_bytes))
        for outcome in in_order[n_kept:]:
            self._free_trial(outcome, is_ending=outcome is ending)

    def _order_trials(self) -> tuple[list[TrialResult], int]:
        """Return the trials, the best first, and how many of them count as the best: the Pareto front."""
        held = list(self._held.values())
        front = pareto_front(held, self._modes)
        numbers = {each.number for each in front}
        others = [each for each in rank_trials(held, self._modes[0]) if each.number not in numbers]
        numbers |= {each.number for each in others}
        return [*front, *others, *(each for each in held if each.number not in numbers)], len(front)

    def _count_kept(self, sizes: Sequence[int], other_bytes: int) -> int:
        """Return how many of the best stay: the number that was asked for, or as many as fit."""
        if self._keep is not None:
            return self._keep
        taken = other_bytes + sum(sizes)
        room = FREE_SHARE * (self._free(self._paths.folder) + taken) - other_bytes
        for count, size in enumerate(sizes):
            room -= size
            if room < 0:
                return count
        return len(sizes)

    def _free_trial(self, outcome: TrialResult, *, is_ending: bool) -> None:
        version = self._paths.version(outcome.version)
        command = f"{this_command()} retrain {self._paths.cli_argument} --trial {outcome.number}"
        version.checkpoints.mkdir(parents=True, exist_ok=True)
        version.freed_note.write_text(
            f"The checkpoints of this trial were freed: others were better.\nTo train it again: {command}\n",
            encoding="utf-8",
        )
        _delete_checkpoints(version)
        if is_ending and not _has_trial_ended(version):
            self._late.append(version)
        del self._held[outcome.number]
        self.freed = FreedCheckpoints(self.freed.n_trials + 1, self.freed.n_bytes + self._sizes.pop(outcome.number))


def count_checkpoint_bytes(version: VersionPaths) -> int:
    """Return the bytes of a version's checkpoints; two names of one file count once."""
    sizes = {}
    for path in _list_checkpoints(version):
        try:
            found = path.stat()
        except FileNotFoundError:  # its trial puts another in its place
            continue
        sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())


def _list_checkpoints(version: VersionPaths) -> list[Path]:
    return [path for path in version.checkpoints.rglob("*") if path != version.freed_note and path.is_file()]


def _delete_checkpoints(version: VersionPaths) -> None:
    for path in _list_checkpoints(version):
        path.unlink(missing_ok=True)


def _has_trial_ended(version: VersionPaths) -> bool:
    record = read_record(version)
    return record is None or record.ended is not None
