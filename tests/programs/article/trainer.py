import argparse
from functools import partial

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from data import MyDataset
from model import Backbone, Decoder
from torch.utils.data import DataLoader
from util import delta1

LR = 1e-2
WEIGHT_DECAY = 1e-4
STEP_SIZE, GAMMA = 1, 0.9


class LitModel(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.decoder = Decoder()
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def forward(self, x):
        return self.decoder(self.backbone(x))

    def step(self, x, y):
        return self(x), y

    def training_step(self, batch, idx):
        pred, y = self.step(*batch)
        loss = F.l1_loss(pred, y)
        self.log("MAE/Train", loss)
        self.log("Batch", float(len(y)))
        return loss

    def validation_step(self, batch, idx):
        pred, y = self.step(*batch)
        self.log("MAE/Val", F.l1_loss(pred, y))
        self.log("Delta1/Val", delta1(pred, y))

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
        sch = torch.optim.lr_scheduler.StepLR(opt, STEP_SIZE, GAMMA)
        return [opt], [sch]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpu", "-g", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--testrun", "-t", action="store_true")
    parser.add_argument("--version", "-v", default="baseline")
    args = parser.parse_args()

    logger = False if args.testrun else pl.loggers.TensorBoardLogger("lightning_logs", "390-samples", args.version)
    trainer = pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=args.gpu,
        strategy="ddp" if len(args.gpu) > 1 else "auto",
        max_epochs=3,
        deterministic=True,
        fast_dev_run=args.testrun,
        logger=logger,
        log_every_n_steps=1,
    )

    dl = partial(DataLoader, batch_size=9, num_workers=0, pin_memory=False)
    train_dl, val_dl = dl(MyDataset("train")), dl(MyDataset("val"))
    model = LitModel()
    if logger:
        logger.log_hyperparams({"lr": LR})
    trainer.fit(model, train_dl, val_dl)


if __name__ == "__main__":
    main()
