"""What a panoramic camera sees of a room: colours and distances, by casting a ray a pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lit.panodepth.files import Depth, Rgb
from lit.panodepth.rooms.room import Floats, Rng, Room, Texture

AMBIENT = 0.35  # light that comes from everywhere
LAMP = 1.1  # light of the lamp, close by
LAMP_REACH_M = 3.0  # where it has half of that
CORNER_M = 0.25  # how far corners darken
CORNER_SHADE = 0.45
DISPLAY_GAMMA = 2.2
NOISE = 0.012  # of the camera, of full white
MISSING_SHARE = 0.01  # of all pixels: specks that the depth camera did not measure
TRIPOD = -1.3  # radians: below this latitude the depth camera sees its own stand
LEAST_M = 1e-6  # nearer than this a ray hits nothing: it starts there

Axes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hits:
    """Where each of N rays ends."""

    distance: Floats
    """(N,) metres along the ray."""
    point: Floats
    """(N, 3)."""
    axis: Axes
    """(N,) the axis that the surface lies across: 0, 1 or 2."""
    box: Axes
    """(N,) the number of the box; -1 for the room itself."""


def directions(height: int, width: int, yaw: float) -> Floats:
    """Return the unit vector of each pixel of an equirectangular picture, (height, width, 3).

    Rows run from straight up to straight down, columns once around to the right; the middle looks at ``yaw``.
    """
    longitude = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi + yaw
    latitude = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    across, up = np.cos(latitude)[:, None], np.sin(latitude)[:, None]
    return np.stack(np.broadcast_arrays(across * np.sin(longitude), across * np.cos(longitude), up), axis=-1)


def cast(room: Room, origins: Floats, rays: Floats) -> Hits:
    """Return where rays from inside of the room end; origins and unit vectors are (N, 3)."""
    ends = np.arange(len(rays))
    rays = np.where(rays == 0, 1e-12, rays)
    to_wall = (np.where(rays > 0, np.array(room.size), 0.0) - origins) / rays  # (N, 3)
    axis = to_wall.argmin(1)
    distance = to_wall[ends, axis]
    box = np.full(len(rays), -1)
    for number, each in enumerate(room.boxes):
        to_low, to_high = ((np.array(corner) - origins) / rays for corner in (each.low, each.high))
        enter = np.minimum(to_low, to_high)  # (N, 3)
        enters = enter.max(1)
        hit = (enters > LEAST_M) & (enters <= np.maximum(to_low, to_high).min(1)) & (enters < distance)
        distance = np.where(hit, enters, distance)
        axis = np.where(hit, enter.argmax(1), axis)
        box = np.where(hit, number, box)
    return Hits(distance, origins + distance[:, None] * rays, axis, box)


def depth_of(room: Room, height: int, width: int) -> Floats:
    """Return the distance to what each pixel sees, (height, width) in metres; nothing is missing."""
    rays = directions(height, width, room.yaw).reshape(-1, 3)
    return cast(room, np.broadcast_to(room.camera, rays.shape), rays).distance.reshape(height, width)


def photograph(room: Room, rng: Rng, height: int, width: int) -> tuple[Rgb, Depth]:
    """Return a picture (height, width, 3) and its depth (height, width) in metres, 0 where it is missing."""
    rays = directions(height, width, room.yaw).reshape(-1, 3)
    hits = cast(room, np.broadcast_to(room.camera, rays.shape), rays)
    windows = np.array([*(box.is_window for box in room.boxes), False])[hits.box]  # -1 is the last one, the room
    light = np.where(windows, 1.0, _light(room, rays, hits))[:, None]
    bright = np.where(windows[:, None], (0.85, 0.93, 1.0), _albedo(room, hits) * light)
    seen = np.clip(bright, 0, 1) ** (1 / DISPLAY_GAMMA) + rng.normal(0, NOISE, bright.shape)

    missing = windows | (rays[:, 2] < np.sin(TRIPOD)) | (rng.random(len(rays)) < MISSING_SHARE)
    rgb = np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)
    depth = np.where(missing, 0, hits.distance).astype(np.float32)
    return rgb.reshape(height, width, 3), depth.reshape(height, width)


def _light(room: Room, rays: Floats, hits: Hits) -> Floats:
    """Return how much light falls on each point, (N,)."""
    to_lamp = np.array(room.lamp) - hits.point
    far = np.linalg.norm(to_lamp, axis=1)
    to_lamp = to_lamp / far[:, None]
    towards = -np.sign(np.take_along_axis(rays, hits.axis[:, None], 1)[:, 0])  # the side that is seen
    slope = np.maximum(np.take_along_axis(to_lamp, hits.axis[:, None], 1)[:, 0] * towards, 0)
    lit = cast(room, hits.point + 1e-4 * to_lamp, to_lamp).distance > far - 0.01  # nothing stands between
    lamp = LAMP * slope * lit / (1 + (far / LAMP_REACH_M) ** 2)
    walls = np.sort(np.concatenate([hits.point, np.array(room.size) - hits.point], axis=1), axis=1)  # (N, 6) metres
    shade: Floats = 1 - CORNER_SHADE * np.exp(-np.abs(walls[:, 1]) / CORNER_M)
    light: Floats = (AMBIENT + lamp) * shade
    return light


def _albedo(room: Room, hits: Hits) -> Floats:
    """Return the colour of each point, (N, 3)."""
    colour = np.empty_like(hits.point)
    for axis, wall in enumerate(room.walls):
        here = (hits.box == -1) & (hits.axis == axis)
        colour[here] = _painted(wall, hits, here)
    ceiling = (hits.box == -1) & (hits.axis == 2) & (hits.point[:, 2] > room.size[2] / 2)
    colour[ceiling] = 0.85
    for number, each in enumerate(room.boxes):
        here = hits.box == number
        colour[here] = _painted(each.texture, hits, here)
    return colour


def _painted(texture: Texture, hits: Hits, here: Mask) -> Floats:
    """Return the colour of some of the points, (M, 3), on surfaces of one texture."""
    axis, point = hits.axis[here], hits.point[here]
    along = np.where(axis == 0, point[:, 1], point[:, 0])  # a wall's width, or x of the floor
    other = np.where(axis == 2, point[:, 1], point[:, 2])  # a wall's height, or y of the floor
    turns = np.floor(along * 2 / texture.periods[0]) + np.floor(other * 2 / texture.periods[1])
    return np.where((turns % 2 == 0)[:, None], texture.light, texture.dark)
