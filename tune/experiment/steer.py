"""Ask something of a search, from any process of its user: what is asked for is a file that the driver reads."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tune.errors import ExperimentError
from tune.experiment.lock import is_locked
from tune.experiment.open import StoredExperiment
from tune.experiment.proposals import Others, check_proposal, check_why
from tune.experiment.requests import (
    ANSWER_S,
    POLL_S,
    UNANSWERED,
    RequestAnswer,
    RequestFolder,
    SteeringRequest,
    Verb,
    create_request,
    decode_answer,
)
from tune.invocation import this_command
from tune.paths import ExperimentPaths, display_path
from tune.promotion.resolve import hardcoded_values, resolve_constants
from tune.space.dimensions import Value
from tune.storage.requests import RemoteRequests
from tune.storage_url import url_of

LOOK_S = 0.5
"""How long a client waits before it looks again whether the search still runs."""


def propose_trial(
    experiment: StoredExperiment,
    constants: Mapping[str, Value],
    *,
    why: str = "",
    outside: bool = False,
    others: Others = "hardcoded",
    timeout_s: float = ANSWER_S,
) -> RequestAnswer:
    """Propose a configuration; return what the driver says, or that it is kept for `resume` where no search runs.

    Raises a UserError where the configuration is none of the space's. ``others``: where the constants come from that
    are not named.
    """
    paths, space = experiment.paths, experiment.space
    promoted = resolve_constants(space, experiment.snapshot.stored_program)
    baseline = {} if experiment.baseline is None else experiment.baseline.values
    best = experiment.best.values if others == "best" and experiment.best is not None else {}
    base = {**baseline, **hardcoded_values(promoted), **best}
    checked = check_proposal(constants, space, promoted, base, outside=outside, sampled=others == "sampler")
    arguments = {"constants": dict(constants), "why": check_why(why), "outside": outside, "others": others}
    request = create_request("propose", arguments)
    mailbox = open_mailbox(paths)
    if mailbox.has_driver:
        return _ask_driver(paths, mailbox, request, timeout_s)
    same = None if space.trains_repeats or others == "sampler" else _find_repeat(experiment, checked.values)
    if same is not None:
        what = f"trial {same:03d} has this configuration"
        return RequestAnswer(taken=False, what=what, hint="All trials have one seed: it would be the same again.")
    mailbox.send_request(request)
    return _describe_kept(paths, "no search runs")


def _describe_kept(paths: ExperimentPaths, why: str) -> RequestAnswer:
    """Return the answer to a proposal that waits for a driver."""
    hint = f"To run it: {this_command()} resume {paths.cli_argument}"
    return RequestAnswer(taken=True, what=f"{why}: it is kept", hint=hint)


def _find_repeat(experiment: StoredExperiment, values: Mapping[str, Value]) -> int | None:
    wanted = repr(list(values.items())).replace("(", "[").replace(")", "]")  # the ledger makes lists of tuples
    for trial in experiment.trials:
        if trial.state == "failed" or (trial.state == "pruned" and not trial.curve):  # withdrawn: it never ran
            continue
        held = {name: trial.values[name] for name in values if name in trial.values}
        if repr(list(held.items())).replace("(", "[").replace(")", "]") == wanted:
            return trial.number
    return None


def stop_trials(
    paths: ExperimentPaths, trials: Sequence[int] = (), *, why: str = "", finish: bool = False
) -> RequestAnswer:
    """Stop these trials after their epochs; without any, end the search as Ctrl-C does.

    ``finish``: let no further trial begin, and those that run train to their end.
    """
    return ask_running(paths, "stop", {"trials": list(trials), "why": check_why(why), "finish": finish})


def ask_running(
    paths: ExperimentPaths, verb: Verb, arguments: Mapping[str, Any] | None = None, timeout_s: float = ANSWER_S
) -> RequestAnswer:
    """Ask something of the search that runs; raise ExperimentError where none does."""
    mailbox = open_mailbox(paths)
    if not mailbox.has_driver:
        hint = f"To go on with it: {this_command()} resume {paths.cli_argument}"
        raise ExperimentError(display_path(paths.folder), "no search runs here", hint)
    return _ask_driver(paths, mailbox, create_request(verb, arguments), timeout_s)


class Mailbox(Protocol):
    """Where requests go, and answers come from."""

    poll_s: float
    """How often an answer is looked for."""

    @property
    def has_driver(self) -> bool:
        """Whether a search runs."""

    def send_request(self, request: SteeringRequest) -> None:
        """Send a request; raise a UserError where that cannot be done."""

    def fetch_answer(self, request: str) -> RequestAnswer | None:
        """Return an answer once; None where there is none yet."""

    def withdraw_request(self, request: str) -> bool:
        """Take a request back; tell whether the driver had not done it."""


class LocalMailbox(RequestFolder):
    """The folder of an experiment on this machine, or on a disk that machines share."""

    poll_s = POLL_S

    @property
    def has_driver(self) -> bool:
        """Whether a search holds the experiment's lock."""
        return is_locked(self._paths)


class RemoteMailbox:
    """An experiment at a URL that another machine searches."""

    poll_s = 1.0

    def __init__(self, url: str) -> None:
        self._requests = RemoteRequests(url)

    @property
    def has_driver(self) -> bool:
        """Whether a driver has renewed its lease lately."""
        return self._requests.has_driver

    def send_request(self, request: SteeringRequest) -> None:
        """Write a request at the URL."""
        self._requests.send_request(request.id, request.encode())

    def fetch_answer(self, request: str) -> RequestAnswer | None:
        """Return an answer once."""
        raw = self._requests.fetch_answer(request)
        if raw is None:
            return None
        try:
            return decode_answer(raw)
        except ValueError:
            return None

    def withdraw_request(self, request: str) -> bool:
        """Take a request back; a driver may have brought it a moment ago."""
        self._requests.withdraw_request(request)
        return True


def open_mailbox(paths: ExperimentPaths) -> Mailbox:
    """Return where an experiment's requests go: to its URL, unless a driver of this machine works on the copy."""
    url = url_of(paths.folder)
    return LocalMailbox(paths) if url is None or is_locked(paths) else RemoteMailbox(url)


def _ask_driver(paths: ExperimentPaths, mailbox: Mailbox, request: SteeringRequest, timeout_s: float) -> RequestAnswer:
    mailbox.send_request(request)
    ends = time.monotonic() + timeout_s
    looked = time.monotonic()
    while True:
        if (answer := mailbox.fetch_answer(request.id)) is not None:
            return answer
        now = time.monotonic()
        if now - looked >= LOOK_S * (mailbox.poll_s / POLL_S):
            looked = now
            if not mailbox.has_driver:
                return _give_up(paths, mailbox, request, "the search ended before it answered")
        if now >= ends:
            return _give_up(paths, mailbox, request, f"the search has not answered for {timeout_s:.0f} s")
        time.sleep(mailbox.poll_s)


def _give_up(paths: ExperimentPaths, mailbox: Mailbox, request: SteeringRequest, what: str) -> RequestAnswer:
    """Say what becomes of a request without an answer: a proposal is kept, anything else is taken back."""
    answer = mailbox.fetch_answer(request.id)  # it may have come last
    if answer is not None:
        return answer
    if request.verb == "propose":
        return _describe_kept(paths, what)
    if mailbox.withdraw_request(request.id):
        return RequestAnswer(taken=False, what=what, hint=UNANSWERED)
    return mailbox.fetch_answer(request.id) or RequestAnswer(taken=True, what="it was done")
