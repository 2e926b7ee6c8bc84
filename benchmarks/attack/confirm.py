"""The driver, ended while it confirms a search, while it writes a verdict, and while ``apply`` writes the source."""

import contextlib
import json
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.attack.searches import GONE_S, Findings, Project, projects, wait_for

SEARCH_S = 900.0
"""For the search and its whole confirmation, which is trained once."""
SPACE = """\
system: line.py
metric: Score/Val
mode: max
constants:
  LR: {choice: [0.001, 0.3]}
trials: 3
sampler: grid
concurrency: 2
trainer: {max_epochs: 2}
confirm: {top: 2, seeds: 2}
"""
N_FIRST_LOOK = range(18, 21)
"""The winner and the hardcoded values with eight seeds each; before that two trials race over two seeds at most."""
N_RUNS = frozenset(n + n_more for n in N_FIRST_LOOK for n_more in (0, 16))
"""As many seeds again where the first ones leave the verdict open."""
SIGNALS = {"killed": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}


def end_confirmations(place: Path, seed: int, n: int) -> list[Findings]:
    """End the driver while it confirms, ``n`` times in each way; kill ``apply``; run two commands at once."""
    rng = random.Random(seed + 5)
    found = {how: Findings(f"confirmation: {how}") for how in SIGNALS}
    others = {what: Findings(what) for what in ("apply killed", "two commands at once")}
    with projects(place, seed + 5) as make:
        project = make(trials=3, epochs=2, pace_s=0.05)
        (project.folder / "p" / "s.yaml").write_text(SPACE)
        process = project.start("--space", "s.yaml", "--name", "s", "--no-report")
        process.wait(SEARCH_S)
        finished = shutil.copytree(project.storage / "s", project.folder / "finished")
        for number in range(n * len(SIGNALS)):
            how = list(SIGNALS)[number % len(SIGNALS)]
            _end_confirmation(project, finished, how, rng, found[how])
        for _ in range(n):
            _kill_apply(project, finished, rng, others["apply killed"])
            _run_two(project, finished, rng, others["two commands at once"])
    return [*found.values(), *others.values()]


def _restore(project: Project, finished: Path, *, confirmed: bool) -> Path:
    experiment = project.storage / "s"
    shutil.rmtree(experiment, ignore_errors=True)
    shutil.copytree(finished, experiment)
    if not confirmed:
        shutil.rmtree(experiment / "retrain", ignore_errors=True)
        (experiment / "verdicts.json").unlink(missing_ok=True)
    return experiment


def _runs(experiment: Path) -> list[dict[str, Any]]:
    found = []
    for file in experiment.glob("retrain/*/trial.json"):
        with contextlib.suppress(OSError, ValueError):
            found.append(json.loads(file.read_text()))
    return found


def _curves(experiment: Path) -> dict[str, Any]:
    """Return the curves of the runs that came to their end, by version."""
    return {each["version"]: each["curve"] for each in _runs(experiment) if each["stage"] == "complete"}


def _end_confirmation(project: Project, finished: Path, how: str, rng: random.Random, found: Findings) -> None:
    experiment = _restore(project, finished, confirmed=False)
    began = time.monotonic()
    process = project.start("resume", "s", "--no-report")
    at = rng.randrange(-1, N_FIRST_LOOK.start)  # as the verdict is written, or after so many runs
    written = experiment / "verdicts.json"
    wait_for(lambda: written.exists() if at < 0 else len(_curves(experiment)) >= at, process)
    time.sleep(rng.uniform(0, 0.05 if at < 0 else 1))
    found.n += 1
    before = _curves(experiment)
    process.send_signal(SIGNALS[how])
    said = project.end_of(process, began)
    found.note(f"status {said.status}")
    if how != "killed":
        found.check_output(said, how, (0, 130))
    left = project.wait_until_gone(GONE_S)
    found.check(not left, f"{how}: left {GONE_S:.0f} s after it: {left}")
    for words in (["results", "s"], ["list"], ["status", "s"]):
        found.check_output(project.run(*words), f"{how}: {words[0]}", (0,))
    found.check_output(project.run("resume", "s", "--no-report"), f"{how}: resume", (0,))
    after = _curves(experiment)
    found.check(before.items() <= after.items(), f"{how}: runs that had ended changed")
    twice = {key: n for key, n in Counter((r["number"], r["seed"]) for r in _runs(experiment)).items() if n > 1}
    keys = Counter((json.dumps(r["constants"]), r["seed"]) for r in _runs(experiment))
    found.check(max(keys.values(), default=0) <= 1, f"{how}: trained twice: {keys} {twice}")
    found.check(len(after) in N_RUNS, f"{how}: {len(after)} runs")
    verdicts = json.loads(written.read_text())["verdicts"]
    found.check(len(verdicts) == 1 and verdicts[0]["number"] == 1, f"{how}: {verdicts}")
    stray = [path.name for path in experiment.rglob(".*") if path.name.startswith(".verdicts")]
    found.check(not stray or how == "killed", f"{how}: {stray}")


