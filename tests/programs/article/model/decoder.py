import torch.nn as nn
from model.backbone import OUT_CHANNELS


class Decoder(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(OUT_CHANNELS, 1))

    def forward(self, x):
        return self.head(x).squeeze(-1)
