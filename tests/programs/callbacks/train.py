import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.05
PATIENCE = 2


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        loss = self.fc(batch[0]).square().mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.fc(batch[0]).square().mean())

    def on_validation_epoch_end(self):
        self.logger.experiment.add_scalar("extra", 1.0, self.global_step)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


def main():
    checkpoint = ModelCheckpoint(dirpath="my_checkpoints", filename="best-{epoch}", monitor="val_loss", save_top_k=1)
    stopping = EarlyStopping("val_loss", patience=PATIENCE, min_delta=10.0)
    loggers = [TensorBoardLogger("tb_logs", name="mine"), CSVLogger("csv_logs", name="mine")]
    trainer = pl.Trainer(
        max_epochs=8,
        logger=loggers,
        log_every_n_steps=1,
        callbacks=[checkpoint, stopping, LearningRateMonitor("epoch")],
    )
    dl = DataLoader(TensorDataset(torch.ones(8, 2)), batch_size=4)
    trainer.fit(Model(), dl, dl)
    assert checkpoint.best_model_path
    Model.load_from_checkpoint(checkpoint.best_model_path)
    print("stopped in", stopping.stopped_epoch, trainer.logger.log_dir)


if __name__ == "__main__":
    main()
