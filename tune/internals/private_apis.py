"""The private parts of libraries that are read, replaced or overridden here, and what happens where one is gone.

Each part is a value of ``PRIVATE_APIS``. A search looks for all of them before it starts: it refuses to run without one
that a promise rests on, and writes into ``driver.log`` which of the others are missing. ``promotune --version -v``
prints them, too.
"""

import contextlib
import enum
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.requirements import Requirement

from tune.errors import StartError


@contextlib.contextmanager
def patch_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give a module or a class another attribute of that name, and in the end its own again."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class OnMissing(enum.Enum):
    """What happens where a library has no such part."""

    REFUSE = "refused"
    """No search starts: a result or a promise would be wrong."""
    DO_WITHOUT = "done without"
    """A search runs without it: it is slower, or shows less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateApi:
    """A private part of a library."""

    library: str
    """The name of its distribution."""
    owner: str
    """The module or class that holds it; ``{package}`` and ``{fabric}`` stand for the names of Lightning's packages."""
    name: str
    """Of the attribute; of an instance's attribute, which the source of the class's module assigns, too."""
    purpose: str
    """What it is used for."""
    on_missing: OnMissing = OnMissing.REFUSE
    issue: str | None = None
    """The issue of the library that would end this use."""
    is_optional: bool = False
    """Whether the library need not be installed: then nothing of it is missing."""

    def is_present(self, package: str) -> bool:
        """Tell whether the installed library has it."""
        if self.is_optional and importlib.util.find_spec(self.owner.partition(".")[0]) is None:
            return True
        try:
            owner = _import_owner(self.owner.format(package=package, fabric=_fabric_of(package)))
        except (ImportError, AttributeError):
            return False
        return hasattr(owner, self.name) or re.search(rf"\.{self.name}\b", _source_of(owner)) is not None


def _private(library: str, owner: str, purpose: str, *names: str, **given: Any) -> tuple[PrivateApi, ...]:
    return tuple(PrivateApi(library=library, owner=owner, name=name, purpose=purpose, **given) for name in names)


_WITHOUT: dict[str, Any] = {"on_missing": OnMissing.DO_WITHOUT}
RAY, OPTUNA, LIGHTNING, TORCHMETRICS, RICH = "ray", "optuna", "pytorch-lightning", "torchmetrics", "rich"
TORCH, TENSORBOARD, WANDB = "torch", "tensorboard", "wandb"
_RESULT = "{package}.trainer.connectors.logger_connector"
_LOOPS = "{package}.loops"

