"""The study of a search: an Optuna study in a journal file, the only truth about trials."""

# ruff: noqa: SLF001 - Optuna has no public word for WAITING, nor for going on with a trial

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from tune.experiment.proposal_note import PROPOSED, ProposalNote, read_proposal
from tune.experiment.trial_result import (
    LEFT_OUT,
    MUTATIONS,
    N_FITS,
    SEALED,
    TrialResult,
    create_trial_result,
    extra_metrics_key,
    find_score_epoch,
    read_metric_values,
)
from tune.internals.optuna_internals import FINISHED, batch_storage_writes
from tune.paths import ExperimentPaths
from tune.promotion.options.option import Option
from tune.promotion.resolve import PromotedConstant
from tune.search.samplers.searcher import Searcher, SuggestedConfig
from tune.search.study.journal import KNOWLEDGE, REPEAT, TRAINED_OTHERWISE, Event, create_study, open_study, read_events
from tune.search.study.study_notes import REQUEST, StudyNotes
from tune.space.conditions import only_active, restore_value
from tune.space.dimensions import Value
from tune.space.space import Space
from tune.trial.messages import EpochReport


class ProposedTrials:
    """Those of one study."""

    def __init__(self, study: optuna.Study) -> None:
        self.n_trials = 0
        """All of them: the sampler draws as many trials as were asked for, beside these."""
        self.waiting: set[int] = set()
        """The numbers of those that have not begun: they have no version yet."""
        self.configs: dict[str, int] = {}
        """The configurations of those that have not begun, as texts."""
        self._by_request: dict[str, int] = {}
        for trial in study.get_trials(deepcopy=False):
            note = read_proposal(trial.user_attrs.get(PROPOSED))
            if note is None or LEFT_OUT in trial.user_attrs:
                continue
            self.n_trials += 1
            self._by_request[note.request] = trial.number
            if not trial.state.is_finished() and "version" not in trial.user_attrs:
                self.waiting.add(trial.number)

    def add_trial(self, number: int, request: str, config: str) -> None:
        """Take a new one."""
        self.n_trials += 1
        self.waiting.add(number)
        self.configs.setdefault(config, number)
        self._by_request[request] = number

    def find_request(self, request: str) -> int | None:
        """Return the trial of a request; None where it is none of an earlier driver's, or of this one."""
        return self._by_request.get(request)

    def find_waiting(self, config: str) -> int | None:
        """Return the trial that has not begun with a configuration; None where there is none."""
        number = self.configs.get(config)
        return number if number in self.waiting else None


