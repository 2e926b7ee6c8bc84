import torch
from torch.utils.data import Dataset


class MyDataset(Dataset):
    def __init__(self, split):
        super().__init__()
        rng = torch.Generator().manual_seed(0 if split == "train" else 1)
        self.x = torch.randn(27, 4, generator=rng)
        self.y = self.x.sum(1).abs() + 1

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]
