"""Ask something of a search, from any process of its user: what is asked for is a file that the driver reads."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tune.errors import ExperimentError
from tune.experiment.lock import is_locked
from tune.experiment.open import StoredExperiment
from tune.experiment.proposals import Others, check_proposal, check_why
from tune.experiment.requests import (
    ANSWER_S,
    RequestAnswer,
    RequestFolder,
    SteeringRequest,
    Verb,
    create_request,
    wait_for_answer,
)
from tune.invocation import this_command
from tune.paths import ExperimentPaths, display_path
from tune.promotion.resolve import hardcoded_values, resolve_constants
from tune.space.dimensions import Value

LOOK_S = 0.5
"""How long a client waits before it looks again whether the search still runs."""
KEPT = "it is kept, and `resume` runs it"


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
    if is_locked(paths):
        return _ask_driver(paths, request, timeout_s)
    same = None if space.trains_repeats or others == "sampler" else _find_repeat(experiment, checked.values)
    if same is not None:
        what = f"trial {same:03d} has this configuration"
        return RequestAnswer(taken=False, what=what, hint="All trials have one seed: it would be the same again.")
    RequestFolder(paths).send_request(request)
    return RequestAnswer(taken=True, what=f"no search runs: {KEPT}")


def _find_repeat(experiment: StoredExperiment, values: Mapping[str, Value]) -> int | None:
    wanted = repr(list(values.items())).replace("(", "[").replace(")", "]")  # the ledger makes lists of tuples
    for trial in experiment.trials:
        held = {name: trial.values[name] for name in values if name in trial.values}
        if trial.state != "failed" and repr(list(held.items())).replace("(", "[").replace(")", "]") == wanted:
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
    if not is_locked(paths):
        hint = f"To go on with it: {this_command()} resume {paths.cli_argument}"
        raise ExperimentError(display_path(paths.folder), "no search runs here", hint)
    return _ask_driver(paths, create_request(verb, arguments), timeout_s)


def _ask_driver(paths: ExperimentPaths, request: SteeringRequest, timeout_s: float) -> RequestAnswer:
    folder = RequestFolder(paths)
    folder.send_request(request)
    ends = time.monotonic() + timeout_s
    while True:
        answer = wait_for_answer(folder, request.id, min(LOOK_S, max(0.0, ends - time.monotonic())))
        if answer is not None:
            return answer
        if not is_locked(paths) and folder.has_request(request.id):
            return _give_up(folder, request, "the search ended before it answered")
        if time.monotonic() >= ends:
            return _give_up(folder, request, f"the search has not answered for {timeout_s:.0f} s")


def _give_up(folder: RequestFolder, request: SteeringRequest, what: str) -> RequestAnswer:
    """Say what becomes of a request without an answer: a proposal is kept, anything else is taken back."""
    if request.verb == "propose":
        return RequestAnswer(taken=True, what=f"{what}: {KEPT}")
    if folder.withdraw_request(request.id):
        return RequestAnswer(taken=False, what=what, hint="Nothing was changed.")
    return folder.fetch_answer(request.id) or RequestAnswer(taken=True, what="it was done")
