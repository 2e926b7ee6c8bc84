import torch.nn as nn

WIDTH = 8
DEPTHS = [1, 2]
OUT_CHANNELS = WIDTH * 2


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Linear(4, WIDTH), nn.ReLU()]
        for _ in range(sum(DEPTHS)):
            layers += [nn.Linear(WIDTH, WIDTH), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(WIDTH, OUT_CHANNELS))

    def forward(self, x):
        return self.layers(x)
