"""Go on with an edited space: which trials it keeps, which it leaves out for which reason, and the files of both.

Optuna refuses other categories within a study, so the journal is written anew, record by record: what was reported
keeps its order and its times, and every trial its number. A trial that the edited space could not have drawn becomes a
failed one for Optuna, marked as left out, with all that it takes to count again under a space that holds it. New files
are written aside and take their names at once; the old ones stay.
"""

# ruff: noqa: SLF001 - Optuna has no public word for a trial's id

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages.journal._storage import JournalOperation as Op
from optuna.trial import FrozenTrial, TrialState

from tune.experiment.trial_result import BASELINE, LEFT_OUT, SETTINGS
from tune.paths import ExperimentPaths
from tune.promotion.resolve import PromotedConstant, hardcoded_values
from tune.search.samplers.optuna_values import distribution_of, from_label, to_label
from tune.search.study.journal import KNOWLEDGE, TRAINED_OTHERWISE, open_study, read_journal_records
from tune.space.conditions import only_active
from tune.space.dimensions import Dimension, Value, could_draw
from tune.space.edit import convert_config
from tune.space.space import Space, note_space
from tune.space.space_file import write_space

Record = Mapping[str, Any]
Fate = dict[str, Value] | str
"""A trial's values in the edited space, or why it is left out."""

WORKER = "edited space"
"""Whom Optuna takes for the author of our records; it wants a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrittenJournal:
    """What becomes of a study."""

    dimensions: Mapping[str, Dimension]
    """Of the edited space."""
    trials: Sequence[FrozenTrial]
    """Every trial as it is now."""
    fates: Mapping[int, Fate]
    """By the trials' numbers."""
    marks: Mapping[str, Any]
    """Attributes for every trial that ended."""
    study: Mapping[str, Any]
    """Attributes of the study that change."""

    def rewrite_records(self, before: Iterable[Record]) -> Iterator[Record]:
        """Yield the new journal's records; ``before`` are the old one's."""
        by_id = {trial._trial_id: trial for trial in self.trials}
        moved = {trial._trial_id for trial in self.trials if self._has_new_state(trial)}
        ids = iter(sorted(by_id))
        for record in before:
            if record["op_code"] == Op.CREATE_TRIAL:
                yield self._rewrite_creation(record, by_id[next(ids)])
            elif self._is_unchanged(record, moved):
                yield record
        for name, value in self.study.items():
            yield {"op_code": Op.SET_STUDY_USER_ATTR, "worker_id": WORKER, "study_id": 0, "user_attr": {name: value}}
        for trial_id in sorted(moved):
            yield self._build_end_record(by_id[trial_id])

    def _has_new_state(self, trial: FrozenTrial) -> bool:
        """Tell whether a trial is left out, or was, and so has another state now."""
        return isinstance(self.fates[trial.number], str) or LEFT_OUT in trial.user_attrs

    def _is_unchanged(self, record: Record, moved: set[int]) -> bool:
        """Tell whether a record is the same: a searcher's own marks, and what is written anew, are not."""
        match record["op_code"]:
            case Op.SET_TRIAL_STATE_VALUES:
                return record["trial_id"] not in moved
            case Op.SET_TRIAL_SYSTEM_ATTR:
                return False
            case Op.SET_TRIAL_USER_ATTR:
                return not {"constants", LEFT_OUT, *self.marks} & record["user_attr"].keys()
            case Op.SET_STUDY_USER_ATTR:
                return not record["user_attr"].keys() & self.study.keys()
            case _:
                return True

    def _rewrite_creation(self, record: Record, trial: FrozenTrial) -> Record:
        fate = self.fates[trial.number]
        attributes = {**record.get("user_attrs", {}), "constants": trial.user_attrs["constants"]}
        attributes.pop(LEFT_OUT, None)
        params: dict[str, Any] = {}
        if isinstance(fate, str):
            attributes[LEFT_OUT] = {"why": fate, **_original_end(trial)}
        else:
            attributes["constants"] = fate
            params = {name: value for name, value in fate.items() if could_draw(self.dimensions[name], value)}
        if trial.state.is_finished():
            attributes |= {name: value for name, value in self.marks.items() if name not in attributes}
        distributions = {name: distribution_of(self.dimensions[name]) for name in params}
        return {
            **record,
            "distributions": {name: distribution_to_json(each) for name, each in distributions.items()},
            "params": {
                name: distributions[name].to_internal_repr(to_label(self.dimensions[name], value))
                for name, value in params.items()
            },
            "user_attrs": attributes,
            "system_attrs": {},
        }

    def _build_end_record(self, trial: FrozenTrial) -> Record:
        """Return the record of how a trial ended, as it counts now."""
        end = _original_end(trial)
        left_out = isinstance(self.fates[trial.number], str)
        state = TrialState.FAIL if left_out else TrialState[end["state"]]
        completed = trial.datetime_complete or datetime.now(tz=UTC)
        return {
            "op_code": Op.SET_TRIAL_STATE_VALUES,
            "worker_id": WORKER,
            "trial_id": trial._trial_id,
            "state": state,
            "values": None if left_out else end["values"],
            "datetime_complete": completed.astimezone(UTC).isoformat(timespec="microseconds"),
        }


