"""Answers what is asked of a search while its confirmation trains: that can be stopped and paused, and no more."""

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from tune.errors import ExperimentError, OptionError, PromotuneError
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.proposal_note import SearchPause
from tune.experiment.requests import LASTING, RequestAnswer, RequestFolder, SteeringRequest
from tune.experiment.steer import check_request, describe_kept, find_repeat, find_waiting
from tune.invocation import this_command
from tune.paths import ExperimentPaths
from tune.search.steering.controls import PollClock
from tune.search.steering.request_handler import MOST_AT_ONCE, EarlierRequests

TRAINS = "the confirmation trains"


class SteeredRetraining(Protocol):
    """What a retraining does for those who steer it."""

    pause: SearchPause | None
    """Who let no run begin; None: nobody."""

    def request_end(self) -> None:
        """Begin no further run, and let the running ones end after their epoch."""

    def finish_running(self) -> None:
        """Begin no further run, and let the running ones train to their end."""

    def change_pause(self, pause: SearchPause | None) -> None:
        """Begin no run from now on; None: begin them again."""


class RetrainRequestHandler:
    """One for a driver that confirms a search. Proposals are kept for `resume`."""

    def __init__(self, paths: ExperimentPaths) -> None:
        self._paths = paths
        self._folder = RequestFolder(paths)
        self._clock = PollClock()
        self._earlier = EarlierRequests(paths)
        self._has_folder = False
        self._known: dict[str, SteeringRequest] = {}
        self._experiment: StoredExperiment | None = None

    def poll(self, retraining: SteeredRetraining) -> None:
        """Answer some of what waits, if it is time to look."""
        if not self._clock.is_due():
            return
        with self._clock.time_look(), contextlib.suppress(OSError, ExperimentError):
            if not self._has_folder:
                self._folder.make_folder()  # of one that is somebody else's nothing is read
                self._has_folder = True
            names = [name for name in self._folder.list_requests() if name.removesuffix(".json") not in self._known]
            for name in names[:MOST_AT_ONCE]:
                self._handle_request(name, retraining)

    def _handle_request(self, name: str, retraining: SteeredRetraining) -> None:
        request = self._folder.peek_request(name)
        if request is None:
            self._folder.read_request(name)  # moves it aside
        elif self._earlier.includes(request) and request.verb in LASTING:
            self._known[request.id] = request  # kept when no search ran
        elif request.verb == "propose" and (answer := self._answer(self._propose, request)).taken:
            self._known[request.id] = request
            self._folder.keep_request(request.id, answer)
        elif self._folder.read_request(name) is not None:
            self._folder.answer_request(
                request.id, self._answer(lambda each: self._do_request(each, retraining), request)
            )

    def _answer(self, act: Callable[[SteeringRequest], RequestAnswer], request: SteeringRequest) -> RequestAnswer:
        try:
            return act(request)
        except PromotuneError as error:
            return RequestAnswer.of_error(error)

    def _propose(self, request: SteeringRequest) -> RequestAnswer:
        if self._experiment is None:
            self._experiment = open_experiment(str(self._paths.folder), self._paths.folder.parent)
        checked = check_request(self._experiment, request.arguments)
        repeat = find_repeat(self._experiment, checked)
        repeat = repeat or find_waiting(self._experiment, checked, self._known.values())
        return repeat or describe_kept(self._paths, TRAINS)

    def _do_request(self, request: SteeringRequest, retraining: SteeredRetraining) -> RequestAnswer:
        if self._earlier.includes(request):
            return RequestAnswer(taken=False, what=f"{request.verb}: the search that it was meant for had ended")
        match request.verb:
            case "stop":
                return self._stop(request, retraining)
            case "pause" | "resume":
                return self._change_pause(request, retraining)
            case "set":
                hint = f"Once it has ended: {self._write_command('resume')} --trials +20"
                raise OptionError(None, f"{TRAINS}: the search has no further trials", hint)
            case "propose":
                return self._propose(request)

    def _stop(self, request: SteeringRequest, retraining: SteeredRetraining) -> RequestAnswer:
        if request.arguments.get("trials"):
            raise OptionError(None, f"{TRAINS}: no trial runs that could be stopped", "It can be stopped as a whole.")
        if request.arguments.get("finish") is True:
            retraining.finish_running()
            what = f"{TRAINS}: no further run begins; the running ones train to their end"
        else:
            retraining.request_end()
            what = f"{TRAINS}: it ends after the running epochs, and all is saved"
        return RequestAnswer(taken=True, what=what, hint=f"To go on: {self._write_command('resume')}")

    def _change_pause(self, request: SteeringRequest, retraining: SteeredRetraining) -> RequestAnswer:
        hint = f"To let it go on: {self._write_command('resume')}"
        if request.verb == "resume":
            if retraining.pause is None:
                raise OptionError(None, f"{TRAINS}, and is not paused", "Wait for it, or end it with `stop`.")
            retraining.change_pause(None)
            return RequestAnswer(taken=True, what="the confirmation goes on")
        if retraining.pause is not None:
            raise OptionError(None, f"the confirmation is {retraining.pause.description} already", hint)
        retraining.change_pause(SearchPause(user=request.user, time=time.time()))
        what = f"{TRAINS}: no run begins until it is resumed; those that run go on"
        return RequestAnswer(taken=True, what=what, hint=hint)

    def _write_command(self, name: str) -> str:
        return f"{this_command()} {name} {self._paths.cli_argument}"
