"""The colours of states; the only place that names them."""

from tune.trial.outcome import State

STYLES: dict[State, str] = {
    "complete": "green",
    "pruned": "dim",
    "failed": "red",
    "waiting": "yellow",
    "running": "blue",
}
