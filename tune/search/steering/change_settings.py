"""Settings that change while a search runs: how many trials, how many at a time, and for how long."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tune.cluster.resources import Resources, count_gpu_slots
from tune.errors import OptionError, SpaceError, suggest_name
from tune.experiment.requests import SteeringRequest
from tune.invocation import this_command
from tune.paths import ExperimentPaths
from tune.search.controller_api import SearchListener, notify_listeners
from tune.search.progress import format_estimate
from tune.search.steering.controls import SearchControls
from tune.search.study.study import SearchStudy
from tune.space.settings import MAY_CHANGE, Settings, field_of_setting, set_to
from tune.space.space import Space
from tune.space.space_file import write_space

STEERABLE = ("trials", "concurrency", "time_budget")
"""Settings that a running search changes."""


class SettingsChanger:
    """Changes those of one search, in its controls, its ledger and its space file."""

    def __init__(
        self,
        paths: ExperimentPaths,
        space: Space,
        ledger: SearchStudy,
        controls: SearchControls,
        resources: Resources,
        listeners: Sequence[SearchListener],
        spent_s: float = 0.0,
    ) -> None:
        """``spent_s``: the part of the time budget, in seconds, that was spent before this driver's first trial."""
        self._paths = paths
        self._space = space
        self._ledger = ledger
        self._controls = controls
        self._resources = resources
        self._listeners = listeners
        self._spent_s = spent_s

    def change_settings(self, request: SteeringRequest) -> str:
        """Do what a request asks for, all or nothing, and say what holds now; raise what is wrong with it.

        The ledger knows it first, with the id of the request: ``restore_set_values`` makes up for the space file.
        """
        settings = self._space.settings
        if not request.arguments:
            raise OptionError(None, "nothing to set", f"Name some of {', '.join(STEERABLE)}.")
        for name, text in request.arguments.items():
            settings = self._apply_value(settings, name, text)
        self._check_trials(settings)
        changed = [name for name in STEERABLE if _value_of(settings, name) != _value_of(self._space.settings, name)]
        n_more = settings.trials - self._space.settings.trials
        self._space = replace(self._space, settings=settings)
        values = {name: _value_of(settings, name) for name in STEERABLE}
        self._ledger.note_set_values(request.id, self._space, {"user": request.user, "set": values})
        write_space(self._space, self._paths.space)
        self._apply_limits(settings, n_more)
        told = ", ".join(f"{name} {_describe(values[name], name)}" for name in changed)
        return told or "all of this holds already"

    def _apply_value(self, settings: Settings, name: str, text: Any) -> Settings:
        if name not in STEERABLE:
            hint = suggest_name(name, STEERABLE, what="settings that change while a search runs")
            if name in MAY_CHANGE:
                resume = f"{this_command()} resume {self._paths.cli_argument}"
                hint = f"Once the search has ended: {resume} --{name.replace('_', '-')} VALUE"
            raise OptionError(None, f"no setting that changes while a search runs, got {name!r}", hint)
        more = isinstance(text, str) and text.startswith("+")
        written = text[1:] if more else text
        value = int(written) if isinstance(written, str) and written.isdecimal() and len(written) < 16 else written
        try:
            changed = set_to(settings, name, value, None)
        except SpaceError as error:
            raise OptionError(None, error.what, f"Write `{name}=20`, or `+20` for so many more.") from None
        if _value_of(changed, name) is None:
            raise OptionError(None, f"{name}: no value, got {text!r}", f"Write `{name}=...`.")
        if more:
            changed = _add_to(settings, changed, name)
        if name == "concurrency":
            self._check_concurrency(changed.concurrency or 1)
        return changed

    def _check_concurrency(self, wanted: int) -> None:
        if self._resources.slots is not None:
            what = "the nodes of this cluster say how many trials run at a time"
            raise OptionError(None, f"concurrency: {what}, got {wanted}", "Add nodes, or take some away.")
        most = count_places(self._resources)
        if wanted > most:
            what = f"concurrency: at most {most} trials fit at a time, got {wanted}"
            raise OptionError(None, what, "`resume` starts with other resources.")

    def _check_trials(self, settings: Settings) -> None:
        n_there = self._ledger.n_trials - self._ledger.proposals.n_trials
        if settings.trials < n_there and settings.trials != self._space.settings.trials:
            what = f"trials: there are {n_there} already, got {settings.trials}"
            raise OptionError(None, what, "Write a larger number, or `trials=+N` for N more.")

    def _apply_limits(self, settings: Settings, n_more: int) -> None:
        if settings.concurrency is not None:
            self._controls.change_limits(concurrency=settings.concurrency)
        self._controls.change_limits(trials=settings.trials)
        if settings.time_budget_s is not None:
            self._controls.budget.budget_s = settings.time_budget_s - self._spent_s
        notify_listeners(
            self._listeners, SearchListener.on_limits_changed, n_more, settings.concurrency, settings.time_budget_s
        )


def count_places(resources: Resources) -> int:
    """Return how many trials fit at a time in what Ray was told that there is."""
    by_cores = int(resources.logical_cpus / resources.cpus_per_trial)
    if resources.gpus_per_trial:
        return max(resources.concurrency, min(by_cores, count_gpu_slots(resources.gpus_per_trial, len(resources.gpus))))
    return max(resources.concurrency, by_cores)


def _add_to(before: Settings, added: Settings, name: str) -> Settings:
    field = field_of_setting(name)
    held = getattr(before, field)
    if held is None:
        raise OptionError(None, f"{name}: it has none to which something could be added", f"Write `{name}=...`.")
    changes: Mapping[str, Any] = {field: held + getattr(added, field)}
    return replace(before, **changes)


def _value_of(settings: Settings, name: str) -> float | None:
    value: float | None = getattr(settings, field_of_setting(name))
    return value


def _describe(value: float | None, name: str) -> str:
    return format_estimate(value) if name == "time_budget" and value is not None else str(value)
