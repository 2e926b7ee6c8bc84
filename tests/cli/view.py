"""Drives the live view by hand: each line of standard input is an event of a search."""

import sys

from tune.cli.terminal.observer import observe_search
from tune.cli.terminal.screen import Screen
from tune.cluster.resources import Resources
from tune.experiment.proposal_note import SearchPause
from tune.experiment.trial_result import TrialResult, find_best_epoch
from tune.promotion.program import find_program
from tune.space.space_file import find_space, read_space
from tune.trial.messages import EpochReport, TrialTask


def main(space_file, title):
    screen = Screen()
    space = read_space(find_space(space_file))
    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    screen.print_line("above")
    with observe_search(screen, space, find_program(space.program), resources, title=title, n_trials=20) as listeners:
        events = Events(screen, listeners)
        for line in sys.stdin:
            what, *rest = line.split()
            getattr(events, what)(*rest)
    screen.print_line("below")


class Events:
    def __init__(self, screen, listeners):
        self._screen = screen
        self._listeners = listeners
        self._versions = {}
        self._curves = {}

    def ray(self):
        for listener in self._listeners:
            listener.on_ray_start()

    def ending(self):
        for listener in self._listeners:
            listener.on_search_ending()

    def paused(self, user, at):
        for listener in self._listeners:
            listener.on_pause(SearchPause(user=user, time=float(at)))

    def resumed(self):
        for listener in self._listeners:
            listener.on_pause(None)

    def print(self, *words):
        self._screen.print_line(" ".join(words))

    def began(self, number, version, *preflight):
        self._versions[number], self._curves[number] = version, {}
        task = TrialTask(number=int(number), version=f"/{version}", seed=0, preflight=bool(preflight))
        for listener in self._listeners:
            listener.on_trial_start(task)

    def placed(self, number, device):
        for listener in self._listeners:
            listener.on_trial_placed(int(number), device)

    def epoch(self, number, value):
        curve = self._curves[number]
        curve[len(curve) + 1] = float(value)
        for listener in self._listeners:
            listener.on_epoch(int(number), EpochReport(len(curve), float(value)))

    def ended(self, number, state, *reason):
        ended = outcome(int(number), self._versions[number], self._curves[number], state, " ".join(reason))
        for listener in self._listeners:
            listener.on_worker_free(int(number))
            listener.on_trial_end(ended)


def outcome(number, version, curve, state, reason):
    best = find_best_epoch(curve, "max")
    return TrialResult(
        number=number,
        version=version,
        values={},
        state=state,
        score=curve.get(best),
        best_epoch=best,
        curve=curve,
        measures={epoch: (value,) for epoch, value in curve.items()},
        reason=reason or None,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
