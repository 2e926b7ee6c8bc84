"""The panoramas: files, augmentation, network, training."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.utils.data import DataLoader

from lit.panodepth.data import Panoramas, dataset
from lit.panodepth.files import DEPTH_SCALE, find_pairs, read_depth, read_rgb, write_pair, write_split
from lit.panodepth.rooms.make import Order
from lit.panodepth.system import GAMMA, LR, PanoDepth, l1_loss

ROOT = Path(__file__).parents[2]


def test_depth_comes_back_from_a_file_to_the_last_of_its_16_bits(tmp_path):
    units = np.arange(2**16).reshape(256, 256)
    depth = (units / DEPTH_SCALE).astype(np.float32)
    write_pair(tmp_path, "a", np.zeros((256, 256, 3), np.uint8), depth)
    with Image.open(tmp_path / "a_depth.png") as image:
        assert (np.array(image) == units).all()
    assert (read_depth(tmp_path / "a_depth.png") == depth).all()


def test_depth_is_rounded_and_what_16_bits_do_not_hold_is_missing(tmp_path):
    depth = np.array([[0.0, 1.00012, 1.00013, 16.3837, 16.39]], np.float32)
    write_pair(tmp_path, "a", np.zeros((1, 5, 3), np.uint8), depth)
    assert read_depth(tmp_path / "a_depth.png").tolist()[0] == pytest.approx([0, 1, 1.00025, 16.38375, 0])


def test_a_depth_file_of_8_bits_is_refused(tmp_path):
    Image.fromarray(np.ones((2, 4), np.uint8)).save(tmp_path / "a_depth.png")
    with pytest.raises(ValueError, match="depth is a PNG of 16 bits and one channel, got mode L"):
        read_depth(tmp_path / "a_depth.png")


def test_a_picture_without_depth_is_told(tmp_path):
    write_split(tmp_path, "train", ["one"])
    write_pair(tmp_path / "one", "a", np.zeros((2, 4, 3), np.uint8), np.ones((2, 4)))
    assert find_pairs(tmp_path, "train") == ((tmp_path / "one" / "a_rgb.png", tmp_path / "one" / "a_depth.png"),)
    (tmp_path / "one" / "a_depth.png").unlink()
    with pytest.raises(FileNotFoundError, match=rf"^no {tmp_path}/one/a_depth.png$"):
        find_pairs(tmp_path, "train")


def test_a_split_without_a_picture_is_told(tmp_path):
    write_split(tmp_path, "val", ["one"])
    told = f"no {tmp_path}/<scene>/*_rgb.png for the scenes of {tmp_path}/scenes_val.txt"
    with pytest.raises(FileNotFoundError) as error:
        Panoramas("val", tmp_path)
    assert str(error.value) == told


def test_an_item_is_what_the_files_say(small_rooms):
    panoramas = Panoramas("val", small_rooms)
    rgb, depth = panoramas[2]
    rgb_file, depth_file = find_pairs(small_rooms, "val")[2]
    assert len(panoramas) == 4
    assert (rgb.shape, rgb.dtype, depth.shape, depth.dtype) == ((3, 16, 32), torch.float32, (16, 32), torch.float32)
    assert (rgb * 255).round().permute(1, 2, 0).tolist() == read_rgb(rgb_file).tolist()
    assert depth.tolist() == read_depth(depth_file).tolist()


def test_what_is_beyond_dmax_is_at_dmax_and_what_is_missing_stays_so(tmp_path):
    write_split(tmp_path, "val", ["one"])
    write_pair(tmp_path / "one", "a", np.zeros((1, 3, 3), np.uint8), np.array([[0, 9.5, 12]]))
    assert Panoramas("val", tmp_path)[0][1].tolist() == [[0, 9.5, 10]]


def test_augmentation_keeps_colour_and_depth_together():
    columns = torch.arange(1.0, 33)
    depth = columns.repeat(4, 1)
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        rgb, other = dataset.augment((depth / 40).repeat(3, 1, 1), depth)
        power = (rgb.log() / (other / 40).log()).flatten()
        assert power == pytest.approx(float(power[0]), rel=1e-4)  # one power for the whole picture
        assert 1 / 1.2 <= float(power[0]) <= 1.2
        assert sorted(other[0].tolist()) == columns.tolist()
        steps = other[0].diff(append=other[0, :1]).tolist()
        assert max(steps.count(1), steps.count(-1)) == 31  # once around, one way or the other
        seen.add((float(other[0, 0]), steps.count(1) == 31))
    assert len({first for first, _ in seen}) > 10
    assert {forward for _, forward in seen} == {True, False}


def test_what_is_trained_on_differs_each_time_and_what_is_validated_on_does_not(small_rooms):
    train, val = Panoramas("train", small_rooms), Panoramas("val", small_rooms)
    torch.manual_seed(0)
    assert (train[0][0] != train[0][0]).any()
    assert (val[0][0] == val[0][0]).all()


def test_the_rooms_are_made_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(dataset, "Order", lambda: Order(n_rooms=8, height=16))
    folder = tmp_path / "panodepth" / "rooms-1-8x16-0"
    assert dataset.rooms() == folder
    assert capsys.readouterr().out == f"no data set is given: 8 rooms are made once, in {folder}\n"
    assert dataset.rooms() == folder
    assert capsys.readouterr().out == ""


def test_a_panorama_that_is_turned_has_its_depth_turned():
    torch.manual_seed(0)
    model = PanoDepth().eval()
    rgb = torch.rand(1, 3, 32, 64)
    with torch.inference_mode():
        turned, depth = model(rgb.roll(16, -1)), model(rgb)
    assert depth.std() > 1e-3
    assert turned.flatten().tolist() == pytest.approx(depth.roll(16, -1).flatten().tolist(), abs=1e-4)


@pytest.mark.parametrize("size", [(64, 128), (50, 102), (16, 32)])
def test_depth_is_as_large_as_the_picture_and_within_dmax(size):
    with torch.inference_mode():
        depth = PanoDepth()(torch.rand(2, 3, *size))
    assert depth.shape == (2, *size)
    assert float(depth.min()) > 0
    assert float(depth.max()) < 10


def test_the_loss_of_one_batch_falls(small_rooms):
    torch.manual_seed(0)
    rgb, depth = next(iter(DataLoader(Panoramas("train", small_rooms), batch_size=4)))
    model = PanoDepth()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        loss = l1_loss(*model.step(rgb, depth))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


class Rates(pl.Callback):
    def __init__(self):
        self.seen = []

    def on_train_epoch_start(self, trainer, model):
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


def test_the_rate_falls_to_the_end_of_the_training_however_long_it_is(small_rooms, tmp_path):
    rates = Rates()
    trainer = pl.Trainer(
        max_epochs=4,
        accelerator="cpu",
        devices=1,
        callbacks=[rates],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    loaders = [DataLoader(Panoramas(split, small_rooms), batch_size=4) for split in ("train", "val")]
    trainer.fit(PanoDepth(), *loaders)
    assert rates.seen == pytest.approx([LR * (1 - epoch / 4) ** GAMMA for epoch in range(4)])
    assert {*trainer.callback_metrics} == {"MAE/Train", "Delta1/Train", "MAE/Val", "Delta1/Val"}


@pytest.mark.slow
def test_it_trains_alone(cache, tmp_path):
    command = [sys.executable, "-m", "lit.panodepth", "--testrun"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Trainer.fit` stopped: `max_steps=1` reached." in done.stderr
