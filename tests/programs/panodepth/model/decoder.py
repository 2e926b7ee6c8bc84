from data.dataset import DMAX
from torch import nn

from .backbone import OUT_CHANNELS, WIDTH, PanoConv


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Upsample(scale_factor=2),
            PanoConv(OUT_CHANNELS, WIDTH),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            PanoConv(WIDTH, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return DMAX * self.layers(x).squeeze(1)
