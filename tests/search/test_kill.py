"""The driver is killed at random moments, as a user would run it; nothing that was finished or reported is lost."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.events import scalars, session
from tests.projects import write_program

ROOT = Path(__file__).parents[2]
N_KILLS, N_TRIALS = 20, 24
N_EPOCHS = 12
"""Of 0.3 s: long enough that the search is not through before the last kill."""
GONE_S = 5.0
"""So soon after its driver is dead no worker is left."""
SPACE = """
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 24
concurrency: 2
trainer: {max_epochs: 12}
scheduler_args: {grace_period: 6}
"""


def living(family):
    """Return the processes that run; one that nobody reaped does not, nor one that goes while it is looked at."""
    return [each for each in family if runs(each)]


def runs(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


SERVER = "tune.trial.process.server"


def is_worker(process):
    title = " ".join(process.cmdline())
    return title.startswith(("ray::", "promotune: ")) and "Agent" not in title


class Driver:
    """`run_search.py` as a process of its own."""

    def __init__(self, folder, *words):
        self.folder = folder
        with (folder / "out.txt").open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "run_search.py", *words, "--storage", str(folder / "storage")],
                cwd=folder / "project",
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def told(self):
        return (self.folder / "out.txt").read_text()

    def family(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self):
        """Kill the driver alone; return how long its workers lived on, in seconds."""
        workers = []
        for each in self.family():
            with contextlib.suppress(psutil.Error):  # one that ends while it is looked at is no worker any more
                if is_worker(each) or SERVER in " ".join(each.cmdline()):
                    workers.append(each)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        killed = time.monotonic()
        wait_for(lambda: not living(workers) and not self.forked_trials(), GONE_S)
        return time.monotonic() - killed

    def forked_trials(self):
        """Return the processes of trials, also of one that was forked as the driver died."""
        found = []
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if is_worker(each) and Path(each.cwd()).is_relative_to(self.folder):
                    found.append(each)
        return living(found)


class Books:
    """What the experiment's files say."""

    def __init__(self, folder):
        self.folder = folder

    @property
    def trials(self):
        storage = JournalStorage(JournalFileBackend(str(self.folder / "study.journal")))
        return optuna.load_study(study_name=None, storage=storage).trials

    @property
    def ended(self):
        return {trial.number: trial for trial in self.trials if trial.state.is_finished()}

    @property
    def reports(self):
        records = [json.loads(line) for line in (self.folder / "study.journal").read_text().splitlines()]
        return [(each["trial_id"], each["step"]) for each in records if each["op_code"] == 7]

    @property
    def n_lines(self):
        journal = self.folder / "study.journal"
        return len(journal.read_bytes().splitlines()) if journal.exists() else 0

    def check(self, n_trials):
        trials = self.trials
        assert [trial.number for trial in trials] == list(range(n_trials))
        assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
        assert len(self.reports) == len(set(self.reports))
        for trial in trials:
            version = self.folder / trial.user_attrs["version"]
            curve = [value for _, value in sorted(trial.intermediate_values.items())]
            assert sorted(trial.intermediate_values) == list(range(1, len(curve) + 1))
            assert [step for step, _ in scalars(version)["Score/Val"]] == [
                4 * epoch - 1 for epoch in range(1, len(curve) + 1)
            ]
            assert [value for _, value in scalars(version)["Score/Val"]] == pytest.approx(curve)
            assert session(version).n_starts == 1
            if trial.state.name == "COMPLETE":
                assert len(curve) == N_EPOCHS


@pytest.fixture
def folder(tmp_path):
    program = write_program(tmp_path / "project", "paced")
    program.write_text(program.read_text().replace("PACE_S = 0.2", "PACE_S = 0.3"))
    program.with_name("s.yaml").write_text(SPACE)
    return tmp_path


