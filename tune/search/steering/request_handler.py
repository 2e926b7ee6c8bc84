"""Does what other processes ask of a running search, and says what came of it. Called in the driver's main thread."""

import contextlib
import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tune.errors import ExperimentError, OptionError, PauseError, PromotuneError
from tune.experiment.lock import read_lock_time
from tune.experiment.proposal_note import ProposalNote, SearchPause
from tune.experiment.proposals import check_best, check_proposal, check_shape, check_why
from tune.experiment.requests import LASTING, RequestAnswer, RequestFolder, SteeringRequest
from tune.experiment.trial_result import BASELINE
from tune.invocation import this_command
from tune.paths import ExperimentPaths, display_path
from tune.promotion.resolve import PromotedConstant, hardcoded_values
from tune.search.samplers.searcher import SuggestedConfig
from tune.search.search_end import SearchEnd
from tune.search.steering.controls import PollClock, SearchControls
from tune.search.study.study import SearchStudy
from tune.space.dimensions import Value, is_int
from tune.space.space import Space
from tune.storage_url import url_of

MOST_AT_ONCE = 20
"""Requests that are done at a look: trials wait meanwhile."""
CLOCKS_S = 30.0
"""The clocks of machines that share an experiment differ by so much at most."""
MOST_WAITING = 5000
"""Proposals that wait for a place; more are refused."""


class SteeredSearch(Protocol):
    """What a controller does for those who steer it."""

    end: SearchEnd

    def request_end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch."""

    def stop_trial(self, number: int, why: Mapping[str, Any]) -> bool:
        """Stop a trial that has begun after its epoch, and one that has not at once; False: it has ended."""

    def add_proposal(self, draw: SuggestedConfig, note: ProposalNote) -> int:
        """Let a configuration run next; return its trial's number."""


class EarlierRequests:
    """Those that were sent before this driver held the experiment: to one that has ended."""

    def __init__(self, paths: ExperimentPaths) -> None:
        self._is_remote = url_of(paths.folder) is not None
        self._ids = {name.removesuffix(".json") for name in RequestFolder(paths).list_requests()}
        self._began = read_lock_time(paths) or time.time()

    def includes(self, request: SteeringRequest) -> bool:
        """Tell whether a request is among them.

        One that was brought late from a URL is known by its time alone. Elsewhere that would only mislead: a clock
        that was set back makes every request an earlier one.
        """
        is_late = self._is_remote and request.time < self._began - CLOCKS_S
        return is_late or (request.id in self._ids and request.time < self._began)


