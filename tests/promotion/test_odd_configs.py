"""Config files beside a program that are none, or have no end, hold no values: nothing waits for them."""

import os

import pytest

from tune.promotion.configs.config_file import MOST_BYTES, read_mapping, read_values


@pytest.fixture(params=["fifo", "folder", "large", "loop"])
def file(request, tmp_path):
    path = tmp_path / "config.yaml"
    match request.param:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "large":
            path.write_text("a: 1\n" + "#" * MOST_BYTES)
        case "loop":
            path.symlink_to(path.name)
    return path


def test_a_config_that_is_no_file_or_is_too_large_holds_nothing(file):
    assert read_values(file) == {}
    assert read_mapping(file) is None


def test_a_config_of_the_largest_size_is_read(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: 1\n" + "#" * (MOST_BYTES - 5))

    assert read_values(path) == {("a",): (1, 1)}
    assert read_mapping(path) == {"a": 1}
