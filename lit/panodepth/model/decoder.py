"""From feature maps to depth: the coarsest one is enlarged, step by step, and joined with the next finer one."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from lit.panodepth.data.dataset import DMAX
from lit.panodepth.model.panoconv import PanoConv

FEATURES = 32  # channels at every size


class Decoder(nn.Module):
    """Maps of a backbone, the finest first, to depth (B, H, W) in metres, between 0 and DMAX."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Conv2d(width, FEATURES, kernel_size=1) for width in widths)
        self.fuse = nn.ModuleList(nn.Sequential(nn.ReLU(), PanoConv(FEATURES, FEATURES)) for _ in widths)
        self.head = nn.Sequential(
            nn.ReLU(), PanoConv(FEATURES, FEATURES), nn.ReLU(), nn.Conv2d(FEATURES, 1, kernel_size=1)
        )

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        projected = [project(each) for project, each in zip(self.project, maps, strict=True)]
        x = self.fuse[-1](projected[-1])
        for fuse, finer in zip(self.fuse[-2::-1], projected[-2::-1], strict=True):
            x = fuse(finer + _enlarged(x, tuple(finer.shape[-2:])))
        logits: Tensor = self.head(_enlarged(x, size))  # (B, 1, H, W)
        return DMAX * logits.squeeze(1).sigmoid()


def _enlarged(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(x, size=size, mode="nearest")  # which sees no edge; bilinear would, left and right
