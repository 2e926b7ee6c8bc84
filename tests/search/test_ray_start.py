"""Ray's processes die or stop while Ray starts and ends, and it does not answer: no command waits for ever."""

# ruff: noqa: F811 - fixtures

import contextlib
import signal
import sys

import psutil
import pytest

from tests.search.test_kill import (
    GONE_S,
    Books,
    Driver,
    folder,  # noqa: F401 - a fixture
    folder_of_ray,
    living,
    short_place,  # noqa: F401 - a fixture
    wait_for,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the processes of Ray are found by /proc"),
]
AGAIN = "Nothing was searched. Give the same command again"


def find_process(driver, begins):
    """Return the first process of a driver whose name, or title, begins so, once there is one; None: it ended first."""
    found = []

    def look():
        for each in driver.family():
            with contextlib.suppress(psutil.Error):
                if each.name().startswith(begins) or " ".join(each.cmdline()).startswith(begins):
                    found.append(each)
        return found or driver.process.poll() is not None

    wait_for(look)
    return found[0] if found else None


def check_end(driver, place, said, family):
    """Check that a search whose Ray did not start said so and left nothing, and that the command it names goes on."""
    storage = driver.folder / "storage"
    assert driver.process.wait(timeout=60) == 1  # Ray alone would wait for a minute, or for ever
    assert said in driver.told
    resume = f"To go on: python run_search.py resume s --storage {storage}"
    assert resume in driver.told or AGAIN in driver.told
    wait_for(lambda: not living(family), GONE_S)
    wait_for(lambda: not list(place.glob("promotune*")), GONE_S)
    words = ["resume", "s"] if resume in driver.told else ["--space", "s.yaml", "--trials", "1"]
    assert Driver(driver.folder, *words).process.wait() == 0
    Books(storage / "s").check(1)


def test_search_when_the_raylet_is_killed_while_ray_starts_then_it_starts_another(folder, short_place):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "1")
    find_process(driver, "raylet").kill()

    assert driver.process.wait(timeout=120) == 0
    Books(folder / "storage" / "s").check(1)
    assert not list(short_place.glob("promotune*"))


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        ("raylet", "Ray could not be started, in two tries: Ray's raylet died: killed by SIGKILL"),
        ("gcs_server", "Ray's gcs_server died: killed by SIGKILL"),
        ("ray::DashboardAgent", " died"),  # the raylet's own end may be seen first
        ("ray::RuntimeEnvAgent", " died"),
    ],
)
def test_search_when_a_process_of_rays_is_killed_while_ray_starts_then_it_says_so_and_how_to_go_on(
    folder,
    short_place,
    begins,
    said,
):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "1")
    family = []
    while (victim := find_process(driver, begins)) is not None:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile, and perhaps the driver
            family += driver.family()
            victim.kill()

    if begins.startswith("ray::") and driver.process.wait(timeout=60) == 0:
        Books(folder / "storage" / "s").check(1)  # its raylet ends with an agent, but may do so after the only trial
    else:
        check_end(driver, short_place, said, family)


@pytest.mark.parametrize("n_kills", [1, 3])
def test_search_when_rays_workers_are_killed_before_a_trial_has_them_then_it_goes_on_or_says_how(
    folder, short_place, n_kills
):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "1")
    killed = []
    while len(killed) < n_kills and (worker := find_process(driver, "ray::IDLE")) is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
            killed.append(worker)
            worker.wait(30)
    assert killed
    status = driver.process.wait(timeout=240)
    if status != 0:  # the first trial was about to have it, and a pre-flight has no second try
        assert status == 1
        assert "the worker died before the pre-flight" in driver.told
        assert "To begin again: python run_search.py resume" in driver.told
        assert Driver(folder, "resume", "s").process.wait() == 0
    Books(folder / "storage" / "s").check(1)
    assert not list(short_place.glob("promotune*"))


@pytest.mark.parametrize("which", ["raylet", "gcs_server"])
def test_search_when_a_process_of_rays_stops_while_ray_starts_then_it_says_that_no_answer_came(
    folder,
    short_place,
    monkeypatch,
    which,
):
    monkeypatch.setenv("PROMOTUNE_RAY_START_S", "5")
    driver = Driver(folder, "--space", "s.yaml", "--trials", "1")
    monkeypatch.delenv("PROMOTUNE_RAY_START_S")
    find_process(driver, which).send_signal(signal.SIGSTOP)

    check_end(driver, short_place, "no answer came from Ray for 5 s", driver.family())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("which", ["raylet", "gcs_server"])
def test_search_when_a_process_of_rays_dies_or_stops_at_the_end_then_all_trials_are_kept(
    folder,
    short_place,
    which,
    number,
):
    driver = Driver(folder, "--space", "s.yaml", "--trials", "1")
    books = Books(folder / "storage" / "s")
    victim = find_process(driver, which)
    wait_for(lambda: books.n_lines and books.ended)
    family, place = driver.family(), folder_of_ray(driver)
    victim.send_signal(number)

    assert driver.process.wait(timeout=120) in (0, 1)
    assert "best: Score/Val" in driver.told
    wait_for(lambda: not living(family), GONE_S)
    wait_for(lambda: not place.exists(), GONE_S)
    assert Driver(folder, "resume", "s").process.wait() == 0
    books.check(1)
