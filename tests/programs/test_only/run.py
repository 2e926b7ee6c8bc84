import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

hidden_size = 8
lr = 1e-2


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(2, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])

    def training_step(self, batch, _):
        x, y = batch
        return nn.functional.l1_loss(self(x), y)

    def test_step(self, batch, _):
        x, y = batch
        self.log("test/f1_score", 1 / (1 + nn.functional.l1_loss(self(x), y)))
        self.log("hidden", float(self.rnn.hidden_size))

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr)


def main():
    x = torch.randn(16, 5, 2)
    ds = TensorDataset(x, x.sum((1, 2))[:, None])
    trainer = pl.Trainer(max_epochs=2, enable_checkpointing=False)
    net = Net()
    trainer.fit(net, DataLoader(ds, batch_size=8))
    result = trainer.test(net, DataLoader(ds, batch_size=8))
    print(f"score {result[0]['test/f1_score']:.3f}")


main()
