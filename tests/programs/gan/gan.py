import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

latent_dim = 4
ngf = 8
lr = 2e-3
b1 = 0.5
BATCH_SIZE = 8

G = nn.Sequential(nn.Linear(latent_dim, ngf), nn.ReLU(), nn.Linear(ngf, 2))
D = nn.Sequential(nn.Linear(2, ngf), nn.LeakyReLU(0.2), nn.Linear(ngf, 1))
opt_g = torch.optim.Adam(G.parameters(), lr=lr, betas=(b1, 0.999))
opt_d = torch.optim.Adam(D.parameters(), lr=lr, betas=(b1, 0.999))
fixed_noise = torch.randn(3, latent_dim)
train_dl = DataLoader(TensorDataset(torch.randn(32, 2)), batch_size=BATCH_SIZE, drop_last=True)


class GAN(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.G, self.D = G, D

    def training_step(self, batch, batch_idx):
        (real,) = batch
        g, d = self.optimizers()
        fake = self.G(torch.randn(len(real), latent_dim))
        bce = F.binary_cross_entropy_with_logits
        d_loss = bce(self.D(real), torch.ones(len(real), 1)) + bce(self.D(fake.detach()), torch.zeros(len(real), 1))
        d.zero_grad()
        self.manual_backward(d_loss)
        d.step()
        g_loss = bce(self.D(fake), torch.ones(len(real), 1))
        g.zero_grad()
        self.manual_backward(g_loss)
        g.step()
        self.log_dict({"g_loss": g_loss, "d_loss": d_loss, "batch": float(len(real))}, on_epoch=True, on_step=False)

    def on_train_epoch_end(self):
        self.G(fixed_noise)

    def configure_optimizers(self):
        return [opt_g, opt_d], []


if __name__ == "__main__":
    pl.Trainer(max_epochs=2, accelerator="cpu").fit(GAN(), train_dl)
