"""Train what the configs compose."""

from typing import Any

import hydra
import lightning as L
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig


def instantiate_callbacks(cfg: DictConfig) -> list[Callback]:
    return [hydra.utils.instantiate(each) for each in (cfg or {}).values() if "_target_" in each]


def instantiate_loggers(cfg: DictConfig) -> list[Logger]:
    return [hydra.utils.instantiate(each) for each in (cfg or {}).values() if "_target_" in each]


def train(cfg: DictConfig) -> dict[str, Any]:
    if cfg.get("seed"):
        L.seed_everything(cfg.seed, workers=True)
    datamodule: LightningDataModule = hydra.utils.instantiate(cfg.data)
    model: LightningModule = hydra.utils.instantiate(cfg.model)
    callbacks = instantiate_callbacks(cfg.get("callbacks"))
    logger = instantiate_loggers(cfg.get("logger"))
    trainer: Trainer = hydra.utils.instantiate(cfg.trainer, callbacks=callbacks, logger=logger)
    if cfg.get("train"):
        trainer.fit(model=model, datamodule=datamodule, ckpt_path=cfg.get("ckpt_path"))
    metrics = dict(trainer.callback_metrics)
    if cfg.get("test"):
        path = trainer.checkpoint_callback.best_model_path or None
        trainer.test(model=model, datamodule=datamodule, ckpt_path=path, weights_only=False)
        metrics |= trainer.callback_metrics
    return metrics


@hydra.main(version_base="1.3", config_path="configs", config_name="train.yaml")
def main(cfg: DictConfig) -> float | None:
    metrics = train(cfg)
    name = cfg.get("optimized_metric")
    return float(metrics[name]) if name else None


if __name__ == "__main__":
    main()
