"""Weights out of a checkpoint, into a model of the class that the program defines; back to the last checkpoint."""

import contextlib
import inspect
import pickle
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from tune.errors import ExperimentError, suggest_name
from tune.paths import VersionPaths, display_path
from tune.trial.checkpoints.checkpoint_state import CheckpointState, read_checkpoint_state
from tune.trial.checkpoints.event_files import truncate_event_files
from tune.trial.lightning.packages import PACKAGES
from tune.trial.messages import TrialTask
from tune.trial.run_system import find_model_class

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


HYPERPARAMETERS = ("hyper_parameters", "hparams", "module_arguments")
"""Where a checkpoint may have them: Lightning's key, and those of its early versions."""
INSTANTIATORS = frozenset(f"{package}.cli.instantiate_module" for package in PACKAGES)


class _Attributes(dict[str, Any]):
    """A dictionary whose items are attributes, too: what a module gets for a namespace that it saved."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def load_model(
    module: ModuleType, wanted: str | None, place: str, path: Path, arguments: Mapping[str, Any], *, trust: bool
) -> "LightningModule":
    """Return the program's model with a checkpoint's weights, on the CPU, in eval mode.

    The caller is within ``Executor.import_program``.

    ``arguments`` of the module win over the hyperparameters in the checkpoint. Raises ExperimentError where the
    checkpoint is damaged, or holds what only unpickling would bring back, unless ``trust``.
    """
    model_class = find_model_class(module, wanted, place)
    _check_arguments(model_class, arguments, path)
    held: Mapping[str, Any] = {}
    try:
        _check_checksums(path)
        with _alias_as_main(module) if trust else contextlib.nullcontext():
            held = _read_checkpoint(path, trust=trust)
            if not trust:
                _check_instantiator(held, path)
            given = {**_saved_object(held, model_class), **arguments}
            model: LightningModule = model_class.load_from_checkpoint(
                path, map_location="cpu", weights_only=not trust, **given
            )
    except pickle.UnpicklingError as error:
        what = f"the checkpoint holds more than weights and plain values: {_describe_blocked_class(error)}"
        hint = "Unpickling it may run code. If you trust whoever trained it: load(..., trust_checkpoints=True)."
        raise ExperimentError(display_path(path), what, hint) from error
    except ExperimentError:
        raise
    except Exception as error:  # the file may hold anything, and Lightning and the program's own class read it
        raise ExperimentError(
            display_path(path), *_describe_load_failure(error, model_class, held, arguments)
        ) from error
    return model.eval()


_OURS = "Take the file from a backup, or load another trial."
_ZIP_START = b"PK\3\4"


def _check_arguments(model_class: type, arguments: Mapping[str, Any], path: Path) -> None:
    """Raise ExperimentError where the module has no such argument: Lightning leaves it out and says nothing."""
    parameters = inspect.signature(model_class).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    for name in arguments:
        if name not in (known := _list_parameters(model_class)):
            what = f"{model_class.__name__} has no argument {name!r}"
            raise ExperimentError(display_path(path), what, suggest_name(name, known, what="it has"))


def _check_checksums(path: Path) -> None:
    """Raise ExperimentError where the file is cut or a bit was flipped: torch compares no checksum. 0.3 s per GB."""
    with path.open("rb") as file:
        first = file.read(len(_ZIP_START))
    if first != _ZIP_START and not first.startswith(pickle.PROTO):  # torch would read it as a pickle, of anything
        what = f"no model can be built from this checkpoint: torch.save writes no file that begins with {first!r}"
        raise ExperimentError(display_path(path), what, _OURS)
    if not zipfile.is_zipfile(path):
        return  # torch says what else it is
    with zipfile.ZipFile(path) as archive:
        member = archive.testzip()
    if member is not None:
        what = f"no model can be built from this checkpoint: it is damaged at {member}"
        raise ExperimentError(display_path(path), what, _OURS)


@contextlib.contextmanager
def _alias_as_main(module: ModuleType) -> Iterator[None]:
    """Let a script's classes be found where they were when it trained: pickles name them as those of ``__main__``."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _read_checkpoint(path: Path, *, trust: bool) -> Mapping[str, Any]:
    held = torch.load(path, map_location="cpu", weights_only=not trust, mmap=zipfile.is_zipfile(path))
    return held if isinstance(held, dict) else {}


def _saved_object(held: Mapping[str, Any], model_class: type) -> dict[str, Any]:
    """Return the argument that ``save_hyperparameters(args)`` saved, by its name; Lightning makes a dict of it."""
    name, values = held.get("hparams_name"), held.get(HYPERPARAMETERS[0])
    if not isinstance(values, dict) or "hparams_type" in held or name not in _list_parameters(model_class):
        return {}
    return {str(name): _Attributes(values)}


