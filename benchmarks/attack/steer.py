"""The driver, killed (SIGKILL) while other processes ask something of it."""

import random
import signal
import time
from pathlib import Path

from benchmarks.attack.kills import N_EPOCHS, N_TRIALS, PACE_S, check_after
from benchmarks.attack.searches import GONE_S, Findings, Project, ended_trials, projects, wait_for

START_S = 2.0
"""A command needs about so long to its request and its answer."""
REQUESTS = {
    "propose": ["propose", "s", "LR=0.02", "--why", "a hunch"],
    "pause": ["pause", "s"],
    "stop a trial": ["stop", "s", "1"],
    "set": ["set", "s", "trials=+1"],
}
JUNK = (b"", b"{", b"[" * 100_000, b"\xff\xfe", b"x" * 2**20)


def kill_steered(place: Path, seed: int, n: int) -> list[Findings]:
    """Kill the driver ``n`` times for each request that is under way; ``resume`` goes on each time."""
    rng = random.Random(seed + 8)
    found = {what: Findings(f"driver killed: {what}") for what in REQUESTS}
    with projects(place, seed + 8) as make:
        for number in range(n * len(REQUESTS)):
            what = list(REQUESTS)[number % len(REQUESTS)]
            _kill_steered(make(trials=N_TRIALS, epochs=N_EPOCHS, pace_s=3 * PACE_S), what, rng, found[what])
    return list(found.values())


def _kill_steered(project: Project, what: str, rng: random.Random, found: Findings) -> None:
    experiment = project.storage / "s"
    process = project.start("--space", "s.yaml", "--name", "s")
    wait_for(lambda: len(ended_trials(experiment)) >= 1, process)
    (experiment / ".requests" / rng.choice(["a.json", ".b", "00000000000000000001-00000000.json"])).write_bytes(
        rng.choice(JUNK)
    )
    began = time.monotonic()
    asked = project.start(*REQUESTS[what], name="asked.txt")
    time.sleep(rng.uniform(0, START_S))
    found.n += 1
    if process.poll() is not None:
        found.note("was through")
    before = ended_trials(experiment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    said = project.end_of(asked, began, "asked.txt")
    found.check_output(said, f"{what}: the command", (0, 1, 2))
    found.note(f"asked {said.status}")
    left = project.wait_until_gone(GONE_S)
    found.check(not left, f"left {GONE_S:.0f} s after the kill: {left}")
    n_more = int(what in ("propose", "set") and said.status == 0)
    check_after(project, found, before, f"{what}, killed", N_TRIALS + n_more)
    project.close()
