"""What the ledger holds of trials that somebody proposed or stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tune.space.dimensions import is_number

PROPOSED = "proposed"
"""The attribute of a trial that was proposed: the request's id, who sent it and why, and what is outside its range."""
STOPPED = "stopped_by"
"""The attribute of a trial that somebody stopped: the request's id, who sent it and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalNote:
    """What the ledger holds of a proposal beside its constants."""

    request: str
    """The request's id: a driver that reads the request again finds it here."""
    user: str
    why: str
    time: float
    """When it was sent, in seconds since the epoch."""
    outside: tuple[str, ...] = ()
    """The constants that it names and whose values are outside of their ranges."""

    @property
    def description(self) -> str:
        """Who proposed it, and why, in words."""
        outside = f", outside of the range of {' and '.join(self.outside)}" if self.outside else ""
        return f"proposed by {self.user}{outside}" + (f": {self.why}" if self.why else "")

    def as_json(self) -> dict[str, Any]:
        """Return it as the ledger has it."""
        told = {"request": self.request, "user": self.user, "why": self.why, "time": self.time}
        return {**told, "outside": list(self.outside)}


def read_proposal(noted: Any) -> ProposalNote | None:
    """Return what a trial's attribute says; None where it was not proposed, or the attribute is none of ours."""
    if not isinstance(noted, dict):
        return None
    request, user, why, outside = (noted.get(key) for key in ("request", "user", "why", "outside"))
    if not all(isinstance(each, str) for each in (request, user, why)) or not isinstance(outside, list):
        return None
    at = noted.get("time")
    return ProposalNote(
        request=str(request),
        user=str(user),
        why=str(why),
        time=float(at) if is_number(at) else 0.0,
        outside=tuple(str(each) for each in outside),
    )


def describe_stop(noted: Mapping[str, Any]) -> str:
    """Return who stopped a trial, and why, in words; of an attribute that may be damaged."""
    user, why = noted.get("user"), noted.get("why")
    return f"stopped by {user}" + (f": {why}" if why else "")