@pytest.fixture
def short_place(monkeypatch):
    """A folder for temporary files whose path is short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="s-", dir="/tmp", ignore_cleanup_errors=True) as place:
        monkeypatch.setenv("TMPDIR", place)
        yield Path(place)


def wait_for(true, timeout_s=120.0):
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)  # a look may read the whole ledger, on the cores of the search


@pytest.mark.parametrize(
    ("n_kills", "n_trials"), [(1, 3), pytest.param(N_KILLS, N_TRIALS, marks=pytest.mark.slow)], ids=["once", "often"]
)
def test_a_driver_killed_at_random_moments_loses_nothing(folder, n_kills, n_trials):
    seed = os.environ.get("PROMOTUNE_SEED") or str(random.randrange(10**6))
    rng = random.Random(seed)
    books = Books(folder / "storage" / "s")
    words = ["--space", "s.yaml", "--trials", str(n_trials)]
    lived_on = []
    for _ in range(n_kills):
        lived_on.append(kill_at_random(folder, words, books, rng))
        words = ["resume", "s"]
    shown = ", ".join(f"{each:.2f}" for each in lived_on)
    sys.stdout.write(f"seed {seed}; killed {len(lived_on)} times; workers lived on for {shown} s\n")

    assert Driver(folder, "resume", "s").process.wait() == 0
    books.check(n_trials)


def kill_at_random(folder, words, books, rng):
    """Kill a driver some time after it began to write; what it had told is there, and nobody writes on."""
    before = books.n_lines
    driver = Driver(folder, *words)
    wait_for(lambda: driver.process.poll() is not None or books.n_lines > before + 4)
    time.sleep(rng.uniform(0, 1))
    assert driver.process.poll() is None, "the search was through before the last kill"
    ended, reported = books.ended, set(books.reports)
    lived_on_s = driver.kill()
    assert books.ended.items() >= ended.items()
    assert set(books.reports) >= reported
    written = files_of(books)
    time.sleep(1)
    assert files_of(books) == written
    return lived_on_s


def files_of(books):
    return {path: path.stat().st_mtime_ns for path in books.folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process_of_rays_either(folder):
    driver = Driver(folder, "--space", "s.yaml", "--trainer.max_epochs", "1000")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: driver.process.poll() is not None or books.n_lines > 12)  # trials run
    family, rays = driver.family(), folder_of_ray(driver)
    assert any("Agent" in each.name() for each in family)
    driver.kill()

    wait_for(lambda: not living(family), GONE_S)
    wait_for(lambda: not rays.exists(), GONE_S)


def folder_of_ray(driver):
    """Return the folder for temporary files of a driver whose Ray runs."""
    (raylet,) = [each for each in driver.family() if each.name() == "raylet"]
    (place,) = [word.partition("=")[2] for word in raylet.cmdline() if word.startswith("--temp_dir=")]
    return Path(place).parent  # Ray opens its own folder to all


def servers(driver):
    """Return the process server, and its templates."""
    found = []
    for each in living(driver.family()):
        with contextlib.suppress(psutil.Error):  # one that ends while it is looked at
            if SERVER in " ".join(each.cmdline()):
                found.append(each)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="trials are forked on Linux alone")
def test_a_search_goes_on_without_the_processes_that_fork_its_trials_and_leaves_no_file_of_rays(folder, short_place):
    program = folder / "project" / "paced.py"
    program.write_text(program.read_text().replace("PACE_S = 0.3", "PACE_S = 0.15"))  # three kills need no more
    driver = Driver(folder, "--space", "s.yaml", "--trials", "9")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: driver.process.poll() is not None or books.n_lines > 12)  # trials run
    rays = folder_of_ray(driver)
    for n_killed in (slice(1, 2), slice(1), slice(None)):  # the first template, the server, all of them
        for each in sorted(servers(driver), key=lambda each: each.create_time())[n_killed]:
            each.kill()
        hit = {each.number for each in books.trials} - {*books.ended}  # a trial that is hit by all three fails
        wait_for(lambda hit=hit: driver.process.poll() is not None or hit <= {*books.ended})

    assert rays.stat().st_mode & 0o777 == 0o700  # its owner's alone
    assert rays.name.startswith("promotune.ray-")
    assert driver.process.wait(timeout=120) == 0
    books.check(9)
    assert not rays.exists()
    assert not list(short_place.glob("promotune*"))


@pytest.mark.slow
def test_ctrl_c_once_ends_with_the_epoch_and_resume_goes_on(folder):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "6")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: "000,baseline" in driver.told)
    family = driver.family()
    driver.process.send_signal(signal.SIGINT)

    assert driver.process.wait(timeout=60) == 130
    assert "best: Score/Val" in driver.told
    assert f"resume s --storage {folder / 'storage'}" in driver.told
    wait_for(lambda: not living(family), GONE_S)
    assert "RUNNING" not in {trial.state.name for trial in books.trials}

    assert Driver(folder, "resume", "s").process.wait() == 0
    books.check(6)


@pytest.mark.slow
def test_ctrl_c_twice_is_gone_within_five_seconds(folder):
    driver = Driver(folder, "--space", "s.yaml")
    wait_for(lambda: "000,baseline" in driver.told)
    family = driver.family()
    driver.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    driver.process.send_signal(signal.SIGINT)
    sent = time.monotonic()

    assert driver.process.wait(timeout=30) == 130
    took_s = time.monotonic() - sent
    sys.stdout.write(f"gone after {took_s:.2f} s" + "\n")
    assert took_s < 5
    wait_for(lambda: not living(family), GONE_S)
    assert "RUNNING" not in {trial.state.name for trial in Books(folder / "storage" / "s").trials}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_one_signal_in_the_preflight_ends_it_at_once(folder, number):
    program = folder / "project" / "paced.py"
    hangs = "import pathlib, time\npathlib.Path('hangs').touch()\ntime.sleep(600)\n"
    program.write_text(f"{program.read_text()}\n\n{hangs}")
    driver = Driver(folder, "--space", "s.yaml")
    wait_for((folder / "project" / "hangs").exists)
    family = driver.family()
    driver.process.send_signal(number)

    assert driver.process.wait(timeout=30) == 130
    assert "stopped at once" in driver.told
    wait_for(lambda: not living(family), GONE_S)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the processes of Ray are found by /proc")
def test_ctrl_c_while_ray_starts_ends_a_fast_dev_run_and_says_that_nothing_was_trained(folder):
    driver = Driver(folder, "--space", "s.yaml", "--fast-dev-run")
    wait_for(lambda: any(named(each) == "gcs_server" for each in driver.family()))
    driver.process.send_signal(signal.SIGINT)

    assert driver.process.wait(timeout=30) == 130
    assert driver.told.endswith("\nstopped at once; nothing was trained\n")
    assert not list((folder / "storage").iterdir())


@pytest.mark.slow
def test_a_running_search_is_refused_to_resume(folder):
    driver = Driver(folder, "--space", "s.yaml")
    wait_for(lambda: "000,baseline" in driver.told)

    second = Driver(folder, "resume", "s")
    assert second.process.wait(timeout=60) == 2
    assert "this search is running, and is not paused" in driver.told
    driver.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the processes of Ray are found by /proc")
@pytest.mark.parametrize("which", ["raylet", "gcs_server"])
def test_search_when_a_process_of_rays_is_killed_then_it_says_so_and_resume_goes_on(folder, which):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "8")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: "000,baseline" in driver.told)
    family, rays = driver.family(), folder_of_ray(driver)
    next(each for each in family if each.name().startswith(which)).kill()

    assert driver.process.wait(timeout=30) == 1
    assert f"Ray's {which} died: killed by SIGKILL" in driver.told
    assert "best: Score/Val" in driver.told
    assert driver.told.endswith(f"To go on: python run_search.py resume s --storage {folder / 'storage'}\n")
    wait_for(lambda: not living(family), GONE_S)
    wait_for(lambda: not rays.exists(), GONE_S)
    ended = books.ended
    assert Driver(folder, "resume", "s").process.wait() == 0
    assert books.ended.items() >= ended.items()
    books.check(8)


def named(process):
    """Return a process's name; None for one that is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the processes of Ray are found by /proc")
