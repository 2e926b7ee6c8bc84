import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.02
KL_STEP = 0.2  # an epoch


class VAE(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(4, 4)
        self.dec = nn.Linear(2, 4)
        self.kl_weight = 0.0
        self.best_so_far = None

    def elbo(self, x, weight):
        mean, log_var = self.enc(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        kl = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean()
        return nn.functional.mse_loss(self.dec(z), x) + weight * kl

    def training_step(self, batch, batch_idx):
        loss = self.elbo(batch[0], self.kl_weight)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self):
        self.kl_weight = min(1.0, self.kl_weight + KL_STEP)
        self.log("kl_weight", self.kl_weight)

    def validation_step(self, batch, batch_idx):
        self.log("val_elbo", self.elbo(batch[0], 1.0))

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            elbo = self.trainer.callback_metrics["val_elbo"].item()
            self.best_so_far = elbo if self.best_so_far is None else min(elbo, self.best_so_far)
            self.log("best_so_far", self.best_so_far)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(19)
    x = TensorDataset(torch.randn(40, 4))
    pl.Trainer(max_epochs=5).fit(VAE(), DataLoader(x, 8, shuffle=True), DataLoader(x, 20))
