"""A convolution that knows that a panorama goes once around: its left and right edges are neighbours."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class PanoConv(nn.Conv2d):
    """3 x 3, over (B, C, H, W); padded around horizontally and with zeros above and below."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__(n_in, n_out, kernel_size=3, stride=stride, padding=(1, 0), bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  as torch calls it
        return super().forward(F.pad(input, (1, 1, 0, 0), mode="circular"))
