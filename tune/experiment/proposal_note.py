"""What the ledger holds of trials that somebody proposed or stopped, and of a search that somebody paused."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tune.experiment.requests import clean_line
from tune.space.dimensions import is_number

PROPOSED = "proposed"
"""The attribute of a trial that was proposed: the request's id, who sent it and why, and what is outside its range."""
STOPPED = "stopped_by"
"""The attribute of a trial that somebody stopped: the request's id, who sent it and why."""
LATEST_TIME = 2.0**33
"""A moment that every clock has a date for, in seconds since the epoch."""
PAUSED = "paused"
"""The attribute of a study whose search is paused: who asked for it and when; None where it goes on."""


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
        user=clean_line(str(user)),
        why=clean_line(str(why)),
        time=float(at) if is_number(at) else 0.0,
        outside=tuple(str(each) for each in outside),
    )


def describe_stop(noted: Mapping[str, Any]) -> str:
    """Return who stopped a trial, and why, in words; of an attribute that may be damaged."""
    user, why = clean_line(str(noted.get("user"))), clean_line(str(noted.get("why") or ""))
    return f"stopped by {user}" + (f": {why}" if why else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPause:
    """Who paused a search, and when."""

    user: str
    time: float
    """In seconds since the epoch."""

    @property
    def description(self) -> str:
        """Both in words, by the clock of this machine."""
        at = time.localtime(self.time)
        is_today = at[:3] == time.localtime()[:3]
        return f"paused by {self.user} at {time.strftime('%H:%M' if is_today else '%Y-%m-%d %H:%M', at)}"

    def as_json(self) -> dict[str, Any]:
        """Return it as the ledger has it."""
        return {"user": self.user, "time": self.time}


def read_pause(noted: Any) -> SearchPause | None:
    """Return what a study's attribute says; None where the search goes on, or the attribute is none of ours."""
    if not isinstance(noted, dict) or not isinstance(noted.get("user"), str) or not is_number(noted.get("time")):
        return None
    at = float(noted["time"])
    return SearchPause(user=clean_line(noted["user"]), time=at) if 0 <= at < LATEST_TIME else None
