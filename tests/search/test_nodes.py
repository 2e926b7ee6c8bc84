"""How a cluster is divided, what is refused on it, and how it grows."""

import json

import pytest

from tune.cluster import plan_cluster as nodes
from tune.cluster.node_checks import read_startable_nodes
from tune.cluster.plan_cluster import count_node_slots, plan_cluster
from tune.cluster.resources import JoinedCluster, Node
from tune.errors import OptionError
from tune.space.settings import Settings


def node(cpus, gpus=0, *, name="10.0.0.1", count=1):
    return Node(name=name, cpus=cpus, gpus=gpus, count=count)


def reached(*there, startable=()):
    now = list(there)
    found = JoinedCluster(
        address="auto", dashboard=None, nodes=there, startable=startable, travels=False, living=lambda: tuple(now)
    )
    return found, now


SLOTS = [
    (node(8), 1, 0, 8),
    (node(8), 3, 0, 2),
    (node(0.5), 1, 0, 0),
    (node(0.3), 0.1, 0, 3),
    (node(8, 2), 1, 1, 2),
    (node(8, 2), 1, 0.5, 4),
    (node(3, 2), 1, 0.5, 3),
    (node(8, 2), 1, 4, 0),
    (node(8, 1, count=5), 4, 1, 5),
]


@pytest.mark.parametrize(("there", "cpus", "share", "slots"), SLOTS)
def test_a_node_takes_as_many_trials_as_fit_on_it_whole(there, cpus, share, slots):
    assert count_node_slots(there, cpus, share) == slots


def test_trials_are_counted_node_by_node_and_never_spread_over_two():
    found, _ = reached(node(3), node(3), node(1))
    assert plan_cluster(Settings(cpus_per_trial=2), found).concurrency == 2


def test_a_trial_gets_a_gpu_where_any_node_has_one():
    found, _ = reached(node(8), node(8, 2))
    resources = plan_cluster(Settings(), found)
    assert (resources.gpus_per_trial, resources.concurrency) == (1, 2)


REFUSED = [
    (
        {"cpus_per_trial": 9, "gpus_per_trial": 0},
        (
            "--address: a trial asks for 9 CPU cores, and no node has as much "
            "(CPU cores and GPUs: 10.0.0.1 has 8 and 0; 10.0.0.2 has 2 and 1)"
        ),
    ),
    (
        {"cpus_per_trial": 4, "gpus_per_trial": 0.5},
        (
            "--address: a trial asks for 4 CPU cores and 0.5 GPUs, and no node has as much "
            "(CPU cores and GPUs: 10.0.0.1 has 8 and 0; 10.0.0.2 has 2 and 1)"
        ),
    ),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED)
def test_what_no_single_node_has_is_refused_though_all_together_have_it(asked, message):
    found, _ = reached(node(8), node(2, 1, name="10.0.0.2"))
    with pytest.raises(OptionError) as refused:
        plan_cluster(Settings(**asked), found)
    hint = "  Ask for less with --cpus-per-trial and --gpus-per-trial, or add a node that has it."
    assert str(refused.value) == f"{message}\n{hint}"


def test_cores_follow_the_workers_of_the_dataloaders_as_far_as_every_node_has_them():
    found, _ = reached(node(8), node(4))
    assert [plan_cluster(Settings(), found, n).cpus_per_trial for n in (0, 3, 9)] == [1, 3, 4]
    found, _ = reached(node(2), node(8, 2))
    resources = plan_cluster(Settings(), found, 9)
    assert (resources.cpus_per_trial, resources.gpus_per_trial, resources.concurrency) == (4, 1, 2)


SPREAD = [  # nodes, settings; the share of a trial, trials at a time
    ([node(8, 4)], {"gpus_per_trial": 0.5, "concurrency": 4}, 1, 4),
    ([node(8, 2), node(8, 2)], {"gpus_per_trial": 0.25, "concurrency": 7}, 0.5, 7),
    ([node(32, 4), node(32, 4)], {"gpus_per_trial": 0.25}, 0.5, 16),  # 20 trials: thirds would leave a GPU idle
    ([node(32, 4), node(32, 4)], {"gpus_per_trial": 0.25, "trials": 100}, 0.25, 32),
    ([node(8, 1), node(2, 4)], {"gpus_per_trial": 0.5, "concurrency": 4}, 0.5, 4),  # two fit on the second node's cores
    ([node(8, 4)], {"gpus_per_trial": 2, "concurrency": 1}, 2, 1),
    ([node(8, 4)], {"gpus_per_trial": 0, "concurrency": 4}, 0, 4),
]


