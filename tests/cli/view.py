"""Drives the live view by hand: each line of standard input is an event of a search."""

import sys

from tune.cli.terminal.observer import observe_search
from tune.cli.terminal.summary import Screen
from tune.cluster.resources import Resources
from tune.experiment.trial_result import TrialResult, find_best_epoch
from tune.promotion.program import find_program
from tune.search.progress import Progress
from tune.space.space_file import find_space, read_space
from tune.trial.messages import TrialTask


def main(space_file, title):
    screen = Screen()
    space = read_space(find_space(space_file))
    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    screen.print_line("above")
    with observe_search(screen, space, find_program(space.program), resources, title=title, n_trials=20) as observer:
        events = Events(screen, observer)
        for line in sys.stdin:
            what, *rest = line.split()
            getattr(events, what)(*rest)
    screen.print_line("below")


class Events:
    def __init__(self, screen, observer):
        self._screen = screen
        self._observer = observer
        self._watch = observer.watch or mute()
        self._versions = {}
        self._curves = {}

    def ray(self):
        self._observer.on_start()

    def ending(self):
        self._watch.on_search_ending()

    def print(self, *words):
        self._screen.print_line(" ".join(words))

    def began(self, number, version, *preflight):
        self._versions[number], self._curves[number] = version, {}
        self._watch.on_trial_start(
            TrialTask(number=int(number), version=f"/{version}", seed=0, preflight=bool(preflight))
        )

    def epoch(self, number, value):
        curve = self._curves[number]
        curve[len(curve) + 1] = float(value)
        self._watch.on_epoch(int(number), len(curve), float(value))

    def ended(self, number, state, *reason):
        self._watch.on_worker_free(int(number))
        ended = outcome(int(number), self._versions[number], self._curves[number], state, " ".join(reason))
        self._observer.on_end(ended)


def mute():
    """Return what hears of everything and shows nothing, where there is no view."""
    return Progress("max", 20, 2)


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
