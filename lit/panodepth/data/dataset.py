"""Panoramas and their depth, from the files that `lit.panodepth.files` describes."""

import os
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lit.panodepth.files import Split, find_pairs, read_depth, read_rgb
from lit.panodepth.rooms.make import Order, make_rooms

ROOT: Path | None = None  # of a data set such as Matterport3D; None: ray-cast rooms, made when they are first needed
EDITION = 1  # of the rooms: counts up when `lit.panodepth.rooms` makes other pictures of the same seed

DMAX = 10.0  # metres; what is farther counts as this far
TURN = True  # a training panorama is turned around the vertical axis by any angle
FLIP_SHARE = 0.5  # of training panoramas: mirrored
BRIGHTNESS = 0.2  # a training picture is raised to a power between 1 / (1 + this) and 1 + this


class Panoramas(Dataset[tuple[Tensor, Tensor]]):
    """One item: ``rgb`` (3, H, W) in [0, 1] and ``depth`` (H, W) in metres, 0 where it is missing; both float32.

    H and W are those of the files.
    """

    def __init__(self, split: Split, root: Path | None = ROOT) -> None:
        self.pairs = find_pairs(rooms() if root is None else root, split)
        self.augmented = split == "train"

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rgb_file, depth_file = self.pairs[index]
        rgb = torch.from_numpy(read_rgb(rgb_file)).permute(2, 0, 1).float() / 255
        depth = torch.from_numpy(read_depth(depth_file)).clamp(max=DMAX)
        return augment(rgb, depth) if self.augmented else (rgb, depth)


def augment(rgb: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Return another view of the same room: turned, mirrored, under other light."""
    if TURN:
        shift = int(torch.randint(rgb.shape[-1], ()))
        rgb, depth = rgb.roll(shift, -1), depth.roll(shift, -1)
    if torch.rand(()) < FLIP_SHARE:
        rgb, depth = rgb.flip(-1), depth.flip(-1)
    power = (1 + BRIGHTNESS) ** float(torch.rand(()) * 2 - 1)
    return rgb**power, depth


def rooms() -> Path:
    """Return the folder of the rooms in the user's cache; make them if they are not there, which takes seconds."""
    order = Order()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "panodepth"
    folder = cache / f"rooms-{EDITION}-{order.n_rooms}x{order.height}-{order.seed}"
    if not folder.exists():
        print(f"no data set is given: {order.n_rooms} rooms are made once, in {folder}", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        make_rooms(folder, order)
    return folder
