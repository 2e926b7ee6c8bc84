"""Where experiments are sent to, and what came of it."""

import importlib
from dataclasses import dataclass
from types import ModuleType

from tune.errors import OptionError, PromotuneError, StorageError

EXTRAS = {"wandb": "wandb", "mlflow": "mlflow", "pyarrow": "parquet"}
"""The extra of our package that installs a package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCount:
    """What was sent."""

    n_new: int
    n_known: int
    """Runs that were there already, as they are."""
    place: str
    """Where they are, for people."""


def import_tracker(package: str) -> ModuleType:
    """Return a package that is needed; raise OptionError, which names the extra, where it is not installed."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        what = f"{package} is not installed" if error.name == package else f"{package} cannot be imported: {error}"
        raise OptionError("--to", what, f"Install it: pip install 'promotune[{EXTRAS[package]}]'") from error


def describe_tracker_error(package: str, error: Exception, hint: str) -> PromotuneError:
    """Return the error of a tracker that took nothing, or not all."""
    text = " ".join(str(error).split()) or type(error).__name__
    return StorageError(package, f"it refused what was sent: {text}", hint)
