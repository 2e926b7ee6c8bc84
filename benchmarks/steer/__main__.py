"""What becomes of proposals to a search that runs, and is killed: figures, and PASS or FAIL.

    python -m benchmarks.steer [--proposals 50] [--folder FOLDER]

1. A loop of 30 lines (``loop.py``) has proposals run beside the sampler's trials, by ``propose`` and ``status --json``
   alone. In the middle the loop and the driver are killed (SIGKILL) and started again.
2. Proposals to a search with a free place: how long after the request's file the trial begins.
3. 1,000 proposals at once: how long until all are answered, and how much of a core the driver takes meanwhile, beside
   what it takes without any.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from tune.experiment.lock import is_locked
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.requests import RequestFolder, create_request
from tune.experiment.steer import propose_trial, stop_trials
from tune.paths import ExperimentPaths

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tune"]
SPACE = """\
system: sleeper.py
metric: value
mode: max
constants:
  LEVEL: {uniform: [0.0, 1.0]}
  EPOCH_S: {uniform: [%s, %s]}
trials: %d
concurrency: 2
cpus_per_trial: 0.5
scheduler: none
sampler: random
checkpoints: none
trainer: {max_epochs: 1, num_sanity_val_steps: 0}
"""
LATEST_S = 2.0
SHARE = 0.05
N_AT_ONCE = 1000
N_OWN = 40
"""Trials of the sampler beside the loop's: enough that both run at once."""
PATIENCE_S = 600.0


