"""Go on with an edited space: which trials it keeps, and which it leaves out for which reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from tune.experiment.trial_result import SETTINGS
from tune.paths import ExperimentPaths
from tune.promotion.resolve import PromotedConstant, hardcoded_values
from tune.search.samplers.trial_window import from_label, to_label
from tune.search.study.journal import KNOWLEDGE, TRAINED_OTHERWISE, open_study, read_journal_records
from tune.search.study.rewrite_journal import Fate, RewrittenJournal
from tune.search.study.study import BASELINE
from tune.search.study.switch_files import commit_edit
from tune.space.conditions import only_active
from tune.space.dimensions import Dimension, Value
from tune.space.edit import convert_config
from tune.space.space import Space, note_space


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
