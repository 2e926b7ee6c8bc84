"""A small model, trained once in a template: what is imported, built and read at first use is there in its children."""

from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tune.internals.lightning_internals import skip_redundant_work
from tune.internals.private_apis import OF_TRIALS, check_private_apis
from tune.paths import VersionPaths
from tune.trial.fits import FitLog
from tune.trial.lightning.logger import open_version_logger
from tune.trial.lightning.report_callback import report_callback_class
from tune.trial.messages import TrialObjective

N_POINTS = 4
BATCH_SIZE = 2


def build_toy(package: ModuleType) -> Any:
    """Return a small model of a Lightning package's."""
    base: Any = package.LightningModule

    class ToyModule(base):  # type: ignore[misc]
        """A batch is ``points`` (B, 2) float32 and their ``labels`` (B,) int64."""

        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))

        def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
            """Return the loss of a batch."""
            loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("Loss/Train", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
            """Log the loss of a batch."""
            self.log("Loss/Val", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            """Return an optimizer and its schedule."""
            adam = torch.optim.Adam(self.parameters())
            return [adam], [torch.optim.lr_scheduler.StepLR(adam, 1)]

    return ToyModule()


def train_toy(folder: Path, package: ModuleType) -> None:
    """Train for an epoch on the CPU, as a trial does: with a version's logger, and with checkpoints in ``folder``.

    ``package``: the Lightning that the program uses.
    """
    for library in OF_TRIALS:
        check_private_apis(library, package.__name__)
    package.seed_everything(0, workers=True, verbose=False)
    data = TensorDataset(torch.zeros(N_POINTS, 2), torch.zeros(N_POINTS, dtype=torch.int64))
    train, val = (DataLoader(data, batch_size=BATCH_SIZE, shuffle=shuffle) for shuffle in (True, False))
    files = VersionPaths(folder)
    logger = open_version_logger(package, files, {"LR": 0.1}, {}, 0.0, None)
    with skip_redundant_work(package):
        trainer = package.Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=1,
            logger=logger,
            callbacks=[
                report_callback_class(package)(
                    TrialObjective(metric="Loss/Val", mode="min"), files, lambda _: False, FitLog()
                )
            ],
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(build_toy(package), train, val)
    logger.close_session(failed=False)
