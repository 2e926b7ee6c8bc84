"""MLflow: ``MlflowClient.create_run`` begins every run, of ``mlflow.start_run``, ``autolog`` and Lightning's logger."""

import contextlib
import functools
import inspect
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.internals.private_apis import patch_attribute
from tune.trial.disk_space import walk_exception_chain
from tune.trial.trackers.run_labels import PREFIX, RunEnd, RunLabels
from tune.trial.trackers.run_records import RunRecord
from tune.trial.trackers.tracker import Tracker, TrialRuns, close_as_finished, lock_folder, log_tracker_errors

RUN_NAME, PARENT = "mlflow.runName", "mlflow.parentRunId"
"""MLflow's own tags."""
ILLEGAL = re.compile(r"[^\w.\- /:]", re.ASCII)
LONGEST_NAME, LONGEST_VALUE = 250, 500
"""Of names of metrics and parameters, and of a parameter's value, in characters: what every store takes."""
LOGGING = ("log_metric", "log_param", "log_batch", "set_tag", "log_artifact", "log_artifacts", "set_terminated")
"""What logs to a run: where it fails, the trial goes on."""
BEGINNING = ("start_run", "set_experiment")
"""What a program begins a run with: where the server is away, the trial goes on without one."""
NO_EXPERIMENT = "Default"
"""Of MLflow's: every store has it."""
REFUSALS = frozenset({"CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED", "TEMPORARILY_UNAVAILABLE", "UNAUTHENTICATED"})
"""What a server says that takes nothing from this user, or not now."""
OPENING_S = 120.0
"""How long a trial waits for others that open their store; a new database takes some seconds."""
ALLOW_FILES = "MLFLOW_ALLOW_FILE_STORE"
"""The variable that MLflow asks for where runs are to be files."""


def mlflow_name(name: str) -> str:
    """Return the name of a metric or a parameter as MLflow takes it: other characters become ``_``."""
    legal = ILLEGAL.sub("_", name).strip() or "_"
    legal = "/".join(part if part.strip(".") else part.replace(".", "_") or "_" for part in legal.split("/"))
    return legal[:LONGEST_NAME]


def mlflow_params(constants: Mapping[str, Any]) -> dict[str, str]:
    """Return constants as MLflow's parameters."""
    return {mlflow_name(name): str(value)[:LONGEST_VALUE] for name, value in constants.items()}


def mlflow_tags(labels: RunLabels, end: RunEnd | None = None) -> dict[str, str]:
    """Return the tags of a run; ``end``: how it ended."""
    fields = {**labels.fields, "state": "running" if end is None else end.state}
    if end is not None and end.score is not None:
        fields["score"] = end.score
    return {f"{PREFIX}.{name}": str(value) for name, value in fields.items()}


def mlflow_status(end: RunEnd) -> str:
    """Return MLflow's word for an end."""
    return "FAILED" if end.has_failed else "FINISHED"


def is_server_away(error: BaseException) -> bool:
    """Tell whether an error says that the server cannot be reached, or takes nothing; else the program is wrong."""
    chain = walk_exception_chain(error)
    return any(isinstance(each, OSError) or getattr(each, "error_code", None) in REFUSALS for each in chain)


