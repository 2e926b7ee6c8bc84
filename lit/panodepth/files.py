"""The files of a data set of panoramas: pairs of PNG, a folder a scene, and a list of scenes for each split.

    ROOT/scenes_train.txt            a scene a line
    ROOT/scenes_val.txt
    ROOT/<scene>/<name>_rgb.png      8 bits a channel, equirectangular
    ROOT/<scene>/<name>_depth.png    16 bits: distance from the camera along the ray; 0 where it is missing

So are the 360-degree renderings of Matterport3D kept: Chang et al., "Matterport3D: Learning from RGB-D Data in Indoor
Environments", 2017.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEPTH_SCALE = 4000  # units of a depth file in a metre, 0.25 mm each as in Matterport3D; 512 in Stanford2D3D
RGB_END = "_rgb.png"
DEPTH_END = "_depth.png"

Split = Literal["train", "val"]
Rgb = NDArray[np.uint8]
Depth = NDArray[np.float32]


def find_pairs(root: Path, split: Split) -> tuple[tuple[Path, Path], ...]:
    """Return (RGB, depth) of every panorama of a split, in the order of its list; at least one.

    Raise FileNotFoundError where a file is missing, for half a data set trains and nobody notices.
    """
    scenes = _list_of(root, split).read_text(encoding="utf-8").split()
    pictures = [path for scene in scenes for path in sorted((root / scene).glob(f"*{RGB_END}"))]
    pairs = tuple((path, path.with_name(path.name.removesuffix(RGB_END) + DEPTH_END)) for path in pictures)
    without = [depth for _, depth in pairs if not depth.is_file()]
    if without or not pairs:
        missing = without[0] if without else f"{root}/<scene>/*{RGB_END} for the scenes of {_list_of(root, split)}"
        raise FileNotFoundError(f"no {missing}")
    return pairs


def read_rgb(path: Path) -> Rgb:
    """Return a picture, (H, W, 3)."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def read_depth(path: Path) -> Depth:
    """Return a depth map, (H, W) in metres; 0 where it is missing. Raise ValueError unless the file has 16 bits."""
    with Image.open(path) as image:
        if not image.mode.startswith("I;16"):
            raise ValueError(f"{path}: depth is a PNG of 16 bits and one channel, got mode {image.mode}")
        return np.array(image, dtype=np.float32) / np.float32(DEPTH_SCALE)


def write_pair(scene: Path, name: str, rgb: Rgb, depth: Depth) -> None:
    """Write a panorama; depth beyond what 16 bits hold, 16.38 m, becomes missing."""
    scene.mkdir(parents=True, exist_ok=True)
    units = np.rint(depth.astype(np.float64) * DEPTH_SCALE)
    units[units > np.iinfo(np.uint16).max] = 0
    Image.fromarray(rgb).save(scene / f"{name}{RGB_END}")
    Image.fromarray(units.astype(np.uint16)).save(scene / f"{name}{DEPTH_END}")


def write_split(root: Path, split: Split, scenes: Sequence[str]) -> None:
    """Write the list of a split's scenes."""
    _list_of(root, split).write_text("".join(f"{scene}\n" for scene in scenes), encoding="utf-8")


def _list_of(root: Path, split: Split) -> Path:
    return root / f"scenes_{split}.txt"
