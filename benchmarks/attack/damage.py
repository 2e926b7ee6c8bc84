"""Files of an experiment, cut off and with a bit flipped, and what the commands make of them."""

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.attack.searches import MOST_S, Findings, Project, Said, ended_trials, projects, reports_twice, wait_for

N_TRIALS, N_EPOCHS, PACE_S = 4, 4, 0.15
SEARCH_S = 900.0
"""For a search and its whole confirmation."""
RESUME_EACH = 4
"""Every so many copies are gone on with: that takes seconds."""
TARGETS = {
    "journal": "study.journal",
    "trial.json": "*/trial.json",
    "space.yaml": "space.yaml",
    "checkpoint": "*/checkpoints/*.ckpt",
}
"""Which file of an interrupted search is damaged: one of those that match."""
OTHERS = {"kept proposal": ".requests/*.json", "events": "*/events.*", "hparams": "*/hparams.yaml"}
"""The same, of the files that little hangs on."""
CONFIRMED = {
    "verdicts": "verdicts.json",
    "fresh run": "retrain/*/trial.json",
    "its request": "retrain/*/retrain.json",
    "applied values": "applied.json",
    "snapshot": "source/snapshot.json",
}
"""The same, of a search that was confirmed."""


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {"cut": _cut, "flip": _flip}


def damage_files(place: Path, seed: int, n: int) -> list[Findings]:
    """Damage one file of an interrupted search, ``n`` times for each kind; read it, load from it, and go on with it."""
    return _damage(place, seed + 2, n, TARGETS, _interrupted_search)


def damage_others(place: Path, seed: int, n: int) -> list[Findings]:
    """Do the same to the other files of an interrupted search, and to those of a confirmation."""
    found = _damage(place, seed + 6, n, OTHERS, _interrupted_search)
    return found + _damage(place, seed + 7, n, CONFIRMED, _confirmed_search)


def _damage(
    place: Path, seed: int, n: int, targets: Mapping[str, str], search: Callable[[Project], Path]
) -> list[Findings]:
    rng = random.Random(seed)
    found = {(target, how): Findings(f"{target}: {how}") for target in targets for how in DAMAGES}
    with projects(place, seed) as make, _session():
        project = make(trials=N_TRIALS, epochs=N_EPOCHS, pace_s=PACE_S)
        original = search(project)
        os.chdir(project.folder / "p")
        weights = {number: _load(original, number) for number in ended_trials(original)}
        for number in range(n):
            for (target, how), findings in found.items():
                copy = project.folder / "copies" / "s"
                shutil.rmtree(copy.parent, ignore_errors=True)
                shutil.copytree(original, copy)
                file = rng.choice([each for each in sorted(copy.glob(targets[target])) if each.stat().st_size])
                file.write_bytes(DAMAGES[how](file.read_bytes(), rng))
                findings.n += 1
                about = f"{file.relative_to(copy)}"
                _check_readers(copy, file, weights, about, findings)
                if number % RESUME_EACH == 0 or target == "space.yaml":
                    _check_resume(copy, original, about, findings)
        os.chdir(place)
    return list(found.values())


@contextlib.contextmanager
def _session() -> Iterator[None]:
    """Start one Ray for all searches of this process."""
    from tune.cluster.backend import local_cluster
    from tune.cluster.process_server import run_server
    from tune.cluster.resources import Resources

    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    with run_server(), local_cluster(resources):
        yield


def _interrupted_search(project: Project) -> Path:
    """Return an experiment with trials that ended, and with one that waits and has a checkpoint."""
    experiment = project.storage / "s"
    process = project.start("--space", "s.yaml", "--name", "s")
    wait_for(lambda: len(ended_trials(experiment)) >= 1 and any(experiment.glob("002*/checkpoints/last.ckpt")), process)
    process.send_signal(signal.SIGINT)
    process.wait(MOST_S)
    assert 1 <= len(ended_trials(experiment)) < N_TRIALS, (project.folder / "out.txt").read_text()
    assert project.run("propose", "s", "LR=0.03", "--why", "a hunch").status == 0
    return experiment


