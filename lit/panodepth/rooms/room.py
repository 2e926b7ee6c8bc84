"""A room: a box that is seen from within, and boxes of furniture in it. Lengths in metres, z upwards."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator

PLAIN = math.inf  # a period that never repeats

SIDE_M = (3.0, 7.5)  # length and width of a room
HEIGHT_M = (2.4, 3.2)
EYE_M = (1.3, 1.7)  # height of the camera
ROOM_TO_TURN_M = 0.4  # between the camera and furniture
TRIES = 8  # at a place for a piece of furniture, before it is left out

STANDING = (  # (width along the wall, depth, height), each from and to
    ((0.8, 2.0), (0.4, 0.7), (1.7, 2.3)),  # wardrobe
    ((1.4, 2.0), (1.9, 2.1), (0.4, 0.6)),  # bed
    ((1.5, 2.4), (0.8, 1.0), (0.6, 0.9)),  # sofa
    ((0.6, 1.4), (0.3, 0.5), (0.7, 1.2)),  # chest of drawers
    ((0.9, 1.8), (0.7, 1.0), (0.7, 0.8)),  # table
    ((0.3, 0.5), (0.3, 0.5), (2.0, 3.2)),  # pillar
)
HANGING = (  # (width, from the floor, to) and whether it is a window
    ((0.8, 1.0), (0.0, 0.0), (1.9, 2.1), False),  # door
    ((0.8, 2.0), (0.8, 1.0), (1.8, 2.2), True),  # window
    ((0.4, 1.2), (1.1, 1.3), (1.6, 2.0), False),  # picture
)
THICKNESS_M = 0.04  # of what hangs on a wall


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """Stripes and checks of two colours."""

    light: tuple[float, ...]
    """Red, green and blue, each the reflected share of the light."""
    dark: tuple[float, ...]
    """The other colour."""
    periods: tuple[float, float]
    """Metres along the two sides of a surface after which it repeats; infinite for stripes along that side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box with faces along the axes."""

    low: tuple[float, ...]
    """The corner with the least x, y and z."""
    high: tuple[float, ...]
    """The corner with the greatest."""
    texture: Texture
    is_window: bool = False
    """It shines, and no depth is measured through glass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """From (0, 0, 0) to ``size``."""

    size: tuple[float, float, float]
    walls: tuple[Texture, Texture, Texture]
    """Of the walls across x, of those across y, and of floor and ceiling."""
    boxes: tuple[Box, ...]
    camera: tuple[float, float, float]
    """Inside of the room, and outside of every box."""
    yaw: float
    """Radians from the y axis to the middle of the picture, to the right."""
    lamp: tuple[float, float, float]


def draw_room(rng: Rng) -> Room:
    """Return a furnished room."""
    size = (rng.uniform(*SIDE_M), rng.uniform(*SIDE_M), rng.uniform(*HEIGHT_M))
    camera = (size[0] * rng.uniform(0.3, 0.7), size[1] * rng.uniform(0.3, 0.7), rng.uniform(*EYE_M))
    lamp = (size[0] * rng.uniform(0.35, 0.65), size[1] * rng.uniform(0.35, 0.65), size[2] - 0.3)
    wall = _texture(rng, brightness=0.7, contrast=0.12)
    return Room(
        size=size,
        walls=(wall, wall, _texture(rng, brightness=0.5, contrast=0.4)),
        boxes=(*_hang(rng, size), *_furnish(rng, size, camera)),
        camera=camera,
        yaw=rng.uniform(-math.pi, math.pi),
        lamp=lamp,
    )


def _texture(rng: Rng, *, brightness: float, contrast: float) -> Texture:
    light = np.clip(brightness + rng.uniform(-0.2, 0.2) + rng.uniform(-0.13, 0.13, 3), 0.05, 0.95)
    dark = light * (1 - rng.uniform(0, 2 * contrast))
    periods = [rng.uniform(0.2, 1.0) if rng.random() < 0.6 else PLAIN for _ in range(2)]
    return Texture(light=tuple(light), dark=tuple(dark), periods=(periods[0], periods[1]))


def _furnish(rng: Rng, size: tuple[float, ...], camera: tuple[float, ...]) -> Iterator[Box]:
    """Yield pieces that stand on the floor, most at a wall, none in another or around the camera."""
    taken = [(camera[0] - ROOM_TO_TURN_M, camera[1] - ROOM_TO_TURN_M, *(c + ROOM_TO_TURN_M for c in camera[:2]))]
    for _ in range(rng.integers(3, 9)):
        sides = [rng.uniform(*span) for span in STANDING[rng.integers(len(STANDING))]]
        texture = _texture(rng, brightness=0.45, contrast=0.25)
        for _ in range(TRIES):
            x, y, dx, dy = _at_wall(rng, size, sides[0], sides[1], free=rng.random() < 0.2)
            plan = (x, y, x + dx, y + dy)
            if x < 0 or y < 0 or any(_overlap(plan, other) for other in taken):
                continue
            taken.append(plan)
            yield Box(low=(x, y, 0.0), high=(x + dx, y + dy, min(sides[2], size[2])), texture=texture)
            break


def _hang(rng: Rng, size: tuple[float, ...]) -> Iterator[Box]:
    """Yield doors, windows and pictures: flat boxes on the walls. They may overlap; the nearer one is seen."""
    for _ in range(rng.integers(2, 6)):
        width, low, high, is_window = HANGING[rng.integers(len(HANGING))]
        x, y, dx, dy = _at_wall(rng, size, rng.uniform(*width), THICKNESS_M * rng.uniform(0.5, 1), free=False)
        yield Box(
            low=(x, y, rng.uniform(*low)),
            high=(x + dx, y + dy, rng.uniform(*high)),
            texture=_texture(rng, brightness=0.5, contrast=0.5),
            is_window=is_window,
        )


def _at_wall(
    rng: Rng, size: tuple[float, ...], width: float, depth: float, *, free: bool
) -> tuple[float, float, float, float]:
    """Return x, y and the sides along x and y of a plan with its back to one of the walls, or free in the room."""
    along = int(rng.integers(2))
    sides = (width, depth) if along == 0 else (depth, width)
    x, y = ((size[axis] - sides[axis]) * rng.random() for axis in range(2))
    back = float(rng.integers(2))
    if not free and along == 0:
        y = back * (size[1] - depth)
    elif not free:
        x = back * (size[0] - depth)
    return x, y, *sides


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(one[axis] < other[axis + 2] and other[axis] < one[axis + 2] for axis in range(2))