class MlflowTracker(Tracker):
    """Its runs have a name, tags and parameters; the interface groups runs by a tag."""

    package = "mlflow"
    logger = "MLFlowLogger"

    def __init__(self, runs: TrialRuns) -> None:
        super().__init__(runs)
        self._is_away = False  # the server did not answer: runs go into files that are thrown away

    @contextlib.contextmanager
    def patch_package(self, package: ModuleType) -> Iterator[None]:
        """Begin runs under our names; those of a pre-flight are in files that are thrown away."""
        client = package.MlflowClient
        with contextlib.ExitStack() as patches:
            patches.enter_context(close_as_finished(package.ActiveRun))
            if self.runs.scratch is not None:
                patches.enter_context(_redirect_runs(package, self.runs.scratch / "mlflow"))
            else:
                patches.enter_context(patch_attribute(client, "__init__", self._wrap_init(client.__init__)))
                patches.enter_context(patch_attribute(client, "create_run", self._wrap_create(client.create_run)))
                share = share_experiment(client.create_experiment)
                patches.enter_context(patch_attribute(client, "create_experiment", share))
                for name in LOGGING:
                    patches.enter_context(patch_attribute(client, name, self._wrap_logging(getattr(client, name))))
                for name in BEGINNING:  # `mlflow.log_metric` calls the one in the module
                    replacement = self._wrap_beginning(getattr(package, name), package, patches)
                    for holder in (package, package.tracking.fluent):
                        patches.enter_context(patch_attribute(holder, name, replacement))
            yield

    def _wrap_init(self, init: Callable[..., None]) -> Callable[..., None]:
        """Let one trial at a time open its store: MLflow makes the tables of a new database without a lock."""

        @functools.wraps(init)
        def replacement(*args: Any, **given: Any) -> None:
            with lock_folder(self.runs.experiment, OPENING_S):
                init(*args, **given)

        return replacement

    def _wrap_beginning(
        self, begin: Callable[..., Any], package: ModuleType, patches: contextlib.ExitStack
    ) -> Callable[..., Any]:
        """Let a function of the program's that begins a run go on without one, where the server is away.

        As the other trackers do: what it logs then is thrown away.
        """

        @functools.wraps(begin)
        def replacement(*args: Any, **given: Any) -> Any:
            try:
                return begin(*args, **given)
            except Exception as error:
                if self._is_away or not is_server_away(error):
                    raise
                what = f"{type(error).__name__}: {error}"
                sys.stderr.write(f"mlflow.{begin.__name__} failed, and this trial has no run: {what}\n")
                self._is_away = True
                scratch = patches.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
                patches.enter_context(_redirect_runs(package, Path(scratch)))
                place = package.set_experiment(NO_EXPERIMENT)  # that of the server has a number that is not known here
                return place if begin.__name__ == "set_experiment" else begin()

        return replacement

    def _wrap_create(self, create: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(create)

        @functools.wraps(create)
        def replacement(*args: Any, **given: Any) -> Any:
            said = signature.bind(*args, **given).arguments
            client, tags = said["self"], dict(said.get("tags") or {})
            labels = self.runs.labels
            if self._is_away:
                return create(**said)
            if PARENT in tags:  # a part of the trial's run
                return create(**{**said, "tags": {**tags, **mlflow_tags(labels)}})
            if (run := self._continue_run(client)) is not None:
                return run
            name = labels.name_run(self.runs.count_runs(self.package))
            tags |= {**mlflow_tags(labels), RUN_NAME: name}
            run = create(**{**said, "tags": tags, "run_name": name})
            with log_tracker_errors(self.package):
                self._add_run(client, run)
            return run

        return replacement

    def _continue_run(self, client: Any) -> Any:
        run = None
        if (earlier := self.runs.find_earlier_run(self.package)) is not None:
            with log_tracker_errors(self.package):
                client.update_run(earlier.run, status="RUNNING")
                run = client.get_run(earlier.run)
                self._add_run(client, run)
        return run

    def _add_run(self, client: Any, run: Any) -> None:
        record = RunRecord(tracker=self.package, run=run.info.run_id, place={"uri": str(client.tracking_uri)})
        self.runs.add_run(record)
        from mlflow.entities import Param

        known = run.data.params
        ours = mlflow_params(self.runs.labels.constants)
        missing = [Param(name, value) for name, value in ours.items() if name not in known]
        if missing:
            _original(client.log_batch)(run.info.run_id, params=missing)

    def _wrap_logging(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Let a call that fails cost what it logs alone; parameters that are searched constants stay ours."""
        signature = inspect.signature(call)

        @functools.wraps(call)
        def replacement(*args: Any, **given: Any) -> Any:
            bound = signature.bind(*args, **given)
            said = bound.arguments
            ours = mlflow_params(self.runs.labels.constants)
            if call.__name__ == "log_param" and said["key"] in ours:
                return said["value"]
            if said.get("params"):
                said["params"] = [each for each in said["params"] if each.key not in ours]
            try:
                return call(*bound.args, **bound.kwargs)
            except Exception as error:
                sys.stderr.write(f"mlflow, {call.__name__}: {type(error).__name__}: {error}\n")
                return None

        replacement.__promotune_original__ = call  # type: ignore[attr-defined]
        return replacement

    def close_run(self, record: RunRecord, end: RunEnd) -> None:
        """Set the tags and the status; a run that the program holds as its active one is ended as such."""
        import mlflow
        from mlflow.entities import RunTag

        client = mlflow.MlflowClient(record.place.get("uri"))
        tags = mlflow_tags(self.runs.labels, end)
        client.log_batch(record.run, tags=[RunTag(name, value) for name, value in tags.items()])  # one request
        while (active := mlflow.active_run()) is not None:  # MLflow would close it as the process ends, as it thinks
            mlflow.end_run(mlflow_status(end))
            if active.info.run_id == record.run:
                break
        else:
            client.set_terminated(record.run, mlflow_status(end))
        self.runs.mark_closed(self.package, record.run, end.state)


def share_experiment(create: Callable[..., str]) -> Callable[..., str]:
    """Return a ``create_experiment`` that returns the experiment of another trial, which made it at the same moment.

    Lightning's logger asks whether there is one, and makes it if not.
    """
    signature = inspect.signature(create)

    @functools.wraps(create)
    def replacement(*args: Any, **given: Any) -> str:
        said = signature.bind(*args, **given).arguments
        try:
            return create(**said)
        except Exception:
            found = said["self"].get_experiment_by_name(said["name"])
            if found is None or found.lifecycle_stage == "deleted":
                raise
            return str(found.experiment_id)

    return replacement


def _original(method: Any) -> Any:
    """Return a method of a client without our hook."""
    function = getattr(method.__func__, "__promotune_original__", None)
    return method if function is None else functools.partial(function, method.__self__)


@contextlib.contextmanager
def _redirect_runs(package: ModuleType, folder: Path) -> Iterator[None]:
    """Let whatever server a program names be a folder."""
    uri = folder.absolute().as_uri()
    client = package.MlflowClient
    init, set_uri = client.__init__, package.set_tracking_uri
    signature = inspect.signature(init)

    @functools.wraps(init)
    def init_elsewhere(*args: Any, **given: Any) -> None:
        bound = signature.bind(*args, **given)
        bound.arguments["tracking_uri"] = uri
        init(*bound.args, **bound.kwargs)

    before = os.environ.get(ALLOW_FILES)
    os.environ[ALLOW_FILES] = "true"
    told = package.get_tracking_uri()
    set_uri(uri)
    try:
        with (
            patch_attribute(client, "__init__", init_elsewhere),
            patch_attribute(package, "set_tracking_uri", lambda uri: None),
        ):
            yield
    finally:
        with contextlib.suppress(Exception):
            while package.active_run() is not None:
                package.end_run()
        set_uri(told)
        if before is None:
            del os.environ[ALLOW_FILES]
        else:
            os.environ[ALLOW_FILES] = before
