import pytorch_lightning as pl
import torch
import torchmetrics
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

NUM_CLASSES = 3
LR = 3e-2
N_HIDDEN = 8


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, NUM_CLASSES))
        metrics = torchmetrics.MetricCollection(
            {"acc": MulticlassAccuracy(NUM_CLASSES), "f1": MulticlassF1Score(NUM_CLASSES)}
        )
        self.train_metrics = metrics.clone(prefix="train/")
        self.val_metrics = metrics.clone(prefix="val/")
        self.val_best = torchmetrics.MaxMetric()

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        self.train_metrics(logits, y)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True)
        return nn.functional.cross_entropy(logits, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.val_metrics.update(self.net(x), y)

    def on_validation_epoch_end(self):
        values = self.val_metrics.compute()
        self.log_dict(values)
        self.val_best(values["val/f1"])
        self.log("val/f1_best", self.val_best.compute(), sync_dist=True)
        self.val_metrics.reset()

    def on_train_start(self):
        self.val_best.reset()

    def configure_optimizers(self):
        return optim.Adam(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(77, workers=True)
    x = torch.randn(60, 4)
    ds = TensorDataset(x, x[:, :3].argmax(1))
    pl.Trainer(max_epochs=5).fit(Classifier(), DataLoader(ds, 12, shuffle=True), DataLoader(ds, 30))
