import config
import torch
import torch.nn as nn


def build():
    return nn.Sequential(nn.Linear(config.n_features, config.hidden_dim), nn.Tanh(), nn.Linear(config.hidden_dim, 1))
