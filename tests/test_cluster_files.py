"""The documentation's files for Ray's cluster launcher, held against Ray's own schema."""

import re

import pytest
from ray.autoscaler._private.util import prepare_config, validate_config
from ruamel.yaml import YAML

from tests.documentation import BLOCKS

FILES = {block.name: block.text for block in BLOCKS if block.kind == "cluster"}


def read(name):
    return YAML(typ="safe").load(FILES[name])


def test_there_is_one_for_a_cloud_and_one_for_machines_of_one_s_own():
    assert {name: read(name)["provider"]["type"] for name in FILES} == {"aws": "aws", "on-premise": "local"}


@pytest.mark.parametrize("name", FILES)
def test_a_cluster_file_is_one_that_ray_takes(name):
    validate_config(prepare_config(read(name)))


@pytest.mark.parametrize("name", FILES)
def test_a_cluster_file_with_a_field_that_ray_does_not_know_is_refused_by_this_test(name):
    with pytest.raises(Exception, match="Additional properties are not allowed"):
        validate_config(prepare_config({**read(name), "head_start_commands": []}))


@pytest.mark.parametrize("name", FILES)
def test_a_cluster_of_the_documentation_asks_for_the_token_and_brings_it_to_the_nodes(name):
    config = read(name)
    assert "~/.ray/auth_token" in config["file_mounts"].values()
    for commands in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        assert "RAY_AUTH_MODE=token" in " ".join([*config.get("setup_commands", ()), *commands])


def test_the_cloud_s_nodes_mount_what_the_submitted_search_writes_to():
    commands = " ".join(read("aws")["setup_commands"])
    submitted = next(block.text for block in BLOCKS if "ray job submit" in block.text)
    (storage,) = re.findall(r"--storage (\S+)", submitted)
    assert f"{storage.rpartition('/')[0]}\n" in f"{commands}\n".replace(" ", "\n")
    assert "constraints.txt" in commands
