"""Parts of trackers that they do not document."""

from collections.abc import Mapping
from typing import Any

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
