"""The *script* shape of a program: it builds its own Trainers, and runs as ``__main__``, unedited.

While it runs, ``Trainer`` takes our arguments over its own, keeping its signature (LightningCLI inspects it), and
``TensorBoardLogger`` is the version's one logger. A callback alone would come too late for both: Lightning touches the
logger before it calls one, and the devices are fixed when the Trainer is built.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from tune.internals.private_apis import patch_attribute
from tune.promotion.execute import Executor
from tune.promotion.promoted_values import PromotedValues
from tune.trial.inputs.command_line import CommandLine
from tune.trial.lightning.legacy_api import check_legacy_accelerator
from tune.trial.lightning.logger import version_logger
from tune.trial.lightning.packages import patch_lightning_packages
from tune.trial.trainer_setup import TrainerSetup

STAGES = ("fit", "validate", "test", "predict")
VALIDATION_LOADERS = {"fit": "val_dataloaders", "validate": "dataloaders"}
"""The name of the validation loaders among the arguments of a stage."""
ONE_PROCESS = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
"""What a trial of one process has, whatever the script asks for; of several it has the script's strategy."""


class StoppedScript(SystemExit):
    """Ends a script whose trial was stopped: what it would do after ``fit`` is not wanted any more."""


def run_script(executor: Executor, in_force: PromotedValues, command_line: CommandLine, fit: TrainerSetup) -> None:
    """Run the program with its options and the trial's; ``sys.exit(0)`` is a success."""

    @contextlib.contextmanager
    def patch_package(package: ModuleType) -> Iterator[None]:
        with _patch_trainer(package, fit), _patch_logger(package, fit):
            yield

    with command_line.install_patches(), patch_lightning_packages(patch_package):
        try:
            executor.execute_main(in_force)
        except StoppedScript:
            pass
        except SystemExit as end:
            if end.code not in (None, 0):
                command_line.check_refusal(end)
                raise


@contextlib.contextmanager
def _patch_trainer(package: ModuleType, fit: TrainerSetup) -> Iterator[None]:
    with contextlib.ExitStack() as patches:
        init = package.Trainer.__init__

        @functools.wraps(init)
        def replacement(trainer: Any, *args: Any, **given: Any) -> None:
            check_legacy_accelerator(given.get("accelerator"))
            given["callbacks"] = _remove_progress_bars(given.get("callbacks"), package)
            alone = {} if fit.distributed.n_ranks > 1 else ONE_PROCESS
            init(trainer, *args, **fit.build_trainer_arguments({**given, **alone}, package))
            fit.add_callbacks(trainer, package, fit.max_epochs(given))

        patches.enter_context(patch_attribute(package.Trainer, "__init__", replacement))
        for name in STAGES:
            stage = _wrap_checkpoint_path(getattr(package.Trainer, name), fit)
            stage = _wrap_data(stage, VALIDATION_LOADERS[name], fit) if name in VALIDATION_LOADERS else stage
            wrapped = _wrap_fit(stage, fit) if name == "fit" else stage
            patches.enter_context(patch_attribute(package.Trainer, name, _wrap_stage(wrapped, fit)))
        yield


def _remove_progress_bars(given: Any, package: ModuleType) -> list[Any]:
    callbacks = given if isinstance(given, Iterable) else [given] if given is not None else []
    return [callback for callback in callbacks if not isinstance(callback, package.callbacks.ProgressBar)]


def _wrap_checkpoint_path(stage: Callable[..., Any], fit: TrainerSetup) -> Callable[..., Any]:
    """Give Lightning the path of the trial's checkpoint: it keeps the file that it resumed from by comparing paths."""
    signature = inspect.signature(stage)

    @functools.wraps(stage)
    def replacement(*args: Any, **given: Any) -> Any:
        bound = signature.bind(*args, **given)
        if "ckpt_path" in bound.arguments:
            bound.arguments["ckpt_path"] = fit.program_checkpoints.find_path(bound.arguments["ckpt_path"])
        return stage(*bound.args, **bound.kwargs)

    return replacement


def _wrap_fit(stage: Callable[..., Any], fit: TrainerSetup) -> Callable[..., Any]:
    signature = inspect.signature(stage)

    @functools.wraps(stage)
    def replacement(*args: Any, **given: Any) -> Any:
        bound = signature.bind(*args, **given)
        bound.arguments.update(fit.resume_arguments(bound.args[0], bound.arguments.get("ckpt_path")))
        return stage(*bound.args, **bound.kwargs)

    return replacement


def _wrap_data(stage: Callable[..., Any], loaders: str, fit: TrainerSetup) -> Callable[..., Any]:
    """Let a part of the validation set be kept out."""
    if not fit.split.is_active:
        return stage
    signature = inspect.signature(stage)

    @functools.wraps(stage)
    def replacement(*args: Any, **given: Any) -> Any:
        bound = signature.bind(*args, **given)
        fit.split.split_arguments(bound.arguments, loaders, bound.args[0].lightning_module)
        return stage(*bound.args, **bound.kwargs)

    return replacement


def _wrap_stage(stage: Callable[..., Any], fit: TrainerSetup) -> Callable[..., Any]:
    @functools.wraps(stage)
    def replacement(*args: Any, **given: Any) -> Any:
        result = stage(*args, **given)
        fit.note_stage_end(args[0] if args else None)
        if fit.is_stopped:
            raise StoppedScript(0)
        return result

    return replacement


@contextlib.contextmanager
def _patch_logger(package: ModuleType, fit: TrainerSetup) -> Iterator[None]:
    """Let the program's every TensorBoardLogger be the version's, wherever it imports the class from.

    The class in its place has the name and the signature of the original: LightningCLI inspects it.
    """
    original = package.loggers.TensorBoardLogger

    class Kind(type(original)):  # type: ignore[misc]
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, original)

        def __call__(cls, *args: Any, **given: Any) -> Any:
            return fit.get_logger(package) if cls is TensorBoardLogger else super().__call__(*args, **given)

        @property
        def __signature__(cls) -> inspect.Signature:
            _, *others = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
            return inspect.Signature(others)

    class TensorBoardLogger(version_logger(package), metaclass=Kind):  # type: ignore[misc]
        __doc__ = original.__doc__

        @functools.wraps(original.__init__)  # type: ignore[misc]
        def __init__(self, *args: Any, **given: Any) -> None:
            fit.adopt_logger(self)  # of a subclass that the program defines

    TensorBoardLogger.__module__, TensorBoardLogger.__qualname__ = original.__module__, original.__qualname__
    with (
        patch_attribute(
            original, "__qualname__", f"_{original.__qualname__}"
        ),  # jsonargparse finds one class of a name
        patch_attribute(package.loggers, "TensorBoardLogger", TensorBoardLogger),
        patch_attribute(package.loggers.tensorboard, "TensorBoardLogger", TensorBoardLogger),
    ):
        yield
