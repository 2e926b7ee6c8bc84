"""What drivers that were killed left of Ray's scratch is taken away, and nothing else."""

import os
import subprocess
import sys
import time

from tune.search.cluster import SCRATCH_AGE_S, ray_scratch, sweep

HOLDS = """
import sys
from tune.search.cluster import ray_scratch
with ray_scratch() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_the_scratch_of_a_killed_driver_is_taken_away_and_that_of_a_living_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    start = [sys.executable, "-c", HOLDS]
    drivers = [
        subprocess.Popen(start, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    killed, living = [driver.stdout.readline().strip() for driver in drivers]
    drivers[0].kill()
    drivers[0].communicate()
    (tmp_path / "promotune-young").mkdir()
    (tmp_path / "another").mkdir()
    old = time.time() - SCRATCH_AGE_S - 1
    for folder in (killed, living, tmp_path / "another"):
        os.utime(folder, (old, old))

    with ray_scratch() as own:
        found = {str(entry) for entry in tmp_path.iterdir()}
        assert found == {living, own, str(tmp_path / "promotune-young"), str(tmp_path / "another")}

    drivers[1].communicate("")
    sweep(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"promotune-young", "another"}