PRIVATE_APIS: tuple[PrivateApi, ...] = (
    *_private(RAY, "ray._private.services", "Ray listens on the loopback address alone", "resolve_ip_for_localhost"),
    *_private(
        RAY,
        "ray.experimental.internal_kv",
        "actors find the search's job",
        "_internal_kv_get",
        "_internal_kv_put",
        "_internal_kv_del",
    ),
    *_private(RAY, "ray.train._internal.storage", "actors import no Ray Tune", "StorageContext"),
    *_private(RAY, "ray._raylet", "`ps` shows the version that an actor trains", "setproctitle"),
    *_private(RAY, "ray.actor", "actors import no Ray Tune", "_modify_class"),
    *_private(RAY, "ray.tune.experiment.trial", "actors import no Ray Tune", "_TrialInfo"),
    *_private(RAY, "ray.tune.experiment.trial._TemporaryTrialState", "a stopped trial is told at once", "ray_actor"),
    *_private(
        RAY, "ray._private.node", "an interrupt is answered while Ray starts", "wait_for_persisted_port", **_WITHOUT
    ),
    *_private(
        RAY, "ray._private.services", "Ray's processes get no signal of the driver's group", "ConsolePopen", **_WITHOUT
    ),
    *_private(RAY, "ray._private.utils", "SIGTERM ends a search as Ctrl-C does", "set_sigterm_handler", **_WITHOUT),
    *_private(
        RAY, "ray._private.services", "Ray starts a second sooner", "get_node", "_get_gcs_client_options", **_WITHOUT
    ),
    *_private(
        RAY, "ray._private.state.GlobalState", "Ray starts a second sooner", "_initialize_global_state", **_WITHOUT
    ),
    *_private(RAY, "ray._private.node.Node", "no log monitor runs", "start_log_monitor", **_WITHOUT),
    *_private(
        RAY, "ray._private.node.Node", "two searches start side by side", "start_raylet", "_ray_params", **_WITHOUT
    ),
    *_private(
        RAY,
        "ray._private.node.Node",
        "the dashboard starts after the search",
        "start_api_server",
        "start_monitor",
        **_WITHOUT,
    ),
    *_private(RAY, "ray._private.worker", "the death of one of Ray's processes is noticed", "_global_node", **_WITHOUT),
    *_private(
        RAY,
        "ray.tune.execution.tune_controller.TuneController",
        "the driver's memory does not grow with each trial",
        "_trials",
        "_live_trials",
        "_stopped_trials",
        "_failed_trials",
        "_trials_to_cache",
        **_WITHOUT,
    ),
    *_private(
        RAY, "ray.train._internal.storage", "trials run through Ray Client", "_get_ray_train_session_dir", **_WITHOUT
    ),
    *_private(
        OPTUNA,
        "optuna.storages.JournalStorage",
        "several records are written in one piece",
        "_write_log",
        "_sync_with_backend",
        "_replay_result",
        "_thread_lock",
        "_backend",
    ),
    *_private(
        OPTUNA,
        "optuna.storages.journal.JournalFileBackend",
        "a record is on disk when it counts",
        "_lock",
        "_log_number_offset",
    ),
    *_private(OPTUNA, "optuna.storages.journal._file", "a record is on disk when it counts", "get_lock_file"),
    *_private(
        OPTUNA, "optuna.storages.journal._storage", "records are rewritten for an edited space", "JournalOperation"
    ),
    *_private(OPTUNA, "optuna.trial.Trial", "a value is drawn from its distribution", "_suggest", "_trial_id"),
    *_private(OPTUNA, "optuna.study.Study", "a trial waits and goes on", "_storage", "_study_id"),
    *_private(
        OPTUNA,
        "optuna.samplers.TPESampler",
        "TPE reads each trial once",
        "_sample",
        "_compute_acquisition_func",
        "_parzen_estimator_cls",
        "_n_ei_candidates",
        "_compare",
        "_gamma",
        "_multivariate",
        "_constant_liar",
        "_constraints_func",
        "_parzen_estimator_parameters",
    ),
    *_private(OPTUNA, "optuna.samplers._tpe.sampler", "TPE reads each trial once", "default_gamma"),
    *_private(
        LIGHTNING,
        f"{_RESULT}.result._ResultMetric",
        "logged values are not moved to where they are",
        "to",
        issue="Lightning-AI/pytorch-lightning#20388",
        **_WITHOUT,
    ),
    *_private(
        LIGHTNING, "{fabric}.utilities.registry", "packages are asked for callbacks once", "entry_points", **_WITHOUT
    ),
    *_private(
        LIGHTNING, f"{_RESULT}.fx_validator._FxValidator", "what ranks log is reduced over all ranks", "functions"
    ),
    *_private(LIGHTNING, "{package}.LightningModule", "what ranks log is reduced over all ranks", "_current_fx_name"),
    *_private(LIGHTNING, "{fabric}.utilities.distributed", "means on the CPU are exact", "_sync_ddp", **_WITHOUT),
    *_private(
        LIGHTNING,
        "{package}.trainer.connectors.data_connector",
        "ranks take their data in the program's order",
        "_get_distributed_sampler",
    ),
    *_private(
        LIGHTNING,
        f"{_LOOPS}.training_epoch_loop._TrainingEpochLoop",
        "event files are cut back to a checkpoint's step",
        "_batches_that_stepped",
    ),
    *_private(
        LIGHTNING,
        f"{_LOOPS}.fit_loop._FitLoop",
        "a trial that goes on reloads its data when due",
        "_last_train_dl_reload_epoch",
    ),
    *_private(
        LIGHTNING,
        f"{_LOOPS}.fit_loop._FitLoop",
        "generators of the data go on with their numbers after a pause",
        "_combined_loader",
        **_WITHOUT,
    ),
    *_private(LIGHTNING, "{package}.Trainer", "EarlyStopping has its metric after a pause", "_logger_connector"),
    *_private(LIGHTNING, "{package}.LightningModule", "what a stage logs counts for that stage", "_trainer"),
    *_private(
        LIGHTNING,
        "{package}.trainer.setup",
        "validation by time reports within an epoch",
        "_val_check_time_interval",
        **_WITHOUT,
    ),
    *_private(
        LIGHTNING,
        "{package}.callbacks.lr_finder.LearningRateFinder",
        "a trial that goes on is not a fit of Lightning's Tuner",
        "_early_exit",
        **_WITHOUT,
    ),
    *_private(
        LIGHTNING,
        f"{_LOOPS}.evaluation_loop._EvaluationLoop",
        "a trial that goes on reloads its data when due",
        "_last_val_dl_reload_epoch",
    ),
    *_private(
        LIGHTNING,
        f"{_RESULT}.logger_connector._LoggerConnector",
        "EarlyStopping has its metric after a pause",
        "_callback_metrics",
    ),
    *_private(TORCHMETRICS, "torchmetrics.Metric", "metrics go on with their count after a pause", "_update_count"),
    *_private(
        TORCH, "torch.optim.lr_scheduler.LRScheduler", "a scheduler goes on with a mutated learning rate", "_last_lr"
    ),
    *_private(TORCH, "torch.cuda", "a template in which CUDA was called forks no trial", "_is_in_bad_fork", **_WITHOUT),
    *_private(
        TENSORBOARD,
        "tensorboard.summary.writer.event_file_writer.EventFileWriter",
        "an event file that goes on is told from earlier ones",
        "_file_name",
    ),
    *_private(
        WANDB,
        "wandb.sdk.wandb_config.Config",
        "a program's own values do not replace searched constants",
        "update_locked",
        is_optional=True,
        **_WITHOUT,
    ),
    *_private(RICH, "rich.live.Live", "the live view survives a resize", "_live_render", **_WITHOUT),
)