def _original_end(trial: FrozenTrial) -> dict[str, Any]:
    """Return how a trial ended before it was left out; one that had not waits."""
    held = trial.user_attrs.get(LEFT_OUT)
    if held is not None:
        return {"state": held["state"], "values": held["values"]}
    state = trial.state if trial.state.is_finished() else TrialState.WAITING
    return {"state": state.name, "values": trial.values}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceEdit:
    """A search's space before and after, with what both promote in the snapshot."""

    before: Space
    after: Space
    promoted_before: Sequence[PromotedConstant]
    promoted: Sequence[PromotedConstant]

    @property
    def touches_trials(self) -> bool:
        """Whether past trials are seen differently; settings alone may change beside them."""
        return any(
            repr(old) != repr(new)
            for old, new in (
                (self.before.dimensions, self.after.dimensions),
                (self.before.conditions, self.after.conditions),
                ([each.text for each in self.before.requirements], [each.text for each in self.after.requirements]),
                (self.before.settings.trainer, self.after.settings.trainer),
            )
        )

    @property
    def all_hardcoded(self) -> dict[str, Value]:
        """What the source says of the constants of both."""
        return {**hardcoded_values(self.promoted_before), **hardcoded_values(self.promoted)}

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """Of the edited space, in the program's types."""
        return {item.key: item.dimension for item in self.promoted}

    def convert_values(self, values: Mapping[str, Value]) -> Fate:
        """Return what a configuration is in the edited space, or why it is none."""
        return convert_config(values, self.after, self.dimensions, self.all_hardcoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTrials:
    """What comes of the past trials; nothing is written before ``write_edit``."""

    edit: SpaceEdit
    recast: RewrittenJournal
    n_kept: int
    left_out: dict[str, list[int]]
    """The numbers of those that do not count any more, by the reason."""
    n_known_left_out: int
    """How many trials of another experiment are not known any more."""

    def write_edit(self, paths: ExperimentPaths) -> None:
        """Give the experiment the edited space, and a ledger that fits it; the caller holds its lock."""
        commit_edit(paths, self.edit.after, self.recast.rewrite_records(read_journal_records(paths.journal)))


def find_kept_trials(edit: SpaceEdit, paths: ExperimentPaths) -> KeptTrials:
    """Return what the edited space makes of an experiment's trials."""
    study = open_study(paths)
    trials = study.get_trials(deepcopy=False)
    fates = {trial.number: _convert_trial(trial, edit) for trial in trials}
    known = study.user_attrs.get(KNOWLEDGE)
    still_known = [] if known is None else _keep_prior_trials(known["trials"], edit)
    recast = RewrittenJournal(
        dimensions=edit.dimensions,
        trials=trials,
        fates=fates,
        marks={TRAINED_OTHERWISE: True} if edit.before.settings.trainer != edit.after.settings.trainer else {},
        study={
            SETTINGS: note_space(edit.after),
            **({} if known is None else {KNOWLEDGE: {**known, "trials": still_known}}),
        },
    )
    left_out: dict[str, list[int]] = {}
    for number, fate in fates.items():
        if isinstance(fate, str):
            left_out.setdefault(fate, []).append(number)
    n_left_out = sum(map(len, left_out.values()))
    n_known = 0 if known is None else len(known["trials"])
    return KeptTrials(
        edit=edit,
        recast=recast,
        n_kept=len(trials) - n_left_out,
        left_out=left_out,
        n_known_left_out=n_known - len(still_known),
    )


def _convert_trial(trial: FrozenTrial, edit: SpaceEdit) -> Fate:
    """Return what becomes of a trial; the baseline holds the hardcoded values, whatever the ranges are."""
    if trial.number == BASELINE:
        return only_active(hardcoded_values(edit.promoted), edit.after.conditions)
    return edit.convert_values(trial.user_attrs["constants"])


def _keep_prior_trials(trials: Sequence[Mapping[str, Any]], edit: SpaceEdit) -> list[dict[str, Any]]:
    """Return those trials of another experiment that say something about the edited space, as it knows them."""
    before = {item.key: item.dimension for item in edit.promoted_before}
    found = []
    for each in trials:
        fate = edit.convert_values({name: from_label(before[name], label) for name, label in each["params"].items()})
        if not isinstance(fate, str):
            params = {name: to_label(edit.dimensions[name], value) for name, value in fate.items()}
            found.append({**each, "params": params})
    return found


def commit_edit(paths: ExperimentPaths, space: Space, records: Iterable[Record]) -> None:
    """Give an experiment another space and another ledger; the caller holds its lock.

    Killed before the folder is renamed, nothing has changed; after it, every reader sees the new files, and
    ``recover_edit`` moves to their places those that still are in it.
    """
    aside = paths.folder / f"{paths.pending_edit.name}.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    earlier_space, earlier_journal = paths.files_before_edit(paths.n_earlier + 1)
    shutil.copyfile(paths.space, aside / earlier_space.name)
    shutil.copyfile(paths.journal, aside / earlier_journal.name)
    write_space(space, aside / paths.space.name)
    with (aside / paths.journal.name).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    for path in (*aside.iterdir(), aside):
        _fsync_path(path)
    aside.rename(paths.pending_edit)
    _fsync_path(paths.folder)
    recover_edit(paths)


def recover_edit(paths: ExperimentPaths) -> None:
    """Move to their places the files of a switch that was decided; forget one that was not."""
    shutil.rmtree(paths.folder / f"{paths.pending_edit.name}.new", ignore_errors=True)
    if not paths.pending_edit.is_dir():
        return
    for path in sorted(paths.pending_edit.iterdir()):
        path.replace(paths.folder / path.name)
    paths.pending_edit.rmdir()
    _fsync_path(paths.folder)


def _fsync_path(path: Path) -> None:
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
