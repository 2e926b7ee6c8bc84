"""The rooms: their geometry in closed form, and the files that they become."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit.panodepth.files import find_pairs, read_depth, read_rgb
from lit.panodepth.rooms.cast import depth_of, directions, photograph
from lit.panodepth.rooms.make import Order, make_rooms
from lit.panodepth.rooms.room import PLAIN, Box, Room, Texture, draw_room

ROOT = Path(__file__).parents[2]
GREY = Texture(light=(0.5, 0.5, 0.5), dark=(0.5, 0.5, 0.5), periods=(PLAIN, PLAIN))
HALL = Room(
    size=(6.0, 8.0, 3.0), walls=(GREY, GREY, GREY), boxes=(), camera=(2.0, 3.0, 1.5), yaw=0.0, lamp=(3.0, 4.0, 2.7)
)
HEIGHT, WIDTH = 32, 64
SEEDS = st.integers(0, 10_000)


def angles(row, column):
    """Return longitude (to the right of the middle) and latitude of a pixel's middle."""
    return ((column + 0.5) / WIDTH - 0.5) * 2 * math.pi, (0.5 - (row + 0.5) / HEIGHT) * math.pi


@pytest.mark.parametrize(
    ("turn", "distance"),
    [(0, 5.0), (WIDTH // 4, 4.0), (WIDTH // 2 - 1, 3.0), (-WIDTH // 2, 3.0), (-WIDTH // 4, 2.0)],
)
def test_a_wall_is_as_far_as_its_plane_says(turn, distance):
    row, column = HEIGHT // 2, WIDTH // 2 + turn
    longitude, latitude = angles(row, column)
    slant = math.cos(latitude) * max(abs(math.cos(longitude)), abs(math.sin(longitude)))
    assert depth_of(HALL, HEIGHT, WIDTH)[row, column] == pytest.approx(distance / slant)


def test_the_first_row_sees_the_ceiling_and_the_last_one_the_floor():
    room = replace(HALL, camera=(2.0, 3.0, 1.2))
    depth = depth_of(room, HEIGHT, WIDTH)
    assert depth[0] == pytest.approx(1.8 / math.sin(angles(0, 0)[1]))
    assert depth[-1] == pytest.approx(1.2 / math.sin(angles(0, 0)[1]))


def test_a_box_hides_what_is_behind_it_and_nothing_else():
    box = Box(low=(1.0, 5.0, 1.0), high=(3.0, 5.5, 2.0), texture=GREY)
    room = replace(HALL, boxes=(box,))
    empty, depth = depth_of(HALL, HEIGHT, WIDTH), depth_of(room, HEIGHT, WIDTH)
    rays = directions(HEIGHT, WIDTH, 0.0)
    at = np.array(room.camera) + 2.0 / rays[..., 1:2] * rays  # where each ray crosses the plane of the near face
    on = (rays[..., 1] > 0) & (abs(at[..., 0] - 2) < 1) & (abs(at[..., 2] - 1.5) < 0.5)
    assert on.sum() > 20
    assert depth[on] == pytest.approx((2.0 / rays[..., 1])[on])
    assert depth[~on] == pytest.approx(empty[~on])  # at the camera's own height and middle no side is seen


def test_the_left_edge_is_the_right_edge_s_neighbour():
    depth = depth_of(HALL, HEIGHT, WIDTH)
    steps = abs(np.diff(depth, axis=1, append=depth[:, :1]))
    assert (steps[:, -1] <= steps[:, :-1].max(1)).all()


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(0, WIDTH - 1))
def test_a_camera_that_turns_sees_the_same_picture_rolled(seed, columns):
    room = draw_room(np.random.default_rng(seed))
    turned = replace(room, yaw=room.yaw + columns / WIDTH * 2 * math.pi)
    rolled = np.roll(depth_of(room, HEIGHT, WIDTH), -columns, axis=1)
    assert np.isclose(depth_of(turned, HEIGHT, WIDTH), rolled).mean() > 0.999  # but for a ray along an edge


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_nothing_stands_between_the_camera_and_what_it_sees(seed):
    room = draw_room(np.random.default_rng(seed))
    depth = depth_of(room, HEIGHT, WIDTH)[..., None]
    rays = directions(HEIGHT, WIDTH, room.yaw)
    assert (depth > 0).all()
    ends = np.array(room.camera) + depth * rays
    assert (ends > -1e-9).all()
    assert (ends < np.array(room.size) + 1e-9).all()
    for share in np.linspace(0, 0.999, 12):
        points = np.array(room.camera) + share * depth * rays
        for box in room.boxes:
            assert not ((points > np.array(box.low) + 1e-6) & (points < np.array(box.high) - 1e-6)).all(-1).any()


def test_depth_is_missing_in_windows_at_the_tripod_and_in_specks():
    window = Box(low=(1.0, 7.9, 0.5), high=(3.0, 8.0, 2.5), texture=GREY, is_window=True)
    _, depth = photograph(replace(HALL, boxes=(window,)), np.random.default_rng(0), HEIGHT, WIDTH)
    whole = depth_of(HALL, HEIGHT, WIDTH)
    assert (depth[HEIGHT // 2, WIDTH // 2 - 2 : WIDTH // 2 + 2] == 0).all()
    assert (depth[-1] == 0).all()
    elsewhere = depth[: HEIGHT // 2, : WIDTH // 4]
    assert 0 < (elsewhere == 0).mean() < 0.05
    assert elsewhere[elsewhere > 0] == pytest.approx(whole[: HEIGHT // 2, : WIDTH // 4][elsewhere > 0])


def test_a_lamp_lights_what_it_reaches_and_leaves_shadows():
    box = Box(low=(2.8, 3.8, 1.0), high=(3.2, 4.2, 1.2), texture=GREY)
    low = Room(
        size=HALL.size, walls=HALL.walls, boxes=(box,), camera=(1.0, 4.0, 1.6), yaw=math.pi / 2, lamp=(3.0, 4.0, 2.0)
    )
    rays = directions(HEIGHT, WIDTH, low.yaw)

    def brightness(room, x, y):
        """Return how bright the floor is at a place."""
        ray = np.array([x, y, 0.0]) - room.camera
        nearest = (rays @ (ray / np.linalg.norm(ray))).argmax()
        return photograph(room, np.random.default_rng(0), HEIGHT, WIDTH)[0].reshape(-1, 3)[nearest].mean()

    assert brightness(low, 2.7, 4.0) < 0.8 * brightness(replace(low, boxes=()), 2.7, 4.0)
    assert brightness(low, 1.5, 5.5) == brightness(replace(low, boxes=()), 1.5, 5.5)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make(folder, *options):
    command = [sys.executable, "-m", "lit.panodepth.rooms", str(folder), "--height", "16", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_the_files_are_the_same_for_one_process_and_for_two(tmp_path):
    for processes in ("1", "2"):
        done = make(tmp_path / processes, "--rooms", "12", "--processes", processes)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"12 rooms in {tmp_path / processes}, ")
    assert len(files(tmp_path / "1")) == 2 * 12 + 2
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_another_seed_makes_other_rooms(tmp_path):
    for seed in (0, 1):
        make_rooms(tmp_path / str(seed), Order(n_rooms=8, height=16, seed=seed))
    zero, one = files(tmp_path / "0"), files(tmp_path / "1")
    assert zero.keys() == one.keys()
    assert {path.name for path in zero if zero[path] == one[path]} == {"scenes_train.txt", "scenes_val.txt"}


def test_no_scene_is_in_both_splits(small_rooms):
    scenes = {split: {pair[0].parent.name for pair in find_pairs(small_rooms, split)} for split in ("train", "val")}
    assert scenes == {"train": {"scene_000", "scene_001"}, "val": {"scene_002"}}


def test_rooms_that_another_process_has_made_are_left_alone(tmp_path):
    order = Order(n_rooms=8, height=16)
    make_rooms(tmp_path / "rooms", order)
    (tmp_path / "rooms" / "mark").touch()
    make_rooms(tmp_path / "rooms", order)
    assert [path.name for path in tmp_path.iterdir()] == ["rooms"]
    assert (tmp_path / "rooms" / "mark").exists()


def test_a_folder_of_something_else_is_no_data_set(tmp_path):
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "thesis.tex").touch()
    with pytest.raises(OSError, match="not empty"):
        make_rooms(tmp_path / "rooms", Order(n_rooms=8, height=16))
    assert [path.name for path in tmp_path.iterdir()] == ["rooms"]
    done = make(tmp_path / "rooms")
    assert done.returncode == 2
    assert done.stderr.endswith(f"error: {tmp_path}/rooms is there already; give the name of a new folder\n")


class TooLong(Order):
    """Its second scene cannot be written."""

    @property
    def scenes(self):
        return ("scene", "s" * 1000)


def test_rooms_that_cannot_be_made_leave_nothing(tmp_path):
    with pytest.raises(OSError, match="File name too long"):
        make_rooms(tmp_path / "rooms", TooLong(n_rooms=8, height=16))
    assert list(tmp_path.iterdir()) == []


def test_too_few_rooms_for_two_splits_are_refused(tmp_path):
    done = make(tmp_path / "rooms", "--rooms", "4")
    assert done.returncode == 2
    assert done.stderr.endswith("--rooms: must be above 4, for a training and a validation scene, got 4\n")


def test_edition_1_is_these_pictures(small_rooms):
    """A change here leaves old pictures in people's caches: raise EDITION in `lit/panodepth/data/dataset.py`."""
    rgb, depth = find_pairs(small_rooms, "train")[0]
    assert read_depth(depth).mean() == pytest.approx(1.6071, abs=1e-3)
    assert read_rgb(rgb).mean() == pytest.approx(172.63, abs=0.1)
