"""The *system* shape of a program: a LightningModule, its data, and a Trainer that we build."""

import importlib
import inspect
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tune.errors import ProgramError
from tune.experiment.records import DATA
from tune.promotion.execute import IN_FORCE, Executor
from tune.space.space import System
from tune.trial.inputs.command_line import CommandLine
from tune.trial.lightning.packages import is_lightning_subclass, package_of
from tune.trial.messages import Job
from tune.trial.trainer_setup import TrainerSetup

TEST_LOADERS = "test_loaders"

TRAINER_DEFAULTS: Mapping[str, Any] = {
    "devices": 1,
    "num_nodes": 1,
    "enable_model_summary": False,
    "enable_checkpointing": False,  # ours are written by the rule that also scores the trial
    "num_sanity_val_steps": 0,  # the pre-flight has validated already
}


def run_system(executor: Executor, job: Job, command_line: CommandLine, fit: TrainerSetup) -> None:
    """Import the program and train what it exposes; raise ProgramError when that is not one LightningModule."""
    module = _import_program(executor.snapshot.program.module, command_line)
    place = job.program.name_of(job.program.path)
    model_class = find_model_class(module, job.shape.class_name if isinstance(job.shape, System) else None, place)
    package = package_of(model_class)
    given = trainer_arguments(module, job)
    trainer = package.Trainer(**fit.build_trainer_arguments(given, package))
    fit.add_callbacks(trainer, package, fit.max_epochs(given))
    model = _create_instance(model_class, place)
    with fit.stopwatch.time_part(DATA):
        data = _load_data(module, place)
    arguments = {"model": model, **data, **fit.resume_arguments(trainer)}
    fit.test_loaders = arguments.pop(TEST_LOADERS, None)
    fit.split.split_arguments(arguments, "val_dataloaders")
    trainer.fit(**arguments)


def _import_program(name: str, command_line: CommandLine) -> ModuleType:
    """Import the program with an empty command line; raise ProgramError where its parser asks for more."""
    with command_line.install_patches():
        try:
            return importlib.import_module(name)
        except SystemExit as end:
            command_line.check_refusal(end)
            raise


def trainer_arguments(module: ModuleType, job: Job) -> dict[str, Any]:
    """Return our defaults, and the program's own number of epochs where the space says none."""
    arguments = dict(TRAINER_DEFAULTS)
    if "max_epochs" not in job.trainer and job.epochs_constant is not None:
        arguments["max_epochs"] = getattr(module, job.epochs_constant)
    return arguments


def find_model_class(module: ModuleType, wanted: str | None, place: str) -> Any:
    """Return the program's LightningModule class; raise ProgramError unless there is one, or ``wanted`` names it."""
    found = [value for value in vars(module).values() if is_lightning_subclass(value, "LightningModule")]
    if wanted is not None:
        for value in found:
            if value.__name__ == wanted:
                return value
        names = ", ".join(value.__name__ for value in found) or "none"
        raise ProgramError(place, f"{wanted!r} is not a LightningModule of the program", f"It has: {names}.")
    # The classes that the program imports from other modules of the project
    own = [value for value in found if value.__module__ == module.__name__] or [
        value for value in found if hasattr(sys.modules.get(value.__module__), IN_FORCE)
    ]
    leaves = [value for value in own if not any(other is not value and issubclass(other, value) for other in own)]
    match leaves:
        case [one]:
            return one
        case []:
            raise ProgramError(place, "no LightningModule in the program", "Define one, or name its file in `system:`.")
        case several:
            names = ", ".join(f"{place}:{value.__name__}" for value in several)
            raise ProgramError(place, f"{len(several)} LightningModules in the program", f"Name one: {names}.")


def _create_instance(cls: type, place: str) -> Any:
    required = [
        parameter.name
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if required:
        raise ProgramError(
            place,
            f"{cls.__name__} cannot be built without {', '.join(required)}",
            "Give each argument a default, or use `script:` for a program that builds its own.",
        )
    return cls()


def _load_data(module: ModuleType, place: str) -> Mapping[str, Any]:
    if callable(function := getattr(module, "dataloaders", None)):
        returned = function()
        match returned:
            case (train, val):
                return {"train_dataloaders": train, "val_dataloaders": val}
            case (train, val, test):
                return {"train_dataloaders": train, "val_dataloaders": val, TEST_LOADERS: test}
            case (train,):
                return {"train_dataloaders": train}
            case tuple() | list():
                raise ProgramError(
                    place,
                    f"dataloaders() must return training and validation loaders, got {len(returned)} values",
                    "Return `train, val`.",
                )
            case train:
                return {"train_dataloaders": train}
    classes = [value for value in vars(module).values() if is_lightning_subclass(value, "LightningDataModule")]
    match classes:
        case []:
            return {}  # the LightningModule has its own train_dataloader, or Lightning says what is missing
        case [one]:
            return {"datamodule": _create_instance(one, place)}
        case several:
            names = ", ".join(value.__name__ for value in several)
            raise ProgramError(place, f"{len(several)} LightningDataModules: {names}", "Write `dataloaders()` instead.")
