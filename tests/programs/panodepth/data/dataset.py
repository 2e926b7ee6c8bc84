from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

ROOT = Path(__file__).parent / "rooms"
DEPTH_SCALE = 4000
DMAX = 10.0
FLIP = 0.5


class MP3D(Dataset):
    def __init__(self, mode):
        scenes = (ROOT / f"scenes_{mode}.txt").read_text().split()
        self.rgb_paths = [path for scene in scenes for path in sorted((ROOT / scene).glob("*_rgb.png"))]
        self.flip = FLIP if mode == "train" else 0.0

    def __len__(self):
        return len(self.rgb_paths)

    def __getitem__(self, idx):
        path = self.rgb_paths[idx]
        rgb = np.array(Image.open(path), dtype=np.float32) / 255
        depth = np.array(Image.open(str(path).replace("_rgb", "_depth")), dtype=np.float32) / DEPTH_SCALE
        rgb = torch.from_numpy(rgb).permute(2, 0, 1)
        depth = torch.from_numpy(depth).clamp(max=DMAX)
        if torch.rand(()) < self.flip:
            rgb, depth = rgb.flip(-1), depth.flip(-1)
        return rgb, depth
