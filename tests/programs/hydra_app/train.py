import hydra
import lightning as L
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LitModel(L.LightningModule):
    def __init__(self, cfg: DictConfig):
        super().__init__()
        self.save_hyperparameters(OmegaConf.to_container(cfg, resolve=True))
        self.cfg = cfg
        self.net = nn.Sequential(
            nn.Linear(3, cfg.model.hidden), nn.ReLU(), nn.Dropout(cfg.model.dropout), nn.Linear(cfg.model.hidden, 1)
        )

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.mse_loss(self.net(x).squeeze(1), y)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val/loss", nn.functional.mse_loss(self.net(x).squeeze(1), y))

    def configure_optimizers(self):
        return hydra.utils.instantiate(self.cfg.optimizer, self.parameters())


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> float:
    L.seed_everything(cfg.seed, workers=True)
    x = torch.randn(48, 3)
    data = TensorDataset(x, x.sum(1).sin())
    trainer: L.Trainer = hydra.utils.instantiate(cfg.trainer)
    trainer.fit(LitModel(cfg), DataLoader(data, cfg.batch_size, shuffle=True), DataLoader(data, 24))
    return trainer.callback_metrics["val/loss"].item()


if __name__ == "__main__":
    main()