def _list_parameters(model_class: type) -> list[str]:
    """Return the names of the arguments of a module."""
    parameters = inspect.signature(model_class).parameters.values()
    return [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def _describe_load_failure(
    error: Exception, model_class: type, held: Mapping[str, Any], arguments: Mapping[str, Any]
) -> tuple[str, str]:
    """Return why there is no model, and what to do; most often the checkpoint lacks arguments of the module."""
    name = model_class.__name__
    saved: Mapping[str, Any] = next((held[key] for key in HYPERPARAMETERS if isinstance(held.get(key), Mapping)), {})
    absent = _parse_missing_arguments(error, model_class)
    what = f"{name} cannot be built without {', '.join(absent)}"
    if not absent and "loading state_dict" in _first_line(error):
        known = {*saved, held.get("hparams_name"), *arguments}
        absent = [each for each in _list_parameters(model_class) if each not in known]
        what = f"{name} has weights of other shapes with its default for {', '.join(absent)}"
    if not absent:
        return f"no model can be built from this checkpoint: {type(error).__name__}: {_first_line(error)}", _OURS
    has = f"the hyperparameters {', '.join(map(str, saved))} alone" if saved else "no hyperparameters"
    them = "it" if len(absent) == 1 else "them"
    given = ", ".join(f"{each}=..." for each in absent)
    hint = f"Give {them}: load(..., {given}). Later checkpoints have {them} if {name}.__init__ calls "
    return f"{what}, and the checkpoint has {has}", f"{hint}self.save_hyperparameters()."


def _parse_missing_arguments(error: Exception, model_class: type) -> list[str]:
    """Return the arguments that a call of the module's, or a parent's, ``__init__`` lacked."""
    found = re.match(r"(\S+)\.__init__\(\) missing \d+ required .*arguments?: (.*)", str(error))
    if not isinstance(error, TypeError) or found is None:
        return []
    is_ours = found[1] in [each.__qualname__ for each in model_class.__mro__]
    return re.findall(r"'(\w+)'", found[2]) if is_ours else []


def _check_instantiator(held: Mapping[str, Any], path: Path) -> None:
    """Raise ExperimentError where Lightning would call what the checkpoint names; 2.6 has a list, earlier ones none.

    Plain values can do that: LightningCLI puts the name of a function that makes the model beside its hyperparameters.
    """
    for name in HYPERPARAMETERS:
        values = held.get(name)
        function = values.get("_instantiator") if isinstance(values, Mapping) else None
        if function is not None and function not in INSTANTIATORS:
            what = f"the checkpoint names a function to make the model, and it is not LightningCLI's: {function!r}"
            hint = "Calling it may run code. If you trust whoever trained it: load(..., trust_checkpoints=True)."
            raise ExperimentError(display_path(path), what, hint)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _describe_blocked_class(error: Exception) -> str:
    """Return the class that stands in the way, out of torch's long message."""
    found = re.search(r"GLOBAL (\S+)", str(error))
    return f"a {found.group(1)}" if found else "objects of other classes"


def is_weights_only(checkpoint: Path) -> bool:
    """Tell whether a checkpoint holds tensors and plain data alone: such a one runs nothing when it is loaded."""
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, OSError, EOFError, KeyError):
        return False
    return True


TRUST = "`resume --trust-checkpoints` would have continued it from there; that runs code that the file may hold."


def roll_back_to_checkpoint(
    files: VersionPaths, task: TrialTask, *, trusts_checkpoints: bool
) -> CheckpointState | None:
    """Put a version back to its last checkpoint, and return where that is; None: the trial starts anew.

    Where it has another trial's weights to take over, and has not yet, the checkpoint is made of them.
    """
    for left in files.checkpoints.glob(".*"):  # a checkpoint that was being written
        left.unlink(missing_ok=True)
    files.freed_note.unlink(missing_ok=True)
    mark = read_checkpoint_state(files.last_checkpoint)
    if mark is not None and mark.fit > 1:
        mark = None  # the fits before it would have to be repeated: all is
    n_mutations = len(task.mutations)
    if mark is not None and task.weights is not None and mark.n_mutations < n_mutations:
        mark = mark.replace_weights(Path(task.weights), files.last_checkpoint, n_mutations)
    if mark is not None and not trusts_checkpoints and not is_weights_only(files.last_checkpoint):
        sys.stderr.write(f"{files.last_checkpoint.name} holds more than plain data; the trial starts anew. {TRUST}\n")
        mark = None
    if mark is None:
        shutil.rmtree(files.program_checkpoints, ignore_errors=True)
    truncate_event_files(files.folder, mark)
    return mark