class RequestHandler:
    """One for a driver."""

    def __init__(
        self,
        paths: ExperimentPaths,
        space: Space,
        promoted: Sequence[PromotedConstant],
        ledger: SearchStudy,
        controls: SearchControls,
        change_settings: Callable[[SteeringRequest], str],
        on_pause: Callable[[SearchPause | None], None] = lambda pause: None,
    ) -> None:
        """``change_settings``: does what a ``set`` asks for, and returns what holds now in words.

        ``on_pause``: hears that the search is paused, and by None that it goes on.
        """
        self._paths = paths
        self._space = space
        self._promoted = promoted
        self._hardcoded = hardcoded_values(promoted)
        self._ledger = ledger
        self._controls = controls
        self._change_settings = change_settings
        self._on_pause = on_pause
        self._folder = RequestFolder(paths)
        self._clock = PollClock()
        self._earlier = EarlierRequests(paths)
        self._has_folder = False

    def poll(self, search: SteeredSearch) -> None:
        """Do some of what waits, if it is time to look."""
        if not self._clock.is_due():
            return
        with self._clock.time_look(), contextlib.suppress(OSError):
            self._handle_requests(search)

    def handle_all(self, search: SteeredSearch) -> None:
        """Do all that was kept for this driver; a file that can neither be read nor moved aside stays."""
        with contextlib.suppress(OSError):
            before: list[str] = []
            while (names := self._folder.list_requests()) != before:
                before = names
                self._handle_requests(search)

    def _handle_requests(self, search: SteeredSearch) -> None:
        if not self._has_folder:
            self._make_folder()
        if not self._has_folder:
            return
        names = self._folder.list_requests()
        answers: list[tuple[str, RequestAnswer]] = []
        for name in names[:MOST_AT_ONCE]:
            request = self._folder.read_request(name)
            if request is not None:
                answers.append((request.id, self._answer_request(request, search)))
        if any(answer.taken for _, answer in answers):
            _flush_file(self._paths)
        for request_id, answer in answers:
            self._folder.answer_request(request_id, answer)

    def _make_folder(self) -> None:
        """Make the folder where it is missing; where it is somebody else's, nothing of it is read."""
        with contextlib.suppress(OSError, ExperimentError):
            self._folder.make_folder()
            self._has_folder = True
            self._folder.delete_old_answers()

    def _answer_request(self, request: SteeringRequest, search: SteeredSearch) -> RequestAnswer:
        if self._earlier.includes(request) and request.verb not in LASTING:
            return RequestAnswer(taken=False, what=f"{request.verb}: the search that it was meant for had ended")
        try:
            match request.verb:
                case "propose":
                    return self._propose(request, search)
                case "stop":
                    return self._stop(request, search)
                case "pause":
                    return self._pause(request)
                case "resume":
                    return self._resume()
                case "set":
                    return self._set(request)
        except PauseError:  # no room for it: it waits
            raise
        except PromotuneError as error:
            return RequestAnswer.of_error(error)
        except Exception as error:  # whatever a request says, the search goes on
            traceback.print_exc()
            return RequestAnswer(taken=False, what=f"the driver cannot do it: {type(error).__name__}: {error}")

    def _propose(self, request: SteeringRequest, search: SteeredSearch) -> RequestAnswer:
        known = self._ledger.proposals.find_request(request.id)
        if known is not None:  # an earlier driver was killed before it answered
            return RequestAnswer(taken=True, what=f"trial {known:03d} was taken before", trial=known)
        if self._controls.n_proposals >= MOST_WAITING:
            what = f"{MOST_WAITING} proposals wait already"
            raise ExperimentError(display_path(self._paths.folder), what, "Propose again when some have run.")
        draw, outside = self.check_request(request.arguments)
        note = ProposalNote(
            request=request.id,
            user=request.user,
            why=check_why(request.arguments.get("why", "")),
            time=request.time,
            outside=outside,
        )
        n_before = self._controls.n_proposals
        number = search.add_proposal(draw, note)
        unlearnt = self._ledger.searcher.explain_unlearnt(draw.values)
        if self._controls.is_finishing or search.end.is_interrupted:
            turn = "is kept: the search ends after the running trials"
        else:
            turn = "runs next" if n_before == 0 else f"runs after {n_before} other proposals"
            turn += ", once the search goes on" if self._controls.is_paused else ""
        return RequestAnswer(taken=True, what=f"trial {number:03d} {turn}", hint=unlearnt, trial=number)

    def check_request(self, arguments: Mapping[str, Any]) -> tuple[SuggestedConfig, tuple[str, ...]]:
        """Return the configuration that a proposal means, and its constants outside; raise what is wrong with it."""
        named, outside, others = arguments.get("constants"), arguments.get("outside"), arguments.get("others")
        check_shape(arguments)
        sampled = others == "sampler"
        checked = check_proposal(
            named or {},
            self._space,
            self._promoted,
            self._base_values(others),
            outside=bool(outside),
            sampled=sampled,
        )
        draw = self._complete(checked.values) if sampled else self._fix(checked.values)
        return draw, checked.outside

    def _base_values(self, others: object) -> dict[str, Value]:
        """Return the constants that a proposal does not name; those of the baseline are known once it has run."""
        held = {**self._ledger.get_values(BASELINE), **self._hardcoded}
        if others != "best":
            return held
        return {**held, **check_best(self._ledger.searcher.best_values)}

    def _fix(self, values: Mapping[str, Value]) -> SuggestedConfig:
        self._check_repeat(values)
        return self._ledger.searcher.fix_config(values)

    def _complete(self, values: Mapping[str, Value]) -> SuggestedConfig:
        drawn = self._ledger.searcher.complete_config(values)
        if drawn is None:
            raise OptionError(None, "no configuration with these values fulfils what the space requires", None)
        return drawn

    def _check_repeat(self, values: Mapping[str, Value]) -> None:
        if self._space.trains_repeats:
            return
        number = self._ledger.find_trial_of(values)
        if number is not None:
            what = f"trial {number:03d} has this configuration"
            again = f"{self._write_command('retrain')} --trial {number} --seeds 5"
            hint = f"All trials have one seed, so it would be the same again. With others: {again}"
            raise ExperimentError(None, what, hint)

    def _stop(self, request: SteeringRequest, search: SteeredSearch) -> RequestAnswer:
        numbers, finish = request.arguments.get("trials", []), request.arguments.get("finish", False)
        if not isinstance(numbers, list) or not all(map(is_int, numbers)):
            raise OptionError(None, "stop takes numbers of trials", f"Write `{self._write_command('stop')} 3 5`.")
        if not numbers:
            if finish is True:
                self._controls.is_finishing = True
                return RequestAnswer(taken=True, what="no further trial begins; the running ones train to their end")
            search.request_end()
            return RequestAnswer(taken=True, what="the search ends: the running epochs end first, then all is saved")
        unknown = [number for number in numbers if not 0 <= number < self._ledger.n_trials]
        if unknown:
            there = f"there are trials 0 to {self._ledger.n_trials - 1}, got {unknown[0]}"
            raise OptionError(None, there, f"To list them: {self._write_command('results')}")
        why = {"request": request.id, "user": request.user, "why": check_why(request.arguments.get("why", ""))}
        stopped = [number for number in dict.fromkeys(numbers) if search.stop_trial(number, why)]
        ended = [number for number in dict.fromkeys(numbers) if number not in stopped]
        if not stopped:
            raise OptionError(None, f"trial {_join(ended)} has ended", "Nothing was stopped.")
        more = f"; trial {_join(ended)} had ended" if ended else ""
        return RequestAnswer(taken=True, what=f"trial {_join(stopped)} stops after its epoch{more}", trial=stopped[0])

    def _pause(self, request: SteeringRequest) -> RequestAnswer:
        hint = f"To let it go on: {self._write_command('resume')}"
        if self._controls.pause is not None:
            raise OptionError(None, f"the search is {self._controls.pause.description} already", hint)
        self._change_pause(SearchPause(user=request.user, time=time.time()))
        what = "no trial starts until it is resumed; those that run go on"
        return RequestAnswer(taken=True, what=what, hint=hint)

    def _change_pause(self, pause: SearchPause | None) -> None:
        self._controls.change_pause(pause)
        self._on_pause(pause)

    def _resume(self) -> RequestAnswer:
        if not self._controls.is_paused:
            hint = f"To change how long it runs: {self._write_command('set')} trials=+20"
            raise OptionError(None, "this search is running, and is not paused", hint)
        self._change_pause(None)
        return RequestAnswer(taken=True, what="the search goes on")

    def _write_command(self, name: str) -> str:
        """Return what is typed for a command on this experiment."""
        return f"{this_command()} {name} {self._paths.cli_argument}"

    def _set(self, request: SteeringRequest) -> RequestAnswer:
        if self._ledger.notes.has_request(request.id):
            return RequestAnswer(taken=True, what="this was set before")
        return RequestAnswer(taken=True, what=self._change_settings(request))


def _join(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:03d}" for number in numbers)


def _flush_file(paths: ExperimentPaths) -> None:
    """Wait until the ledger is on the disk: what is answered lasts."""
    opened = os.open(paths.journal, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
