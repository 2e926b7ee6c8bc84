"""A checkpoint that could run code is told from one that cannot, and reading it runs nothing."""

import os

import pytest
import torch

from tune.trial.checkpoints.checkpoint_loading import is_weights_only


class Runs:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (self.file,)


def test_tensors_and_plain_data_are_plain(tmp_path):
    torch.save({"state_dict": {"w": torch.ones(2)}, "epoch": 3, "hparams": {"a": [1, None, "x"]}}, tmp_path / "c.ckpt")
    assert is_weights_only(tmp_path / "c.ckpt")


@pytest.mark.parametrize("kind", ["code", "garbage", "cut", "none"])
def test_anything_else_is_not_and_nothing_of_it_runs(tmp_path, kind):
    file, trace = tmp_path / "c.ckpt", tmp_path / "trace"
    torch.save({"x": Runs(str(trace))}, file)
    raw = file.read_bytes()
    if kind == "garbage":
        file.write_bytes(b"\x80\x02garbage")
    elif kind == "cut":
        file.write_bytes(raw[: len(raw) // 2])
    elif kind == "none":
        file.unlink()

    assert not is_weights_only(file)
    assert not trace.exists()