class SearchStudy:
    """Writes down the configurations that are drawn, and what became of them."""

    def __init__(
        self, study: optuna.Study, space: Space, promoted: Sequence[PromotedConstant], history: Sequence[Event] = ()
    ) -> None:
        self._study = study
        self._space = space
        self.notes = StudyNotes(study)
        self._open: dict[int, int] = {}  # the ids of trials, by number
        self.proposals = ProposedTrials(study)
        self._finished: dict[str, TrialResult] = {}  # the first trial of each configuration
        self.history = history
        """What happened to the trials that earlier drivers trained, in its order."""
        self.searcher = Searcher(space, promoted, n_past=len(study.get_trials(deepcopy=False)))
        """Draws configurations."""
        if KNOWLEDGE in study.user_attrs:
            self._pass_prior_trials(study.user_attrs[KNOWLEDGE]["trials"])
        past = self._counted_trials
        self._values = self.searcher.restore_trials(past)  # of every trial; the journal makes lists of tuples
        self._options = {item.key: item.dimension for item in promoted if isinstance(item.constant, Option)}
        dimensions = {item.key: item.dimension for item in promoted}
        for trial in past:
            for mutation in trial.user_attrs.get(MUTATIONS, ()):
                held = mutation["constants"].items()
                self._values[trial.number] = {name: restore_value(dimensions[name], value) for name, value in held}
            self._note_finished(trial)
        for number in self.proposals.waiting:
            self.proposals.configs.setdefault(repr(self._values[number]), number)

    @property
    def n_trials(self) -> int:
        """Trials that were ever opened, without those that an edited space left out."""
        return len(self._counted_trials)

    @property
    def _counted_trials(self) -> list[FrozenTrial]:
        return [trial for trial in self._study.get_trials(deepcopy=False) if LEFT_OUT not in trial.user_attrs]

    def reopen_trials(self) -> list[int]:
        """Open again every trial that did not end; return the numbers of those that had begun."""
        unfinished = [trial for trial in self._study.get_trials(deepcopy=False) if not trial.state.is_finished()]
        for trial in unfinished:
            self._open[trial.number] = trial._trial_id
        begun = [trial for trial in unfinished if trial.number not in self.proposals.waiting]
        for trial in begun:
            if trial.state == TrialState.WAITING:
                self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        return [trial.number for trial in begun]

    def add_prior_trials(self, experiment: str, trials: Sequence[TrialResult]) -> None:
        """Know the trials of another experiment: noted beside ours, not among them, so that no reader counts them."""
        known = [
            {
                "params": self.searcher.to_labels(each.values),
                "state": each.state.upper(),
                "curve": list(each.measures.items()),
                "scores": each.scores,
            }
            for each in trials
        ]
        self._study.set_user_attr(KNOWLEDGE, {"experiment": experiment, "trials": known})
        self._pass_prior_trials(known)

    def _pass_prior_trials(self, trials: Sequence[Mapping[str, Any]]) -> None:
        for each in trials:
            state = TrialState[each["state"]]
            scores = each["scores"] if state is TrialState.COMPLETE else None
            self.searcher.add_prior_trial(each["params"], state, dict(each["curve"]), scores)

    def ask_baseline(self) -> tuple[int, dict[str, Value]]:
        """Open trial 0: the hardcoded values; one that only the program knows is left as it is."""
        return self._add_trial(self.searcher.suggest_baseline())

    def ask_trial(self) -> tuple[int, dict[str, Value]]:
        """Open a trial; return its number and its values. A constant that is left out keeps its hardcoded value."""
        return self._add_trial(self.searcher.suggest_config())

    def note_set_values(self, request: str, space: Space, what: Mapping[str, Any]) -> None:
        """Note settings that somebody changed under the id of the request, all or nothing."""
        with batch_storage_writes(self._storage):
            self._study.set_user_attr(f"{REQUEST}{request}", dict(what))
            self.notes.note_settings(space)

    def add_proposal(self, draw: SuggestedConfig, note: ProposalNote) -> int:
        """Write down a trial that somebody proposes, and that waits for a free place; return its number."""
        number, _ = self._add_trial(draw, TrialState.WAITING, **{PROPOSED: note.as_json()})
        self.proposals.add_trial(number, note.request, repr(draw.values))
        return number

    def find_trial_of(self, values: Mapping[str, Value]) -> int | None:
        """Return the trial that has a configuration already, ended, running or waiting; None where there is none."""
        wanted = repr(dict(values))
        if wanted in self._finished:
            return self._finished[wanted].number
        begun = (number for number in self._open if number not in self.proposals.waiting)
        running = next((number for number in begun if repr(self._values[number]) == wanted), None)
        return self.proposals.find_waiting(wanted) if running is None else running

    def mark_no_more_trials(self) -> None:
        """Write down that no further trial is to come: a scheduler may decide by it, and a grid is finished then."""
        if self._study.user_attrs.get(SEALED) != self.n_trials:
            self._study.set_user_attr(SEALED, self.n_trials)

    def set_waiting(self, number: int) -> None:
        """Let an open trial wait."""
        self._storage.set_trial_state_values(self._open[number], TrialState.WAITING)

    def set_running(self, number: int) -> None:
        """Let one that waited go on; one that did not is no harm."""
        if self._frozen_trial(number).state == TrialState.WAITING:
            self._storage.set_trial_state_values(self._open[number], TrialState.RUNNING)

    def read_mutations(self, number: int) -> list[dict[str, Any]]:
        """Return how an open trial's constants changed: after which ``epoch``, from which ``donor``, to what."""
        return list(self.get_attributes(number).get(MUTATIONS, ()))

    def add_mutation(self, number: int, epoch: int, donor: int, values: Mapping[str, Value]) -> None:
        """Change an open trial's constants."""
        mutation = {"epoch": epoch, "donor": donor, "constants": dict(values)}
        self.set_attributes(number, **{MUTATIONS: [*self.read_mutations(number), mutation]})
        self._values[number] = dict(values)

    def close_as_repeat(self, number: int, *, begun: bool = False) -> TrialResult | None:
        """Close a new trial with what an earlier one of its configuration was worth; None where there is none.

        A trial depends on its constants alone: all have one seed. With ``begun`` only what an earlier driver had begun
        to repeat is.
        """
        noted = self.get_attributes(number)
        earlier = self._finished.get(repr(self._values[number]))
        if earlier is None or (REPEAT not in noted if begun else self._space.trains_repeats):
            return None
        self.set_attributes(number, **{REPEAT: earlier.number, "version": earlier.version})
        known = self.read_curve(number).keys()
        told = {epoch: measured for epoch, measured in earlier.measures.items() if epoch not in known}
        epochs = [
            EpochReport(at, value, others=tuple(more), n_fits=earlier.n_fits) for at, (value, *more) in told.items()
        ]
        self.write_epochs(number, epochs)
        return self.prune_trial(number) if earlier.state == "pruned" else self.complete_trial(number)

    @property
    def has_other_metrics(self) -> bool:
        """Whether trials have further metrics beside the first."""
        return bool(self._space.others)

    def set_attributes(self, number: int, **attributes: Any) -> None:
        """Write attributes of an open trial."""
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(self._open[number], name, value)

    def get_attributes(self, number: int) -> Mapping[str, Any]:
        """Return the attributes of an open trial."""
        return self._frozen_trial(number).user_attrs

    def version_of(self, number: int) -> str | None:
        """Return the version's name of any trial; None where it has none yet."""
        trials = self._study.get_trials(deepcopy=False)
        return trials[number].user_attrs.get("version") if number < len(trials) else None

    def get_values(self, number: int) -> dict[str, Value]:
        """Return the promoted constants of a trial."""
        return dict(self._values[number])

    def write_epochs(self, number: int, epochs: Sequence[EpochReport]) -> None:
        """Write several epochs of a trial, all or none: the curve, and further metrics; on disk when this returns.

        That one is the last comes first: with it, what the scheduler decided follows from the epochs alone.
        """
        with batch_storage_writes(self._storage):
            for each in epochs:
                if each.last:
                    self.set_attributes(number, last_epoch=each.epoch)
                if each.n_fits is not None:
                    self.set_attributes(number, **{N_FITS: each.n_fits})
                if each.others:
                    self.set_attributes(number, **{extra_metrics_key(each.epoch): list(each.others)})
                self._storage.set_trial_intermediate_value(self._open[number], each.epoch, each.value)
        for each in epochs:
            self.searcher.record_value(number, each.value)

    def _scored_epoch(self, number: int) -> int | None:
        return find_score_epoch(self.read_curve(number), self._space.mode, self.get_attributes(number).get(N_FITS))

    def note_used_options(self, number: int, found: Mapping[str, Any]) -> None:
        """Write down which options an open trial trained with, where its program alone knew them.

        ``found``: ``value`` by constant, as a trial's record has it.
        """
        held = {key: restore_value(self._options[key], found[key]["value"]) for key in self._options if key in found}
        values = {**self._values[number], **held}
        in_order = {key: values[key] for key in self._space.dimensions if key in values}
        active = only_active(in_order, self._space.conditions)
        if active != self._values[number]:
            self._values[number] = active
            self.set_attributes(number, constants=active)

    def read_curve(self, number: int) -> dict[int, float]:
        """Return what an open trial reported, by epoch."""
        return self._frozen_trial(number).intermediate_values

    def complete_trial(self, number: int, **noted: Any) -> TrialResult:
        """Close a trial that came to its end, with these attributes; its value is its best epoch."""
        best_epoch = self._scored_epoch(number)
        assert best_epoch is not None
        values = read_metric_values(self._frozen_trial(number))[best_epoch]
        return self._tell_trial(number, TrialState.COMPLETE, values, best_epoch=best_epoch, **noted)

    def find_missing_metric(self, number: int) -> str | None:
        """Return which further metric an open trial has not got in its best epoch; None where all are finite."""
        best_epoch = self._scored_epoch(number)
        if best_epoch is None:
            return None
        _, *values = read_metric_values(self._frozen_trial(number))[best_epoch]
        for objective, value in zip(self._space.others, values, strict=False):
            if not math.isfinite(value):
                return f"{objective.metric} is {value} in epoch {best_epoch}"
        return None

    def prune_trial(self, number: int, **noted: Any) -> TrialResult:
        """Close a trial that the scheduler stopped; Optuna takes its curve."""
        best_epoch = self._scored_epoch(number)
        return self._tell_trial(number, TrialState.PRUNED, best_epoch=best_epoch, **noted)

    def fail_trial(self, number: int, reason: str, **noted: Any) -> TrialResult:
        """Close a trial that failed."""
        return self._tell_trial(number, TrialState.FAIL, reason=reason, **noted)

    def withdraw_trial(self, number: int, reason: str, **noted: Any) -> TrialResult:
        """Close a trial that was proposed and has not begun: nobody learns from it."""
        self.proposals.waiting.discard(number)
        with batch_storage_writes(self._storage):
            self.set_attributes(number, reason=reason, **noted)
            self._storage.set_trial_state_values(self._open[number], TrialState.PRUNED)
        trial = self._storage.get_trial(self._open.pop(number))
        self.searcher.forget_trial(number)
        return create_trial_result(trial, self._space.mode)

    def suspend_trials(self) -> None:
        """Leave what is open WAITING, with its curve: the search ends before it does."""
        for number, trial_id in self._open.items():
            if number not in self.proposals.waiting:
                self._storage.set_trial_state_values(trial_id, TrialState.WAITING)
        self._open.clear()

    @property
    def trial_results(self) -> list[TrialResult]:
        """Every trial so far, in the order of their numbers."""
        return [create_trial_result(trial, self._space.mode) for trial in self._counted_trials]

    def get_trial_result(self, number: int) -> TrialResult:
        """Return an open trial as far as it is."""
        return create_trial_result(self._frozen_trial(number), self._space.mode)

    def _add_trial(
        self, draw: SuggestedConfig, state: TrialState = TrialState.RUNNING, **noted: Any
    ) -> tuple[int, dict[str, Value]]:
        """Write a trial that starts now, or waits: it enters the ledger whole, in one record."""
        template = create_trial(
            state=state,
            params=draw.params,
            distributions={name: self.searcher.distributions[name] for name in draw.params},
            user_attrs={"constants": draw.values, "seed": self._space.settings.seed, **noted},
            system_attrs=draw.marks,
        )
        trial_id = self._storage.create_new_trial(self._study._study_id, template)
        number = self._storage.get_trial(trial_id).number
        self._open[number] = trial_id
        self._values[number] = draw.values
        self.searcher.register_trial(number, draw)
        return number, dict(draw.values)

    def _frozen_trial(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._open[number])

    def _tell_trial(
        self, number: int, state: TrialState, values: Sequence[float] | None = None, **noted: Any
    ) -> TrialResult:
        with batch_storage_writes(self._storage):
            self.set_attributes(number, **noted)
            self._study.tell(number, values, state=state)
        trial = self._storage.get_trial(self._open.pop(number))  # not by a list of all: it grows
        self.searcher.tell_trial(number, state, read_metric_values(trial), values)
        self._note_finished(trial)
        return create_trial_result(trial, self._space.mode)

    def _note_finished(self, trial: FrozenTrial) -> None:
        has_result = trial.state in FINISHED and trial.intermediate_values
        if has_result and not {REPEAT, TRAINED_OTHERWISE} & trial.user_attrs.keys():
            self._finished.setdefault(repr(self._values[trial.number]), create_trial_result(trial, self._space.mode))

    @property
    def _storage(self) -> BaseStorage:
        return self._study._storage


def create_search_study(paths: ExperimentPaths, space: Space, promoted: Sequence[PromotedConstant]) -> SearchStudy:
    """Return a new ledger in an experiment's folder."""
    return SearchStudy(create_study(paths, space), space, promoted)


def open_search_study(paths: ExperimentPaths, space: Space, promoted: Sequence[PromotedConstant]) -> SearchStudy:
    """Return the ledger of an experiment, to go on with it; the caller holds the experiment's lock.

    Raises ExperimentError where it was written in a format that we do not know.
    """
    study = open_study(paths)
    trials = study.get_trials(deepcopy=False)
    trained = {trial._trial_id: trial.number for trial in trials if not {REPEAT, LEFT_OUT} & trial.user_attrs.keys()}
    return SearchStudy(study, space, promoted, list(read_events(paths.journal, trained)))
