import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 5e-2
BATCH = 8


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def _step(self, batch):
        x, y = batch
        out = self.fc(x)
        # one name for all stages, there is one chart
        self.log("loss", nn.functional.cross_entropy(out, y), on_epoch=True, on_step=False)
        self.log("accuracy", (out.argmax(1) == y).float().mean(), on_epoch=True, on_step=False)
        return nn.functional.cross_entropy(out, y)

    def training_step(self, batch, _):
        x, y = batch
        return nn.functional.cross_entropy(self.fc(x), y)

    def validation_step(self, batch, _):
        self._step(batch)

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(13)
    x = torch.randn(64, 3)
    y = (x.sum(1) > 0).long()
    train, val, test = (DataLoader(TensorDataset(x[i::4], y[i::4]), BATCH, shuffle=i == 0) for i in (0, 1, 2))
    trainer = pl.Trainer(max_epochs=3, log_every_n_steps=1)
    net = Net()
    trainer.validate(net, val)
    trainer.fit(net, train, val)
    trainer.validate(net, train)
    trainer.test(net, test, ckpt_path="best")
    trainer.test(net, test)