def _kill_apply(project: Project, finished: Path, rng: random.Random, found: Findings) -> None:
    """Kill ``apply --write``: the source is as it was, or holds the value; and the next one says so."""
    _restore(project, finished, confirmed=True)
    source = project.folder / "p" / "line.py"
    old = source.read_bytes()
    new = old.replace(b"LR = 0.1\n", b"LR = 0.3\n")
    process = project.start("apply", "s", "--write", name="run.txt")
    time.sleep(rng.uniform(0.3, 2.5))
    process.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM]))
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(60)
    found.n += 1
    held = source.read_bytes()
    found.note("written" if held == new else "as it was")
    found.check(held in (old, new), f"the source is half written: {held!r}")
    beside = sorted(path.name for path in source.parent.glob(".line.py*"))
    found.check(not beside, f"left beside the source: {beside}")
    found.check_output(project.run("apply", "s", "--write"), "apply again", (0,))
    found.check(source.read_bytes() == new, "the second apply did not write")
    found.check_output(project.run("apply", "s", "--trial", "0", "--write"), "apply back", (0,))
    found.check(source.read_bytes() == old, "the source did not come back")
    source.write_bytes(old)


PAIRS = (
    (["resume", "s", "--trials", "+1", "--no-report"], ["delete", "s", "--yes"]),
    (["retrain", "s", "--seeds", "2"], ["apply", "s"]),
    (["retrain", "s", "--seeds", "2"], ["delete", "s", "--yes"]),
    (["resume", "s", "--no-report"], ["retrain", "s", "--seeds", "2"]),
    (["resume", "s", "--no-report"], ["resume", "s", "--no-report"]),
)


def _run_two(project: Project, finished: Path, rng: random.Random, found: Findings) -> None:
    """Run two commands on one experiment at once: each is done, or refused with the reason."""
    experiment = _restore(project, finished, confirmed=rng.random() < 0.5)
    first, second = PAIRS[found.n % len(PAIRS)]
    found.n += 1
    began = time.monotonic()
    (project.folder / "run.txt").unlink(missing_ok=True)
    (project.folder / "two.txt").unlink(missing_ok=True)
    one = project.start(*first, name="two.txt")
    time.sleep(rng.uniform(0, 5))
    two = project.start(*second, name="run.txt")
    for process, name, words in ((one, "two.txt", first), (two, "run.txt", second)):
        said = project.end_of(process, began, name)
        found.check_output(said, " ".join(words), (0, 1, 2))
        found.note(f"{words[0]} {said.status}")
        if said.status:
            found.check(len(said.text.strip().splitlines()) >= 2, f"{words}: no remedy: {said.text}")
    left = project.wait_until_gone(GONE_S)
    found.check(not left, f"{first} and {second}: left: {left}")
    if experiment.exists():
        found.check_output(project.run("results", "s"), f"results after {first} and {second}", (0,))
        found.check_output(project.run("resume", "s", "--no-report"), f"resume after {first} and {second}", (0,))
        keys = Counter((json.dumps(r["constants"]), r["seed"]) for r in _runs(experiment))
        found.note(f"at most {max(keys.values(), default=0)} of a run")
