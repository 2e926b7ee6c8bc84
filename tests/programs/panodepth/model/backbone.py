import torch.nn.functional as F
from torch import nn

WIDTH = 16
OUT_CHANNELS = WIDTH * 2


class PanoConv(nn.Module):
    def __init__(self, n_in, n_out, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, stride, padding=(1, 0))

    def forward(self, x):
        return self.conv(F.pad(x, (1, 1, 0, 0), mode="circular"))


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            PanoConv(3, WIDTH, stride=2),
            nn.ReLU(),
            PanoConv(WIDTH, OUT_CHANNELS, stride=2),
            nn.ReLU(),
            PanoConv(OUT_CHANNELS, OUT_CHANNELS),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.layers(x)
