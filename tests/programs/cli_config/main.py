import torch
from model import Net
from pytorch_lightning import LightningDataModule
from pytorch_lightning.cli import LightningCLI
from torch.utils.data import DataLoader, TensorDataset


class Toy(LightningDataModule):
    def __init__(self, batch_size: int = 4, n: int = 32):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str):
        rng = torch.Generator().manual_seed(0)
        x = torch.randn(self.hparams.n, 3, generator=rng)
        self.data = TensorDataset(x, x.norm(dim=1))

    def train_dataloader(self):
        return DataLoader(self.data, self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.data, self.hparams.batch_size)

    test_dataloader = val_dataloader


class CLI(LightningCLI):
    def add_arguments_to_parser(self, parser):
        parser.link_arguments("data.batch_size", "model.batch_size")


def cli_main():
    cli = CLI(Net, Toy, seed_everything_default=1, save_config_callback=None, run=False)
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    cli.trainer.test(cli.model, datamodule=cli.datamodule, ckpt_path="best", weights_only=False)


if __name__ == "__main__":
    cli_main()