OF_TRIALS = (LIGHTNING, TORCHMETRICS, TORCH, TENSORBOARD)
"""The libraries that each trial uses."""


@functools.cache
def check_private_apis(library: str, package: str = "pytorch_lightning") -> tuple[PrivateApi, ...]:
    """Return the parts of a library that are missing and done without; ``package``: the name of Lightning's.

    Raises StartError where one is missing that a search cannot run without.
    """
    missing = tuple(find_missing_apis(library, package))
    for each in missing:
        if each.on_missing is OnMissing.REFUSE:
            owner = each.owner.format(package=package, fabric=_fabric_of(package))
            what = f"{library} {_version_of(library)} has no {owner}.{each.name}, by which {each.purpose}"
            raise StartError(None, what, f"Install a version that was tested: {_requirement_on(library)}")
    return missing


def log_missing_apis(library: str, package: str = "pytorch_lightning") -> None:
    """Write into the log which parts of a library are missing; raises StartError as ``check_private_apis`` does."""
    for each in check_private_apis(library, package):
        sys.stderr.write(f"{library} {_version_of(library)}: {describe_api(each)}\n")


def find_missing_apis(library: str, package: str = "pytorch_lightning") -> Iterator[PrivateApi]:
    """Yield the parts that the installed library does not have."""
    return (each for each in PRIVATE_APIS if each.library == library and not each.is_present(package))


def describe_missing_apis() -> list[str]:
    """Return a line for each library: its version, and which private parts it lacks. It imports all of them."""
    lines = []
    for library in dict.fromkeys(each.library for each in PRIVATE_APIS):
        n_used = sum(each.library == library for each in PRIVATE_APIS)
        lines.append(f"{library} {_version_of(library)}: {n_used} private parts are used")
        lines += [f"  {describe_api(each)}" for each in find_missing_apis(library)]
    return lines


def describe_api(missing: PrivateApi) -> str:
    """Return a line about a part that is missing."""
    return f"{missing.owner}.{missing.name} is missing, {missing.on_missing.value}: {missing.purpose}"


@functools.cache
def _import_owner(path: str) -> Any:
    """Return the module, or the class in a module, of a dotted path."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        if not module:
            raise
        return getattr(_import_owner(module), name)


@functools.cache
def _source_of(owner: Any) -> str:
    """Return the source of the module that holds a class; finding the class in it takes a trial 10 ms each time."""
    try:
        return inspect.getsource(inspect.getmodule(owner) or owner)
    except (OSError, TypeError):
        return ""


def _fabric_of(package: str) -> str:
    return "lightning_fabric" if package == "pytorch_lightning" else "lightning.fabric"


def _version_of(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _requirement_on(library: str) -> str:
    """Return a command that installs a version of a library that our own package allows."""
    try:
        ours = [Requirement(each) for each in importlib.metadata.requires("promotune") or []]
    except importlib.metadata.PackageNotFoundError:
        ours = []
    versions = next((str(each.specifier) for each in ours if each.name == library), "")
    return f"pip install '{library}{versions}'"


LOCKED_BY = "promotune"


def lock_wandb_config(config: Any, values: Mapping[str, Any]) -> None:
    """Set values of a run's configuration that the program cannot change, as a sweep of W&B's own does.

    ``Config.update`` would let a later assignment of the program's raise, where it gives a name another value.
    """
    lock = getattr(config, "update_locked", None)
    if lock is None:
        config.update(dict(values), allow_val_change=True)
    else:
        lock(dict(values), user=LOCKED_BY, _allow_val_change=True)
