"""Many rooms, as files: the same ones for a seed, whatever the number of processes."""

import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lit.panodepth.files import write_pair, write_split
from lit.panodepth.rooms.cast import photograph
from lit.panodepth.rooms.room import draw_room

PER_SCENE = 4  # rooms in a scene: a scene is a building, and lies in one split as a whole
VAL_SHARE = 0.2  # of all scenes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted."""

    n_rooms: int = 200
    height: int = 64
    """Pixels; a panorama is twice as wide."""
    seed: int = 0

    @property
    def scenes(self) -> tuple[str, ...]:
        """The names of the scenes, in order."""
        return tuple(f"scene_{number:03d}" for number in range(-(-self.n_rooms // PER_SCENE)))


def make_rooms(folder: Path, order: Order, processes: int = 1) -> None:
    """Make a data set in ``folder``, which appears when it is complete.

    Where another process was faster, its files stay: they are the same. Raise OSError if something else is there.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        _write_rooms(aside, order, processes)
        _write_splits(aside, order.scenes)
        _move(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_rooms(root: Path, order: Order, processes: int) -> None:
    write = partial(_write_room, root, order)
    if processes == 1:
        for number in range(order.n_rooms):
            write(number)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        list(pool.map(write, range(order.n_rooms), chunksize=PER_SCENE))


def _write_room(root: Path, order: Order, number: int) -> None:
    rng = np.random.default_rng([order.seed, number])
    rgb, depth = photograph(draw_room(rng), rng, order.height, 2 * order.height)
    write_pair(root / order.scenes[number // PER_SCENE], f"room_{number:04d}", rgb, depth)


def _write_splits(root: Path, scenes: Sequence[str]) -> None:
    n_val = max(1, round(len(scenes) * VAL_SHARE))
    write_split(root, "train", scenes[:-n_val])
    write_split(root, "val", scenes[-n_val:])


def _move(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError:  # a folder with something in it
        if not (folder / "scenes_val.txt").is_file():
            raise