@pytest.mark.parametrize(("there", "asked", "share", "at_a_time"), SPREAD)
def test_shares_of_fewer_trials_than_fit_on_the_nodes_become_larger(there, asked, share, at_a_time):
    resources = plan_cluster(Settings(**asked), reached(*there)[0])

    assert (resources.gpus_per_trial, resources.at_a_time) == (share, at_a_time)


def test_shares_stay_where_nodes_may_be_started_for_trials_that_wait():
    found, _ = reached(node(8, 4), startable=(node(8, 4, count=2),))

    assert plan_cluster(Settings(gpus_per_trial=0.5, concurrency=4), found).gpus_per_trial == 0.5


def test_a_trainer_on_the_cpu_gets_no_gpu():
    found, _ = reached(node(8, 2))
    assert plan_cluster(Settings(trainer={"accelerator": "cpu"}), found).gpus_per_trial == 0


def test_a_share_that_is_to_be_measured_is_refused():
    found, _ = reached(node(8, 2))
    with pytest.raises(OptionError) as refused:
        plan_cluster(Settings(gpus_per_trial="auto"), found)
    assert str(refused.value) == (
        "gpus_per_trial: auto is measured on a GPU of this machine, and --address means a cluster\n"
        "  Give a number, such as `--gpus-per-trial 0.5`."
    )


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ([node(8), node(4)], "2 nodes, 12 CPU cores, no GPU"),
        ([node(1, 1)], "1 node, 1 CPU core, 1 GPU"),
        ([], "no node, no CPU core, no GPU"),
    ],
)
def test_what_there_is_is_said(there, words):
    assert reached(*there)[0].summary_text == words


def test_what_the_autoscaler_may_start_is_not_refused_and_is_asked_for():
    found, _ = reached(node(2), startable=(node(2, name="head"), node(8, 1, name="worker", count=3)))
    assert plan_cluster(Settings(cpus_per_trial=8, gpus_per_trial=1), found).concurrency == 3


def test_concurrency_follows_the_nodes_that_come_and_go_where_it_was_not_given(monkeypatch):
    monkeypatch.setattr(nodes, "LOOK_S", 0)
    found, now = reached(node(2), node(2))
    grows, given = plan_cluster(Settings(), found), plan_cluster(Settings(concurrency=3), found)
    assert (grows.at_a_time, given.at_a_time) == (4, 3)

    now.append(node(6))
    assert (grows.at_a_time, given.at_a_time) == (10, 3)
    now[:] = [node(2)]
    assert (grows.at_a_time, given.at_a_time) == (2, 3)
    now[:] = [node(100)]
    assert grows.at_a_time == Settings().trials
    now.clear()
    assert grows.at_a_time == 1


def test_the_nodes_are_counted_again_only_after_a_while():
    found, now = reached(node(2))
    resources = plan_cluster(Settings(), found)
    now.append(node(2))
    assert resources.at_a_time == 2


CONFIG = {
    "max_workers": 3,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 2}, "max_workers": 0},
        "gpu": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 10},
        "none": {"resources": {"CPU": 64}, "max_workers": 0},
    },
}


def test_what_ray_s_launcher_wrote_to_the_head_node_says_what_may_be_started(tmp_path):
    path = tmp_path / "bootstrap.yaml"
    path.write_text(json.dumps(CONFIG))
    assert read_startable_nodes(path) == (node(2.0, 0.0, name="head"), node(8.0, 1.0, name="gpu", count=3))


@pytest.mark.parametrize("text", ["", "[]", '{"available_node_types": {"a": 1}, "head_node_type": "a"}', "x: y"])
def test_a_file_of_the_launcher_that_says_nothing_is_as_good_as_none(tmp_path, text):
    path = tmp_path / "bootstrap.yaml"
    path.write_text(text)
    assert read_startable_nodes(path) == ()
    assert read_startable_nodes(tmp_path / "none") == ()
