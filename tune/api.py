"""The Python API: run a search, or open one that was run, from a notebook or a program."""

import contextlib
import html
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tune.api_progress import UserOutput
from tune.errors import SpaceError, StartError, UserError, suggest_name
from tune.experiment import open as opened
from tune.experiment.proposals import Others
from tune.experiment.requests import RequestAnswer
from tune.experiment.trial_result import TrialResult, rank_trials
from tune.notebook import create_view, format_cells
from tune.paths import ExperimentPaths, claim_experiment
from tune.search.controller_api import SearchListener
from tune.space.dimensions import Value
from tune.space.settings import SETTINGS, Confirm, set_to
from tune.space.space import Space
from tune.space.space_file import KEYS, find_space, read_space
from tune.storage_url import absolute_path, default_storage

if TYPE_CHECKING:
    from pandas import DataFrame
    from pytorch_lightning import LightningModule

    from tune.search.search_plan import SearchPlan
    from tune.search.spec import SearchResult

PLACE = "search()"
N_SHOWN = 10
"""Trials that a notebook shows of an experiment."""


class Experiment(opened.StoredExperiment):
    """A search, as its files tell it at this moment: ``Experiment("lr_bs").best.values``.

    ``trials`` holds a ``TrialResult`` for each trial; ``best`` and ``baseline`` are two of them, or None. ``chosen`` is
    the one that a confirmation chose, else the best.
    """

    __slots__ = ()

    def __init__(self, experiment: str | Path, *, storage: str | Path | None = None) -> None:
        """Open an experiment by its name in the storage, or by its folder.

        Without ``storage`` PROMOTUNE_STORAGE names the storage, else it is ``~/ray_results``.

        Raises ExperimentError where there is none.
        """
        found = opened.open_experiment(str(experiment), _storage_folder(storage))
        super().__init__(
            paths=found.paths, space=found.space, snapshot=found.snapshot, trials=found.trials, folder=found.folder
        )

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.paths.name

    @property
    def confirmation(self) -> dict[str, Any] | None:
        """What the confirmation found, as ``results --json`` has it; None where there is none."""
        from tune.results.confirm.confirmation import confirmation_as_json

        return confirmation_as_json(self)

    @property
    def curves(self) -> dict[int, dict[int, float]]:
        """The metric by epoch, of each trial by its number; ``pandas.DataFrame(curves)`` has a column for each."""
        return {trial.number: dict(trial.curve) for trial in self.trials if trial.curve}

    @property
    def failures(self) -> tuple[TrialResult, ...]:
        """The trials that failed; each one's ``reason`` says why."""
        return tuple(trial for trial in self.trials if trial.state == "failed")

    def __repr__(self) -> str:
        """Return one line: the name, how many trials there are, and the best."""
        best = self.best
        found = (
            "no trial has a score"
            if best is None or best.score is None
            else f"best {self.space.metric} = {best.score:.5g} {best.score_origin} of {best.version}"
        )
        return f"<Experiment {self.name}: {len(self.trials)} of {self.n_wanted} trials, {found}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the same line, and a table of the best trials."""
        best = rank_trials(self.trials, self.space.mode)[:N_SHOWN]
        heads = ("trial", "state", "epochs", self.space.metric, *self.space.dimensions)
        rows = [
            (each.number, each.state, each.n_epochs, each.score, *map(each.values.get, self.space.dimensions))
            for each in best
        ]
        body = "".join(f"<tr>{format_cells(row, 'td')}</tr>" for row in rows)
        table = f"<table><thead><tr>{format_cells(heads, 'th')}</tr></thead><tbody>{body}</tbody></table>"
        return f"<p>{html.escape(repr(self))}</p>{table if rows else ''}"

    def status(self) -> dict[str, Any]:
        """Return where the search is now, as ``promotune status --json`` prints it.

        Raises ExperimentError where its ledger cannot be read.
        """
        from tune.results.status import read_status

        return read_status(self.paths)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the status, then what happens, as ``promotune status --follow`` prints it, until the search ends.

        Raises ExperimentError where its ledger is damaged, or goes away.
        """
        from tune.results.status import follow_events

        yield from follow_events(self.paths)

    def propose(
        self, constants: Mapping[str, Value], *, why: str = "", outside: bool = False, others: Others = "hardcoded"
    ) -> RequestAnswer:
        """Let the search run a configuration next, or keep it for ``resume``; return what the driver says.

        ``outside`` lets values pass that the space does not hold. ``others``: where the constants come from that are
        not named: ``hardcoded``, ``best``, or ``sampler``. Raises UserError where the space does not hold them.
        """
        from tune.experiment.steer import propose_trial

        return propose_trial(self._reopen(), constants, why=why, outside=outside, others=others)

    def stop(self, trials: Iterable[int] = (), *, why: str = "") -> RequestAnswer:
        """Stop trials after their epochs, without any the search as Ctrl-C does; return what the driver says.

        Raises ExperimentError where no search runs.
        """
        from tune.experiment.steer import stop_trials

        return stop_trials(self.paths, tuple(trials), why=why)

    def _reopen(self) -> opened.StoredExperiment:
        """Return the experiment as it is now."""
        return opened.open_experiment(str(self.paths.folder), self.paths.folder.parent)

    def frame(self) -> "DataFrame":
        """Return the trials as a table: a row for each, by its number; a column for each constant."""
        import pandas as pd

        constants = dict.fromkeys(name for trial in self.trials for name in trial.values)
        rows = [
            {
                "version": trial.version,
                **{name: trial.values.get(name) for name in constants},
                self.space.metric: trial.score,
                **dict(zip((each.metric for each in self.space.others), trial.scores[1:], strict=False)),
                "state": trial.state,
                "best_epoch": trial.best_epoch,
                "n_epochs": trial.n_epochs,
                "reason": trial.reason,
            }
            for trial in self.trials
        ]
        return pd.DataFrame(rows, index=pd.Index([trial.number for trial in self.trials], name="trial"))

    def load(self, trial: int | None = None, *, trust_checkpoints: bool = False, **arguments: Any) -> "LightningModule":
        """Return the model of the best trial, or of this one: see ``tune.load``."""
        from tune.results.load_model import load

        return load(self.paths.folder, trial, trust_checkpoints=trust_checkpoints, **arguments)


def search(
    space: str | Path | None = None,
    *,
    name: str | None = None,
    storage: str | Path | None = None,
    gpus: Sequence[int] | None = None,
    address: str | None = None,
    on_trial: Callable[[TrialResult], None] = lambda outcome: None,
    progress: bool = False,
    **keys: Any,
) -> Experiment:
    """Search, and return the experiment; it prints nothing, or with ``progress`` one line that is rewritten.

    In a notebook ``progress`` shows a table and the curves of the trials, as they are.

    ``space`` is a space file, a path or a name in ``search_spaces/``; ``keys`` win over its settings: ``trials=40``.
    Without ``space`` they are all that a space file says: ``search(system="lit/digits.py", metric="Accuracy/Val",
    mode="max", constants={"LR": {"loguniform": [1e-4, 1e-1]}})``. ``on_trial`` hears of each trial that ended.
    ``address`` is that of a Ray cluster to join: ``auto``, ``HOST:6379``, ``ray://HOST:10001``.

    Raises UserError where a search cannot begin, as the command line tells it, and SearchError where it cannot go on:
    what was written is whole, and ``Experiment`` opens it.
    An exception of ``on_trial`` ends the search: the running epochs end first, and then it is raised.
    """
    from tune.cluster.backend import open_backend
    from tune.experiment.lock import lock_experiment
    from tune.experiment.preflight_failure import remove_untrained_search
    from tune.search.search_plan import prepare_search
    from tune.storage.download import list_remote_experiments
    from tune.storage.driver_sync import erase_experiment

    read = _space_from_keys(keys) if space is None else _apply_keys(read_space(find_space(str(space))), keys)
    with open_backend(address, None if gpus is None else tuple(gpus), lambda line: None) as where:
        plan = prepare_search(read, where, _storage_folder(storage), name)
        paths = claim_experiment(
            plan.storage,
            plan.name or plan.space.name,
            numbered=plan.name is None,
            taken=list_remote_experiments(plan.storage),
            on_exists=remove_untrained_search,
        )
        callback = _TrialCallback(on_trial)
        listeners: list[SearchListener] = [callback]
        view = create_view(plan) if progress else None
        if view is not None:
            listeners += [view.progress, view]
        with lock_experiment(paths):
            try:
                finished = _run_silently(plan, paths, listeners, lambda: callback.has_failed)
            except (UserError, StartError):
                erase_experiment(paths.folder)
                raise
            finally:
                if view is not None:
                    view.close()
            is_over = finished.fault is None and not finished.interrupted_by_user
            if is_over and callback.error is None and plan.space.settings.confirm is not None:
                _confirm_silently(finished, paths, plan.space.settings.confirm)
    if callback.error is not None:
        raise callback.error
    if finished.fault is not None:
        raise finished.fault
    return Experiment(paths.folder)


class _TrialCallback(SearchListener):
    """Calls the user's function with the user's output. Ray would swallow an exception, so it is kept."""

    def __init__(self, on_trial: Callable[[TrialResult], None]) -> None:
        self._on_trial = on_trial
        self._output = UserOutput()
        self.error: BaseException | None = None
        """What the function raised; it is not called again."""

    @property
    def has_failed(self) -> bool:
        """Whether the function raised an exception."""
        return self.error is not None

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Call the function, unless it has failed before."""
        if self.has_failed:
            return
        try:
            with self._output.restore_streams():
                self._on_trial(outcome)
        except KeyboardInterrupt:  # a second Ctrl-C
            raise
        except BaseException as error:
            self.error = error


