"""The driver, actors, trial processes and Ray's own processes, killed (SIGKILL) at random moments."""

import contextlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.attack.searches import (
    GONE_S,
    Curve,
    Findings,
    Project,
    ended_trials,
    find_one,
    projects,
    read_trials,
    reports_twice,
    wait_for,
)

N_TRIALS, N_EPOCHS, PACE_S = 6, 4, 0.05


def _experiment(project: Project) -> Path:
    return project.storage / "s"


def _n_ended(project: Project, rng: random.Random) -> Callable[[], bool]:
    number = rng.randrange(1, N_TRIALS - 1)
    return lambda: len(ended_trials(_experiment(project))) >= number


PHASES: dict[str, tuple[Callable[[Project, random.Random], Callable[[], bool]], float]] = {
    "start": (lambda project, rng: lambda: True, 2.5),
    "pre-flight": (lambda project, rng: lambda: any(_experiment(project).glob("000*")), 0.7),
    "search": (_n_ended, 0.3),
    "end": (lambda project, rng: lambda: len(ended_trials(_experiment(project))) == N_TRIALS, 0.4),
    "report": (lambda project, rng: lambda: any(_experiment(project).glob("*report.html*")), 0.02),
}
"""For each phase of a search: what shows that it is there, and how long after that a kill may come, in seconds."""
PARTS = {
    "actor": ("ray::", ""),
    "trial process": ("promotune: ", ""),
    "raylet": ("", "raylet"),
    "gcs": ("", "gcs_server"),
    "agent": ("ray::DashboardAgent", ""),
    "idle worker": ("ray::IDLE", ""),
}
"""The title that a part's process begins with, or its name."""
VITAL = ("raylet", "gcs", "agent")
"""Without which Ray does not go on."""
EARLY = ("idle worker",)
"""Which are there for a moment: while Ray starts, until a trial has them."""


def kill_drivers(place: Path, seed: int, n: int) -> list[Findings]:
    """Kill the driver alone, ``n`` times, in each phase as often; ``resume`` goes on each time."""
    rng = random.Random(seed)
    found = {phase: Findings(f"driver killed: {phase}") for phase in PHASES}
    with projects(place, seed) as make:
        for number in range(n):
            phase = list(PHASES)[number % len(PHASES)]
            _kill_driver(make(trials=N_TRIALS, epochs=N_EPOCHS, pace_s=PACE_S), phase, rng, found[phase])
    return list(found.values())


def _kill_driver(project: Project, phase: str, rng: random.Random, found: Findings) -> None:
    see, most_s = PHASES[phase]
    process = project.start("--space", "s.yaml", "--name", "s")
    wait_for(see(project, rng), process)
    time.sleep(rng.uniform(0, most_s))
    found.n += 1
    if process.poll() is not None:
        found.note("was through")
    before = ended_trials(_experiment(project))
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = project.wait_until_gone(GONE_S)
    found.check(not left, f"left {GONE_S:.0f} s after the kill: {left}")
    check_after(project, found, before, "killed")
    project.close()


def kill_parts(place: Path, seed: int, n: int) -> list[Findings]:
    """Kill one process of a search that runs, ``n`` of each kind: the search goes on, or says how to."""
    rng = random.Random(seed + 1)
    found = {part: Findings(f"{part} killed") for part in PARTS}
    with projects(place, seed + 1) as make:
        for number in range(n * len(PARTS)):
            part = list(PARTS)[number % len(PARTS)]
            _kill_part(make(trials=N_TRIALS, epochs=N_EPOCHS, pace_s=PACE_S), part, rng, found[part])
    return list(found.values())


def _kill_part(project: Project, part: str, rng: random.Random, found: Findings) -> None:
    began = time.monotonic()
    process = project.start("--space", "s.yaml", "--name", "s")
    victims: list[psutil.Process] = []

    def see() -> bool:
        if (one := find_one(project, *PARTS[part])) is None:
            return False
        victims[:] = [one]
        return True

    if part not in EARLY and rng.random() < 0.6:  # else while Ray starts, or the baseline is in its pre-flight
        wait_for(_n_ended(project, rng), process)
    wait_for(see, process)
    time.sleep(rng.uniform(0, 0.2 if part in EARLY else 1))
    see()  # the one that is there by now
    if not victims:
        found.check(False, "there was none to kill")
        return
    found.n += 1
    before = ended_trials(_experiment(project))
    killed = time.monotonic()
    with contextlib.suppress(psutil.Error):
        victims[0].kill()
    said = project.end_of(process, began)
    found.slowest_s = max(found.slowest_s, time.monotonic() - killed)
    ended_it = part in VITAL or "the pre-flight" in said.text  # of which there is no second try
    found.check_output(said, f"{part}: the search", (0, 1) if ended_it else (0,))
    found.note(f"status {said.status}")
    if said.status == 1:
        ways = ("resume s", "Give the same command again", "To begin again", "in the pre-flight")
        found.check(any(way in said.text for way in ways), f"no way on:\n{said.text}")
    left = project.wait_until_gone(GONE_S)
    found.check(not left, f"left {GONE_S:.0f} s after the end: {left}")
    check_after(project, found, before, f"{part} killed")
    project.close()


def check_after(
    project: Project, found: Findings, before: dict[int, Curve], how: str, n_trials: int = N_TRIALS
) -> None:
    """Check that readers read what is there, that ``resume`` ends the search, and that nothing is lost or twice."""
    experiment = _experiment(project)
    readers = {word: project.run(*([word] if word == "list" else [word, "s"])) for word in ("list", "results")}
    for word, said in readers.items():
        found.check_output(said, f"{how}: {word}", (0,) if word == "list" or read_trials(experiment) else (0, 2))
    said = project.run("resume", "s")
    if experiment.is_dir():
        found.check_output(said, f"{how}: resume", (0,))
    else:
        found.note("no folder yet")
        found.check_output(said, f"{how}: resume", (2,))
        found.check_output(project.run("--space", "s.yaml", "--name", "s"), f"{how}: again", (0,))
    left = project.wait_until_gone(GONE_S)
    found.check(not left, f"left {GONE_S:.0f} s after resume: {left}")
    after, trials = ended_trials(experiment), read_trials(experiment)
    lost = {number for number, curve in before.items() if after.get(number) != curve}
    found.check(not lost, f"{how}: trials lost or changed: {lost}")
    found.check([each.number for each in trials] == list(range(n_trials)), f"{how}: {len(trials)} trials")
    found.check(len(after) == n_trials, f"{how}: {len(after)} trials ended")
    found.check({each[0] for each in after.values()} <= {"COMPLETE", "PRUNED"}, f"{how}: {after}")
    found.check(not (twice := reports_twice(experiment)), f"{how}: twice in the ledger: {twice}")
    for number, (state, curve, _) in after.items():
        n_epochs = N_EPOCHS if state == "COMPLETE" else len(curve)
        found.check(sorted(curve) == list(range(1, n_epochs + 1)), f"{how}: trial {number} has epochs {sorted(curve)}")
