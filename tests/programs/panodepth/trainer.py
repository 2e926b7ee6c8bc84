from argparse import ArgumentParser
from functools import partial

import pytorch_lightning as pl
import torch
from data import MP3D
from model import Backbone, Decoder
from torch import nn
from torch.utils.data import DataLoader
from util import Delta1

NORM_MEAN = 0.5
NORM_STD = 0.5

LR = 1e-4
MAX_EPOCHS = 120
GAMMA = 0.9


class LitModel(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.decoder = Decoder()
        self.loss_fn = nn.L1Loss()
        self.train_metric = Delta1()
        self.val_metric = Delta1()
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def forward(self, x):
        x = self.backbone((x - NORM_MEAN) / NORM_STD)
        x = self.decoder(x)
        return x

    def step(self, xb, gt):
        pred = self(xb)
        valid_depth = gt > 0.0
        return pred[valid_depth], gt[valid_depth]

    def training_step(self, batch, idx):
        pred, gt = self.step(*batch)
        loss = self.loss_fn(pred, gt)
        self.log("MAE/Train", loss)
        self.train_metric(pred, gt)
        self.log("Delta1/Train", self.train_metric)
        return loss

    def validation_step(self, batch, idx):
        pred, gt = self.step(*batch)
        loss = self.loss_fn(pred, gt)
        self.log("MAE/Val", loss)
        self.val_metric(pred, gt)
        self.log("Delta1/Val", self.val_metric)

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=LR)
        sch = torch.optim.lr_scheduler.LambdaLR(opt, lambda epoch: (1.0 - epoch / MAX_EPOCHS) ** GAMMA)
        return [opt], [sch]


def main():
    pl.seed_everything(3985, workers=True)

    parser = ArgumentParser("Trainer script")
    parser.add_argument("--gpu", "-g", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--testrun", "-t", action="store_true")
    args = parser.parse_args()

    logger = False
    if not args.testrun:
        logger = pl.loggers.TensorBoardLogger("logs", name="rooms", version="baseline")
        logger.log_hyperparams({"lr": LR, "epochs": MAX_EPOCHS, "gamma": GAMMA})
    trainer = pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=args.gpu if torch.cuda.is_available() else 1,
        strategy="ddp" if torch.cuda.is_available() and len(args.gpu) > 1 else "auto",
        deterministic=True,
        max_epochs=MAX_EPOCHS,
        fast_dev_run=args.testrun,
        log_every_n_steps=1,
        logger=logger,
    )

    dl = partial(DataLoader, batch_size=9, num_workers=0, pin_memory=False)
    train_dl, val_dl = dl(MP3D("train"), shuffle=True), dl(MP3D("val"))
    model = LitModel()
    trainer.fit(model, train_dl, val_dl)


if __name__ == "__main__":
    main()