@contextlib.contextmanager
def _silence(paths: ExperimentPaths) -> Iterator[None]:
    """Redirect what is printed to the driver's log.

    A notebook's streams are not the process's, which the search redirects: what Ray prints would stand in the cell.
    """
    from tune.search.spec import DRIVER_LOG

    with (
        (paths.folder / DRIVER_LOG).open("a", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        yield


def _confirm_silently(finished: "SearchResult", paths: ExperimentPaths, confirm: Confirm) -> None:
    from tune.retrain.confirm import plan_confirmation_runs
    from tune.retrain.plan import lock_retrained

    experiment = opened.open_experiment(str(paths.folder), paths.folder.parent)
    with _silence(paths), lock_retrained(experiment, lambda line: None):
        runs = plan_confirmation_runs(experiment, finished.resources, confirm, finished.ends_at)
        if runs is not None:
            runs.run(lambda run, found: None)


def _run_silently(
    plan: "SearchPlan", paths: ExperimentPaths, listeners: Sequence[SearchListener], is_end_wanted: Callable[[], bool]
) -> "SearchResult":
    from tune.results.confirm.project import count_confirming_runs
    from tune.retrain.kept_time import use_kept_time
    from tune.search.run import run_search
    from tune.search.spec import Search

    search = Search(
        space=plan.space,
        program=plan.program,
        promoted=plan.promoted,
        resources=plan.resources,
        paths=paths,
        listeners=tuple(listeners),
        is_end_wanted=is_end_wanted,
        n_confirming=count_confirming_runs(paths.folder.parent, plan.program, plan.space),
    )
    with _silence(paths):
        finished = run_search(search)
        return use_kept_time(search, finished, lambda line: None) if search.n_confirming else finished


def _storage_folder(given: str | Path | None) -> Path:
    return absolute_path(given, "storage") if given else default_storage()


def _apply_keys(space: Space, keys: dict[str, Any]) -> Space:
    settings = space.settings
    for key, value in keys.items():
        if key in KEYS - SETTINGS.keys():
            what = f"{key!r} stands in the space file, and is no setting that a call can change"
            raise SpaceError(PLACE, what, f"Change it in {space.path.name}, or leave the file out and give all keys.")
        if key not in SETTINGS:
            raise SpaceError(
                PLACE, f"{key!r} is not a setting of a space file", suggest_name(key, SETTINGS, what="settings")
            )
        settings = set_to(settings, key, value, PLACE)
    return replace(space, settings=settings)


def _space_from_keys(keys: dict[str, Any]) -> Space:
    """Return the space that keyword arguments describe: they are read as the file that they would be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.yaml"
        yaml = YAML(typ="safe", pure=True)
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(keys, file)
        try:
            space = read_space(path)
        except SpaceError as error:
            raise SpaceError(PLACE, error.what, error.hint) from error
    return replace(space, path=Path.cwd() / f"{space.program.stem}.yaml", lines={}, origin=PLACE)
