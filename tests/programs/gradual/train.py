import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BackboneFinetuning, WeightAveraging
from torch import nn
from torch.optim.swa_utils import get_ema_avg_fn
from torch.utils.data import DataLoader, TensorDataset

HEAD_LR = 0.05
DECAY = 0.9


class EMA(WeightAveraging):
    def __init__(self):
        super().__init__(avg_fn=get_ema_avg_fn(decay=DECAY))

    def should_update(self, step_idx=None, epoch_idx=None):
        return step_idx is not None


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 6), nn.ReLU())
        self.head = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        loss = (self.head(self.backbone(batch[0])).squeeze(1) - batch[1]).abs().mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", (self.head(self.backbone(batch[0])).squeeze(1) - batch[1]).abs().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(filter(lambda p: p.requires_grad, self.parameters()), lr=HEAD_LR)


def main():
    pl.seed_everything(31)
    x = torch.randn(40, 3)
    ds = TensorDataset(x, x.abs().sum(1))
    unfreezing = BackboneFinetuning(unfreeze_backbone_at_epoch=2, backbone_initial_lr=0.01)
    trainer = pl.Trainer(max_epochs=5, callbacks=[unfreezing, EMA()], log_every_n_steps=1)
    trainer.fit(Net(), DataLoader(ds, 8, shuffle=True), DataLoader(ds, 20))


if __name__ == "__main__":
    main()