def _confirmed_search(project: Project) -> Path:
    """Return an experiment that found something better, with its verdict, and the note of what was written."""
    space = project.folder / "p" / "s.yaml"
    lines = "sampler: grid\nconfirm: {top: 2, seeds: 2}\n"
    space.write_text(space.read_text().replace("loguniform: [1.0e-3, 1]", "choice: [0.001, 0.2, 0.3, 0.4]") + lines)
    source = project.folder / "p" / "line.py"
    held = source.read_bytes()
    project.start("--space", "s.yaml", "--name", "s", "--no-report").wait(SEARCH_S)
    assert project.run("apply", "s", "--write").status == 0, (project.folder / "out.txt").read_text()
    source.write_bytes(held)
    experiment = project.storage / "s"
    assert all(any(experiment.glob(pattern)) for pattern in CONFIRMED.values()), list(experiment.rglob("*"))
    return experiment


def call(*words: str) -> Said:
    """Run a command in this process; return what it wrote. One that takes too long is raised out of."""
    from tune.cli import main

    told = tempfile.TemporaryFile()  # noqa: SIM115 - it goes with this process at the latest
    sys.stdout.flush()
    before = os.dup(1), os.dup(2)
    began = time.monotonic()
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(int(MOST_S))
    try:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                status = main(words)
        except Exception as error:
            import traceback

            traceback.print_exception(error)
            status = -1
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        signal.alarm(0)
        for descriptor, kept in zip((1, 2), before, strict=True):
            os.dup2(kept, descriptor)
            os.close(kept)
    with told:
        told.seek(0)
        text = told.read().decode(errors="backslashreplace")
    return Said(status, text, time.monotonic() - began)


def _give_up(number: int, frame: object) -> None:
    raise TimeoutError(f"it took more than {MOST_S} s")


def _load(experiment: Path, number: int) -> Any:
    """Return the weights of a trial's best checkpoint; the message of the error where it is refused."""
    from tune import load
    from tune.errors import PromotuneError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {name: value.tolist() for name, value in load(experiment, number).state_dict().items()}
    except PromotuneError as error:
        return str(error)


def _check_readers(copy: Path, file: Path, weights: dict[int, Any], about: str, found: Findings) -> None:
    storage = ["--storage", str(copy.parent)]
    before = file.read_bytes()
    found.check_output(call("results", "s", *storage), f"{about}: results", (0, 2))
    found.check_output(call("list", *storage), f"{about}: list", (0,))
    found.check_output(call("status", "s", *storage), f"{about}: status", (0, 1, 2, 3, 130))
    found.check_output(call("apply", "s", *storage), f"{about}: apply", (0, 2))
    tables = str(copy.parent / "tables")
    found.check_output(call("export", "s", "--to", "csv", "-o", tables, *storage), f"{about}: export", (0, 2))
    found.check(file.read_bytes() == before, f"{about}: a reader changed it")
    number = int(file.parents[1].name[:3]) if file.suffix == ".ckpt" else 0
    if number not in weights:
        return
    try:
        held = _load(copy, number)
    except Exception as error:
        found.check(False, f"{about}: load raised {error!r}")
        return
    found.check(isinstance(held, str) or held == weights[number], f"{about}: load returned other weights")
    found.note("load refused" if isinstance(held, str) else "loaded")


def _is_finished(experiment: Path) -> bool:
    return (experiment / "verdicts.json").exists()


def _check_resume(copy: Path, original: Path, about: str, found: Findings) -> None:
    kept = {} if "space.yaml" in about else ended_trials(copy)
    said = call("resume", "s", "--no-report", "--storage", str(copy.parent))
    found.check_output(said, f"{about}: resume", (0, 1, 2))
    found.note(f"resume {said.status}")
    if said.status == 0:
        after = ended_trials(copy)
        n_wanted = len(ended_trials(original)) if _is_finished(original) else N_TRIALS + 1
        lost_proposal = ".requests" in about and len(after) == N_TRIALS
        found.check(len(after) == n_wanted or lost_proposal, f"{about}: {len(after)} trials ended")
        found.check(not reports_twice(copy), f"{about}: an epoch stands twice in the ledger")
        found.check(kept.items() <= after.items(), f"{about}: what had ended changed")
        if kept != ended_trials(original):
            found.note("the ledger holds less, or other values")
    elif said.status == 2:
        found.check(len(said.text.strip().splitlines()) >= 2, f"{about}: no remedy: {said.text}")
