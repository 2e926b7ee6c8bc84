import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

LATENT = 3
G_LR = 5e-3
D_LR = 5e-3


class ToyGAN(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(LATENT, 8), nn.ReLU(), nn.Linear(8, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(8, 1))

    def forward(self, z):
        return self.generator(z)

    def adversarial_loss(self, y_hat, is_real):
        return F.binary_cross_entropy_with_logits(y_hat, torch.full_like(y_hat, float(is_real)))

    def training_step(self, batch, batch_idx):
        (real,) = batch
        opt_g, opt_d = self.optimizers()
        z = torch.randn(real.shape[0], LATENT).type_as(real)

        self.toggle_optimizer(opt_g)
        g_loss = self.adversarial_loss(self.discriminator(self(z)), True)
        self.log("g_loss", g_loss, prog_bar=True)
        opt_g.zero_grad()
        self.manual_backward(g_loss)
        opt_g.step()
        self.untoggle_optimizer(opt_g)

        self.toggle_optimizer(opt_d)
        d_loss = self.adversarial_loss(self.discriminator(real), True)
        d_loss = (d_loss + self.adversarial_loss(self.discriminator(self(z).detach()), False)) / 2
        self.log("d_loss", d_loss, prog_bar=True)
        opt_d.zero_grad()
        self.manual_backward(d_loss)
        opt_d.step()
        self.untoggle_optimizer(opt_d)

    def on_train_epoch_end(self):
        for scheduler in self.lr_schedulers():
            scheduler.step()

    def validation_step(self, batch, batch_idx):
        (real,) = batch
        fake = self(torch.randn(real.shape[0], LATENT))
        self.log("val/distance", (fake.mean(0) - real.mean(0)).norm())

    def configure_optimizers(self):
        opt_g = torch.optim.Adam(self.generator.parameters(), lr=G_LR, betas=(0.5, 0.999))
        opt_d = torch.optim.Adam(self.discriminator.parameters(), lr=D_LR, betas=(0.5, 0.999))
        schedulers = [torch.optim.lr_scheduler.ExponentialLR(opt, 0.9) for opt in (opt_g, opt_d)]
        return [opt_g, opt_d], schedulers


def main():
    pl.seed_everything(7)
    data = TensorDataset(torch.randn(48, 2) * 0.5 + 2)
    trainer = pl.Trainer(max_epochs=4, log_every_n_steps=2)
    trainer.fit(ToyGAN(), DataLoader(data, batch_size=8, shuffle=True), DataLoader(data, batch_size=16))


if __name__ == "__main__":
    main()
