from torch import nn


class Perceptron(nn.Module):
    def __init__(self, width: int = 16, depth: int = 1, dropout: float = 0.0):
        super().__init__()
        layers, n = [], 4
        for _ in range(depth):
            layers += [nn.Linear(n, width), nn.Tanh(), nn.Dropout(dropout)]
            n = width
        self.net = nn.Sequential(*layers, nn.Linear(n, 1))

    def forward(self, x):
        return self.net(x)
