from torch import nn

from ..config import WIDTH


class MLP(nn.Sequential):
    def __init__(self, width=WIDTH):
        super().__init__(nn.Linear(2, width), nn.GELU(), nn.Linear(width, 1))
