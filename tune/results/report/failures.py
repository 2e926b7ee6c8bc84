"""What failed, in words: a group a cause."""

from dataclasses import dataclass

from tune.paths import short
from tune.results.failures import FailureGroup
from tune.results.report.difference import values_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Trials that failed for one reason."""

    cause: str
    count: int
    place: str
    """The program's own last line and what stands there; empty where none of it is the program's."""
    region: str
    """Where in the space it happens; empty where no constant tells."""
    constants: str
    """Of the first of them."""
    log: str
    """The path of its log."""


def failed(group: FailureGroup) -> Failed:
    """Return a group as the page shows it."""
    return Failed(
        cause=group.cause,
        count=len(group.trials),
        place=": ".join(text for text in (group.place, group.code) if text),
        region=group.sentence if group.region is not None else "",
        constants=values_text(group.constants),
        log=short(group.log),
    )
