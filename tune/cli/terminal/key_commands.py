"""What keys do while a search is drawn: each asks first, and sends a request as any other process would."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tune.errors import PromotuneError
from tune.experiment.requests import RequestAnswer
from tune.experiment.steer import ask_running, stop_trials
from tune.paths import ExperimentPaths

KEYS = "keys: s: stop a trial, e: end after the running ones, +: more trials"
ASKED_S = 20.0
"""A question that nobody answers for so long is a no."""
TOLD_S = 8.0
"""How long an answer is shown."""
ESCAPE = "\x1b"
MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    """What is shown; ``{}`` stands for the number that was typed so far."""
    is_number: bool
    """Whether a number and Enter answer it; else a single y does."""
    act: Callable[[int], RequestAnswer]


class KeyCommands:
    """Those of one search. ``press_keys`` comes from the keyboard's thread, ``line`` from that which draws."""

    def __init__(
        self,
        paths: ExperimentPaths,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``on_change``: is called when there is another line to draw."""
        self._on_change = on_change
        self._clock = clock
        self._asked: tuple[_Question, float] | None = None
        self._digits = ""
        self._told: tuple[str, float] | None = None
        self._questions = {
            "s": _Question(
                "stop which trial after its epoch? number and Enter; Esc: none: {}",
                is_number=True,
                act=lambda number: stop_trials(paths, [number], why="a key"),
            ),
            "e": _Question(
                "start no further trial, and end after the running ones? y: yes, any other key: no",
                is_number=False,
                act=lambda _: stop_trials(paths, finish=True),
            ),
            "+": _Question(
                "how many more trials? number and Enter; Esc: none: {}",
                is_number=True,
                act=lambda number: ask_running(paths, "set", {"trials": f"+{number}"}),
            ),
        }

    @property
    def line(self) -> str:
        """What the last line of the picture says."""
        now = self._clock()
        asked, told = self._asked, self._told
        if asked is not None and now - asked[1] < ASKED_S:
            return asked[0].text.format(self._digits)
        if told is not None and now - told[1] < TOLD_S:
            return told[0]
        return KEYS

    def press_keys(self, typed: str) -> None:
        """Take what was typed at once; several letters at once were pasted, or are a key such as an arrow."""
        asked = self._asked
        if asked is not None and self._clock() - asked[1] >= ASKED_S:
            asked = self._asked = None
        if asked is None:
            self._ask(typed)
        elif asked[0].is_number and not typed.startswith(ESCAPE):
            for letter in typed:
                self._add_digit(asked[0], letter)
        else:
            self._asked = None
            if typed == "y" and not asked[0].is_number:
                self._act(asked[0], 0)
        self._on_change()

    def _ask(self, typed: str) -> None:
        question = self._questions.get(typed)
        if question is not None:
            self._digits = ""
            self._asked = (question, self._clock())

    def _add_digit(self, question: _Question, letter: str) -> None:
        if self._asked is None:
            return  # what was typed behind the end of the number
        if letter in "\r\n":
            self._asked = None
            if self._digits:
                self._act(question, int(self._digits))
        elif letter in "\x7f\b":
            self._digits = self._digits[:-1]
        elif letter in "0123456789" and len(self._digits) < MOST_DIGITS:
            self._digits += letter
        else:
            self._asked = None

    def _act(self, question: _Question, number: int) -> None:
        self._told = ("asked...", self._clock())
        self._on_change()
        try:
            answer = question.act(number)
        except PromotuneError as error:
            answer = RequestAnswer.of_error(error)
        self._told = (answer.what if answer.taken else f"refused: {answer.what}", self._clock())
