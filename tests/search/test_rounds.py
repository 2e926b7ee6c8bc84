"""What the nodes' answers come to, and what they are told."""

from dataclasses import replace

import pytest

from tests.search.test_probe import FINE
from tune.cluster.node_checks import _missing_package_error, _unshared_error, _unwritable_error
from tune.cluster.remote_ray import ON_NODES, _connection_error, _node_environment
from tune.cluster.resources import Node
from tune.errors import OptionError, StartError
from tune.storage_url import local_folder_of, url_of


def answers(*given):
    return [(Node(name=f"10.0.0.{number}", cpus=1, gpus=0), each) for number, each in enumerate(given, start=1)]


def test_answers_without_a_fault_are_none(tmp_path):
    fine = answers(FINE, FINE)
    assert (_unshared_error(fine, tmp_path), _unwritable_error(fine, tmp_path), _missing_package_error(fine)) == (
        None,
        None,
        None,
    )


def test_a_folder_that_some_do_not_see_is_told_with_their_names(tmp_path):
    refused = _unshared_error(answers(FINE, *[replace(FINE, sees_storage=False)] * 6), tmp_path)
    assert str(refused) == (
        f"--storage: {tmp_path} is not shared: 6 of 7 nodes do not see what is written there: "
        "10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, ...\n"
        "  Give a folder that all nodes mount at this path (NFS, EFS, Filestore): --storage /mnt/shared/ray_results"
    )


def test_of_a_url_it_is_the_copy_that_has_to_be_shared(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    storage = local_folder_of("s3://bucket/folder")
    refused = _unshared_error(answers(FINE, replace(FINE, sees_storage=False)), storage)
    assert str(refused) == (
        f"--storage: the copy of s3://bucket/folder in {storage} is not shared: "
        "1 of 2 nodes do not see what is written there: 10.0.0.2\n"
        "  Set XDG_CACHE_HOME to a folder that all nodes mount: trials write there, and it is carried to the URL."
    )


def test_nodes_know_by_their_environment_which_url_a_copy_is_of(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    storage = local_folder_of("s3://bucket/folder")
    told = _node_environment(storage)
    monkeypatch.setenv("XDG_CACHE_HOME", told["XDG_CACHE_HOME"])
    assert url_of(storage / "exp") == "s3://bucket/folder/exp"
    assert _node_environment(tmp_path) == ON_NODES


def test_a_folder_that_a_node_may_not_write_is_told_with_its_reason(tmp_path):
    refused = _unwritable_error(answers(FINE, replace(FINE, write_error="Permission denied")), tmp_path)
    assert str(refused) == (
        f"--storage: the node 10.0.0.2 cannot write to {tmp_path}: Permission denied\n"
        "  Let the user that Ray runs as there write to it."
    )


def test_packages_that_a_node_lacks_are_told():
    refused = _missing_package_error(answers(replace(FINE, missing=("torch", "optuna"))))
    assert str(refused) == (
        "--address: the node 10.0.0.1 lacks torch, optuna\n  Install it there, in the versions of constraints.txt."
    )


REFUSALS = [
    (RuntimeError("RPC error: InvalidAuthToken: Authentication token is missing"), OptionError),
    (RuntimeError("Token authentication is enabled but no authentication token was found"), OptionError),
    (RuntimeError("Version mismatch: The cluster was started with Ray 2.59"), StartError),
]


@pytest.mark.parametrize(("error", "kind"), REFUSALS)
def test_a_connection_that_fails_is_told_by_its_cause(error, kind):
    assert type(_connection_error("head:6379", error)) is kind


def test_of_ray_client_s_words_the_last_line_says_what_it_was():
    error = ConnectionAbortedError("Initialization failure from server:\nTraceback\n  x\nRuntimeError: it is full\n")
    assert str(_connection_error("ray://head:10001", error)) == (
        "the cluster at ray://head:10001 could not be joined: ConnectionAbortedError: RuntimeError: it is full\n"
        "  Nothing was searched. On the head node /tmp/ray/session_latest/logs may say more."
    )
