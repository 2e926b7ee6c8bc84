"""Ask something of a search, from any process of its user: what is asked for is a file that the driver reads."""

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from tune.errors import ExperimentError, StorageError, UserError
from tune.experiment.lock import is_locked
from tune.experiment.open import StoredExperiment
from tune.experiment.proposals import (
    CheckedProposal,
    Others,
    check_best,
    check_proposal,
    check_shape,
    check_why,
)
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
    decode_request,
)
from tune.invocation import this_command
from tune.paths import ExperimentPaths, display_path
from tune.promotion.resolve import hardcoded_values, resolve_constants
from tune.space.dimensions import Value
from tune.storage.request_exchange import RemoteRequests
from tune.storage_url import url_of

LOOK_S = 0.5
"""How long a client waits before it looks again whether the search still runs."""
AT_WORK_S = 30.0
"""How long it waits for the answer to a request that the driver took as the client gave up."""


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
    arguments = {"constants": dict(constants), "why": check_why(why), "outside": outside, "others": others}
    checked = check_request(experiment, arguments)
    request = create_request("propose", arguments)
    mailbox = open_mailbox(experiment.paths)
    if mailbox.has_driver:
        return _ask_driver(experiment.paths, mailbox, request, timeout_s)
    refusal = find_repeat(experiment, checked) or find_waiting(experiment, checked, mailbox.peek_requests())
    if refusal is not None:
        return refusal
    mailbox.send_request(request)
    return describe_kept(experiment.paths, "no search runs")


def check_request(experiment: StoredExperiment, arguments: Mapping[str, Any]) -> CheckedProposal | None:
    """Return the configuration that a proposal means in an experiment as it is stored; raise what is wrong with it.

    None where the sampler draws constants that are not named.
    """
    named, others = arguments.get("constants"), arguments.get("others")
    check_shape(arguments)
    promoted = resolve_constants(experiment.space, experiment.snapshot.stored_program)
    baseline = {} if experiment.baseline is None else experiment.baseline.values
    base = {**baseline, **hardcoded_values(promoted)}
    if others == "best":
        best = experiment.best
        base |= check_best(None if best is None or best.score is None else best.values)
    sampled = others == "sampler"
    outside = bool(arguments.get("outside"))
    checked = check_proposal(named or {}, experiment.space, promoted, base, outside=outside, sampled=sampled)
    return None if sampled else checked


def describe_kept(paths: ExperimentPaths, why: str) -> RequestAnswer:
    """Return the answer to a proposal that waits for a driver."""
    hint = f"To run it: {this_command()} resume {paths.cli_argument}"
    return RequestAnswer(taken=True, what=f"{why}: it is kept", hint=hint)


def find_repeat(experiment: StoredExperiment, checked: CheckedProposal | None) -> RequestAnswer | None:
    """Return the refusal of a configuration that a trial has; None where none has it, or repeats are trained."""
    if checked is None or experiment.space.trains_repeats:
        return None
    wanted = _write_values(checked.values)
    for trial in experiment.trials:
        if trial.state == "failed" or (trial.state == "pruned" and not trial.curve):  # withdrawn: it never ran
            continue
        held = {name: trial.values[name] for name in checked.values if name in trial.values}
        if _write_values(held) == wanted:
            return _refuse_repeat(f"trial {trial.number:03d} has this configuration")
    return None


def find_waiting(
    experiment: StoredExperiment, checked: CheckedProposal | None, requests: Iterable[SteeringRequest]
) -> RequestAnswer | None:
    """Return the refusal of a configuration that was proposed before, and waits; None where none has it."""
    if checked is None or experiment.space.trains_repeats:
        return None
    wanted = _write_values(checked.values)
    for request in requests:
        if request.verb != "propose":
            continue
        try:
            other = check_request(experiment, request.arguments)
        except UserError:  # its driver will refuse it
            continue
        if other is not None and _write_values(other.values) == wanted:
            return _refuse_repeat(f"a proposal of {request.user} that waits has this configuration")
    return None


def _refuse_repeat(what: str) -> RequestAnswer:
    return RequestAnswer(taken=False, what=what, hint="All trials have one seed: it would be the same again.")


