"""The ledger as it would be had the search had an edited space from the start.

Optuna refuses other categories within a study, so the journal is written anew, record by record: what was reported
keeps its order and its times, and every trial its number. A trial that the edited space could not have drawn becomes a
failed one for Optuna, marked as left out, with all that it takes to count again under a space that holds it.
"""

# ruff: noqa: SLF001 - Optuna has no public word for a trial's id

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages.journal._storage import JournalOperation as Op
from optuna.trial import FrozenTrial, TrialState

from tune.experiment.trial_result import LEFT_OUT
from tune.search.samplers.trial_window import distribution_of, to_label
from tune.space.dimensions import Dimension, Value, could_draw

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
