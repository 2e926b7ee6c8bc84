"""How many cores' time the control groups of a process leave it."""

import pytest

from tune.cluster.resources import count_cores
from tune.trial.process import linux
from tune.trial.process.linux import read_cpu_quota

V1 = "7:blkio:/\n4:cpu,cpuacct:{}\n2:cpuset:/\n0::/user.slice\n"
FOUND = {  # what the process is in, what the groups say, and how many cores that is
    "a container of version 2": ("0::/\n", {"cpu.max": "200000 100000"}, 2.0),
    "a part of a core": ("0::/\n", {"cpu.max": "50000 100000"}, 0.5),
    "no limit": ("0::/\n", {"cpu.max": "max 100000"}, None),
    "a group in groups": (
        "0::/user.slice/run.scope\n",
        {"user.slice/run.scope/cpu.max": "max 100000", "user.slice/cpu.max": "300000 100000"},
        3.0,
    ),
    "the smallest of several": (
        "0::/user.slice/run.scope\n",
        {"user.slice/run.scope/cpu.max": "100000 50000", "user.slice/cpu.max": "300000 100000"},
        2.0,
    ),
    "a container that is told the path of its machine": (
        "0::/kubepods/pod7/c3\n",
        {"cpu.max": "400000 100000"},
        4.0,
    ),
    "a path outside of the container": ("0::/../../c3\n", {"cpu.max": "400000 100000"}, 4.0),
    "version 1": (
        V1.format("/docker/c3"),
        {"cpu,cpuacct/docker/c3/cpu.cfs_quota_us": "150000\n", "cpu,cpuacct/docker/c3/cpu.cfs_period_us": "100000\n"},
        1.5,
    ),
    "version 1, in the container": (
        V1.format("/docker/c3"),
        {"cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
        2.0,
    ),
    "version 1, no limit": (
        V1.format("/"),
        {"cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
        None,
    ),
    "a group of other controllers": ("5:devices,cpuset:/\n", {"devices,cpuset/cpu.max": "100000 100000"}, None),
    "no files": ("0::/user.slice\n", {}, None),
    "no text that is known": ("0::/\n", {"cpu.max": "what\n"}, None),
    "nothing": (None, {}, None),
}


@pytest.fixture
def enter_groups(tmp_path, monkeypatch):
    """Return what makes groups, as files say, those of this process."""

    def entered(own, files):
        monkeypatch.setattr(linux, "CGROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(linux, "OWN_CGROUPS", tmp_path / "own")
        for name, text in files.items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if own is not None:
            (tmp_path / "own").write_text(own)

    return entered


@pytest.mark.parametrize("what", FOUND)
def test_the_smallest_limit_of_all_groups_counts(enter_groups, what):
    own, files, cores = FOUND[what]
    enter_groups(own, files)

    assert read_cpu_quota() == cores


@pytest.mark.parametrize(("quota", "n_cores"), [("50000", 1), ("200000", 2), ("250000", 3), ("1600000", 8), ("max", 8)])
def test_a_search_divides_the_cores_whose_time_it_has(enter_groups, monkeypatch, quota, n_cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    enter_groups("0::/\n", {"cpu.max": f"{quota} 100000"})

    assert count_cores() == n_cores