def _write_values(values: Mapping[str, Value]) -> str:
    return repr(list(values.items())).replace("(", "[").replace(")", "]")  # the ledger makes lists of tuples


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
    """Where requests go, and answers come from. Raises StorageError where a store does not answer."""

    poll_s: float
    """How often an answer is looked for."""

    @property
    def has_driver(self) -> bool:
        """Whether a search runs."""

    def send_request(self, request: SteeringRequest) -> None:
        """Send a request; raise a UserError where that cannot be done."""

    def fetch_answer(self, request: str) -> RequestAnswer | None:
        """Return an answer once; None where there is none yet."""

    def has_request(self, request: str) -> bool:
        """Tell whether a request waits that no driver has taken."""

    def withdraw_request(self, request: str) -> bool:
        """Take a request back; tell whether no driver had taken it, nor will."""

    def peek_requests(self) -> list[SteeringRequest]:
        """Return the requests that wait, and leave them there."""


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

    def has_request(self, request: str) -> bool:
        """Tell whether a request waits that no driver has taken."""
        return self._requests.has_request(request)

    def withdraw_request(self, request: str) -> bool:
        """Take a request back; tell whether no driver had taken it, nor will."""
        return self._requests.withdraw_request(request)

    def peek_requests(self) -> list[SteeringRequest]:
        """Return the latest requests that wait, and leave them there: to read each of them takes a while."""
        found: list[SteeringRequest] = []
        for name, raw in self._requests.peek_requests():
            with contextlib.suppress(ValueError, RecursionError):
                found.append(decode_request(raw, name.removesuffix(".json")))
        return found


def open_mailbox(paths: ExperimentPaths) -> Mailbox:
    """Return where an experiment's requests go: to its URL, unless a driver of this machine works on the copy."""
    url = url_of(paths.folder)
    return LocalMailbox(paths) if url is None or is_locked(paths) else RemoteMailbox(url)


def _ask_driver(paths: ExperimentPaths, mailbox: Mailbox, request: SteeringRequest, timeout_s: float) -> RequestAnswer:
    """Send a request, and return the answer; without one say what becomes of it. A proposal is kept then.

    Anything else is taken back, unless the driver has taken it just now: then its answer is waited for once more.
    """
    mailbox.send_request(request)
    answer, why = _wait_for_answer(mailbox, request, timeout_s)
    if answer is not None:
        return answer
    try:
        is_kept = request.verb == "propose" and mailbox.has_request(request.id)
        if not is_kept and not mailbox.withdraw_request(request.id):
            answer, why = _wait_for_answer(mailbox, request, AT_WORK_S)
            if answer is None and not mailbox.withdraw_request(request.id):
                return _describe_unknown(paths, why)
        answer = answer or mailbox.fetch_answer(request.id)  # it may have come last
    except StorageError as error:
        what = f"{error.what}; whether the search has done this is not known"
        raise StorageError(error.where, what, "Look with `status` when the store can be reached.") from error
    if answer is None:
        kept = describe_kept(paths, why)
        answer = kept if is_kept else RequestAnswer(taken=False, what=why, hint=UNANSWERED)
    return answer


def _wait_for_answer(mailbox: Mailbox, request: SteeringRequest, timeout_s: float) -> tuple[RequestAnswer | None, str]:
    """Return the answer; None, and why there is none, after a time or where no search runs any more."""
    ends = time.monotonic() + timeout_s
    looked = time.monotonic()
    while True:
        with contextlib.suppress(StorageError):  # the network may come back
            if (answer := mailbox.fetch_answer(request.id)) is not None:
                return answer, ""
            if time.monotonic() - looked >= LOOK_S * (mailbox.poll_s / POLL_S):
                looked = time.monotonic()
                if not mailbox.has_driver:
                    return mailbox.fetch_answer(request.id), "the search ended before it answered"
        if time.monotonic() >= ends:
            return None, f"the search has not answered for {timeout_s:.0f} s"
        time.sleep(mailbox.poll_s)


def _describe_unknown(paths: ExperimentPaths, why: str) -> RequestAnswer:
    """Return what is said of a request that a driver has taken, and has not answered."""
    hint = f"What came of it: {this_command()} status {paths.cli_argument}"
    return RequestAnswer(taken=True, what=f"{why}, but it has read this: it may have been done", hint=hint)