class Search:
    """A search in a folder, as a user runs it."""

    def __init__(self, folder: Path, n_trials: int, trial_s: tuple[float, float]) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(Path(__file__).parents[1] / "overhead" / "sleeper.py", folder)
        (folder / "space.yaml").write_text(SPACE % (*trial_s, n_trials))
        self.storage = folder / "storage"
        self.paths = ExperimentPaths(self.storage / "space")
        self.driver = self._start("--space", "space.yaml")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "out.txt").open("ab") as out:
            return subprocess.Popen(
                [*COMMAND, *words, "--storage", str(self.storage), "--no-report"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill the driver, and wait for its processes."""
        self.driver.send_signal(signal.SIGKILL)
        self.driver.wait()
        time.sleep(8)  # the raylet's own end

    def resume(self) -> None:
        """Go on."""
        self.driver = self._start("resume", "space")

    def open(self) -> StoredExperiment:
        """Return the experiment as it is now."""
        return open_experiment(str(self.paths.folder), self.storage)

    def wait_until_it_trains(self) -> None:
        """Wait for the first epoch, after which all is warm."""
        until = time.monotonic() + PATIENCE_S
        while not (self.paths.journal.is_file() and is_locked(self.paths) and any(t.curve for t in self.open().trials)):
            if self.driver.poll() is not None or time.monotonic() > until:
                raise SystemExit((self.folder / "out.txt").read_text())
            time.sleep(0.5)

    def end(self) -> None:
        """End it, whatever runs."""
        self.driver.send_signal(signal.SIGTERM)
        try:
            self.driver.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()


def run_loop(folder: Path, n_proposals: int) -> bool:
    """Have a loop propose, kill it and the driver in the middle, and count what came of it."""
    search = Search(folder / "loop", N_OWN, (3.0, 5.0))
    search.wait_until_it_trains()
    words = ["-m", "benchmarks.steer.loop", " ".join(COMMAND), "space", str(search.storage), str(n_proposals)]
    loop = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    while search.open().n_proposed < n_proposals // 2 and search.driver.poll() is None:
        time.sleep(0.5)
    loop.kill()
    loop.wait()
    search.kill()
    n_before = search.open().n_proposed
    search.resume()
    search.wait_until_it_trains()
    subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    until = time.monotonic() + PATIENCE_S
    while search.driver.poll() is None and time.monotonic() < until:
        time.sleep(1)
    if search.driver.poll() is None or search.open().n_proposed < n_proposals:
        search.resume()  # what was proposed as the search ended is kept for it
        search.driver.wait(PATIENCE_S)
    trials = search.open().trials
    proposed = Counter(f"{trial.values['LEVEL']:.4g}" for trial in trials if trial.proposal is not None)
    states = Counter(trial.state for trial in trials)
    n_own = sum(trial.proposal is None for trial in trials)
    print(f"loop: {len(proposed)} of {n_proposals} proposals, {n_before} before the kill; {n_own} trials beside them")
    print(f"loop: states {dict(states)}, run twice: {[level for level, n in proposed.items() if n > 1]}")
    return len(proposed) == n_proposals == sum(proposed.values()) and n_own == N_OWN and set(states) == {"complete"}


def measure_latency(folder: Path, n_proposals: int = 20) -> bool:
    """Propose to a search whose one other trial takes long, each time that a place is free."""
    search = Search(folder / "latency", 2, (900.0, 1000.0))
    search.wait_until_it_trains()
    gaps = []
    for number in range(n_proposals):
        answer = propose_trial(search.open(), {"LEVEL": 0.1 + number / 100, "EPOCH_S": 0.5}, outside=True)
        assert answer.taken, answer
        until = time.monotonic() + 60
        while (trial := search.open().trials[answer.trial or 0]).state != "complete" and time.monotonic() < until:
            time.sleep(0.2)
        if trial.started is not None and trial.proposal is not None:
            gaps.append(trial.started - trial.proposal.time)
        time.sleep(1.0)
    search.end()
    gaps.sort()
    print(
        f"latency: {len(gaps)} proposals to a free place, median {gaps[len(gaps) // 2]:.2f} s, longest {gaps[-1]:.2f} s"
    )
    return gaps[-1] <= LATEST_S


def measure_load(folder: Path) -> bool:
    """Send 1,000 proposals at once to a driver whose places are taken."""
    search = Search(folder / "load", 2, (900.0, 1000.0))
    search.wait_until_it_trains()
    propose_trial(search.open(), {"LEVEL": 0.9, "EPOCH_S": 900})
    time.sleep(5)
    process = psutil.Process(search.driver.pid)
    idle = _core_share(process, 20.0)
    requests = RequestFolder(search.paths)
    sent = []
    for number in range(N_AT_ONCE):
        constants = {"LEVEL": round(number / 2000, 6), "EPOCH_S": 900}
        sent.append(create_request("propose", {"constants": constants, "why": "", "outside": False}))
        requests.send_request(sent[-1])
    began, cpu = time.monotonic(), _cpu_s(process)
    while requests.list_requests():
        time.sleep(0.2)
    took = time.monotonic() - began
    busy = (_cpu_s(process) - cpu) / took
    answers = [requests.fetch_answer(each.id) for each in sent]
    n_taken = sum(answer is not None and answer.taken for answer in answers)
    stop_trials(search.paths)
    search.end()
    print(f"load: {n_taken} of {N_AT_ONCE} taken in {took:.0f} s; {busy:.1%} of a core, {idle:.1%} before")
    return n_taken == N_AT_ONCE and busy - idle <= SHARE


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _core_share(process: psutil.Process, seconds: float) -> float:
    before = _cpu_s(process)
    time.sleep(seconds)
    return (_cpu_s(process) - before) / seconds


def main() -> None:
    """Measure all three; the exit status says whether all passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proposals", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--only", choices=("loop", "latency", "load"), default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        checks = {
            "loop": lambda: run_loop(folder, options.proposals),
            "latency": lambda: measure_latency(folder),
            "load": lambda: measure_load(folder),
        }
        passed = {name: check() for name, check in checks.items() if options.only in (None, name)}
    for name, ok in passed.items():
        print(f"{'PASS' if ok else 'FAIL'} {name}")
    sys.exit(not all(passed.values()))


if __name__ == "__main__":
    main()
