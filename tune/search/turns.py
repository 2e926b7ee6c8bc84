"""Trials between two attempts: those whose turn it is, and those that the scheduler lets wait."""

from collections import deque

from tune.search.scheduling.rule import Move


class Turns:
    """Who goes on next. A trial that pauses is decided about by a move, which may come before its process has ended."""

    def __init__(self) -> None:
        self._next: deque[int] = deque()
        self._paused: set[int] = set()
        self._ending: set[int] = set()  # paused, with a process that has not ended yet
        self._moved: set[int] = set()  # of those, the ones that go on

    def __bool__(self) -> bool:
        """Tell whether somebody goes on now."""
        return bool(self._next)

    @property
    def anyone_pauses(self) -> bool:
        """Whether somebody waits for the scheduler."""
        return bool(self._paused)

    @property
    def all(self) -> set[int]:
        """Everybody between two attempts."""
        return {*self._next, *self._paused, *self._moved}

    def add(self, trial: int) -> None:
        """Put a trial behind those whose turn it is."""
        self._next.append(trial)

    def pop(self) -> int:
        """Take the one whose turn it is."""
        return self._next.popleft()

    def pause(self, trial: int) -> None:
        """Let a trial wait; its process ends with this epoch."""
        self._paused.add(trial)
        self._ending.add(trial)

    def pauses(self, trial: int) -> bool:
        """Tell whether a trial's attempt ends, or has ended, because it pauses."""
        return trial in self._paused or trial in self._moved

    def freed(self, trial: int) -> None:
        """Take note that the process of a pausing trial has ended."""
        self._ending.discard(trial)
        if trial in self._moved:
            self._moved.discard(trial)
            self._next.append(trial)

    def apply(self, move: Move) -> bool:
        """Let a paused trial go on, or no longer wait; tell whether one that does not go on has ended already."""
        if move.trial not in self._paused:
            return False
        self._paused.discard(move.trial)
        if not move.goes_on:
            return move.trial not in self._ending
        if move.trial in self._ending:
            self._moved.add(move.trial)
        else:
            self._next.append(move.trial)
        return False