@pytest.mark.parametrize("agent", ["DashboardAgent", "RuntimeEnvAgent"])
def test_search_when_an_agent_of_rays_dies_with_the_last_trial_then_resume_goes_on_and_no_death_is_counted(
    folder, agent
):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "1")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: driver.process.poll() is not None or books.n_lines > 8)  # it trains
    next(each for each in driver.family() if " ".join(each.cmdline()).startswith(f"ray::{agent}")).kill()

    assert driver.process.wait(timeout=30) == 1
    assert re.search("Ray's raylet died: exit status|an agent of Ray's died", driver.told)
    assert f"To go on: python run_search.py resume s --storage {folder / 'storage'}" in driver.told
    (trial,) = books.trials
    assert trial.state.name == "WAITING"
    assert "deaths" not in trial.user_attrs
    assert Driver(folder, "resume", "s").process.wait() == 0
    books.check(1)


@pytest.mark.slow
def test_search_when_its_process_group_gets_sigterm_then_it_ends_as_with_ctrl_c(folder):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "6")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: "000,baseline" in driver.told)
    family = driver.family()
    os.killpg(driver.process.pid, signal.SIGTERM)

    assert driver.process.wait(timeout=30) == 130
    assert "best: Score/Val" in driver.told
    wait_for(lambda: not living(family), GONE_S)
    assert Driver(folder, "resume", "s").process.wait() == 0
    books.check(6)


@pytest.mark.slow
def test_search_when_every_process_of_its_step_gets_sigusr1_then_it_ends_as_with_ctrl_c(folder):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "6")
    books = Books(folder / "storage" / "s")
    wait_for(lambda: "000,baseline" in driver.told)
    family = driver.family()
    for each in (driver.process, *family):  # as SLURM does it with `--signal=USR1@300`, whatever their sessions are
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGUSR1)

    assert driver.process.wait(timeout=60) == 130
    assert "best: Score/Val" in driver.told
    wait_for(lambda: not living(family), GONE_S)
    assert Driver(folder, "resume", "s").process.wait() == 0
    books.check(6)
    assert not any("deaths" in trial.user_attrs for trial in books.trials)
