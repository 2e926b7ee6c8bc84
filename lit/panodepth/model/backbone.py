"""A small residual network, after He et al., "Deep Residual Learning for Image Recognition", 2016.

It stands where the article has a vision transformer on patches of the sphere, which wants a GPU and pretrained weights.
"""

from torch import Tensor, nn

from lit.panodepth.model.panoconv import PanoConv

WIDTH = 16  # channels of the first stage; each stage has twice those of the one before
BLOCKS = (1, 1, 1, 1)  # residual blocks in each stage
GROUPS = 8  # of channels that are normalised together: WIDTH is a multiple of it


class Backbone(nn.Module):
    """Features at a half, a quarter, ... of the picture's size, a map a stage."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = [WIDTH * 2**stage for stage in range(len(BLOCKS))]
        stages = []
        for n_in, n_out, n_blocks in zip([3, *self.widths], self.widths, BLOCKS, strict=False):
            smaller = [PanoConv(n_in, n_out, stride=2), nn.GroupNorm(GROUPS, n_out), nn.ReLU()]
            stages.append(nn.Sequential(*smaller, *(Block(n_out) for _ in range(n_blocks))))
        self.stages = nn.ModuleList(stages)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for stage in self.stages:
            maps.append(stage(maps[-1] if maps else rgb))
        return maps  # of (B, WIDTH * 2**i, H / 2**(i + 1), W / 2**(i + 1))


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            PanoConv(width, width),
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(),
            PanoConv(width, width),
            nn.GroupNorm(GROUPS, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.layers(x)
        return added.relu()
