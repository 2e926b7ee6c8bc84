"""A version's model comes back: the architecture that was trained, with its best weights."""

import pytest
import torch

from tests.searched import Worker
from tune import load
from tune.errors import ExperimentError
from tune.paths import ExperimentPaths
from tune.space.file import write_space

NET = """
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WIDTHS = (4, 2)
MAX_EPOCHS = 2


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, WIDTHS[0]), nn.Linear(WIDTHS[0], WIDTHS[1]), nn.Linear(WIDTHS[1], 1))

    def training_step(self, batch, idx):
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, idx):
        self.log("MSE/Val", nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def data():
    points = torch.linspace(-1, 1, 24).reshape(8, 3)
    return DataLoader(TensorDataset(points, points.sum(1, keepdim=True)), batch_size=4)
"""
SYSTEM = NET + "\n\ndef dataloaders():\n    return data(), data()\n"
SCRIPT = NET + "\n\npl.Trainer(max_epochs=MAX_EPOCHS).fit(Net(), data(), data())\n"


@pytest.fixture
def experiment(tmp_path, capsys):
    """Return what searches a program of this text, and gives its one trial, of these widths."""

    def search(text, shape, widths):
        project = tmp_path / "project"
        project.mkdir()
        (project / "pyproject.toml").touch()
        (project / "net.py").write_text(text)
        space = f"{shape}: net.py\nmetric: MSE/Val\nmode: min\nconstants: {{WIDTHS: {{choice: [[4, 2], [8, 6]]}}}}\n"
        (project / "s.yaml").write_text(space)
        paths = ExperimentPaths(tmp_path / "results")
        paths.folder.mkdir()
        worker = Worker(project / "s.yaml", paths.folder, capsys.disabled)
        write_space(worker.space, paths.space)
        paths.journal.touch()
        return worker.run({"WIDTHS": widths})

    return search


def test_a_model_has_the_shapes_that_were_trained_and_gives_the_metric_again(experiment):
    trial = experiment(SYSTEM, "system", (8, 6))

    model = load(trial.files.folder)

    points = torch.linspace(-1, 1, 24).reshape(8, 3)
    with torch.inference_mode():
        error = torch.nn.functional.mse_loss(model.net(points), points.sum(1, keepdim=True)).item()
    assert [tuple(each.shape) for each in model.parameters() if each.dim() == 2] == [(8, 3), (6, 8), (1, 6)]
    assert not model.training
    assert error == pytest.approx(min(value for _, value in trial.reports), abs=1e-5)


def test_a_script_that_would_train_when_it_is_imported_is_not_loaded(experiment):
    trial = experiment(SCRIPT, "script", (4, 2))

    with pytest.raises(ExperimentError, match="would be imported, and that would train"):
        load(trial.files.folder)


def test_a_folder_that_is_no_version_is_told(tmp_path):
    with pytest.raises(ExperimentError, match="no version with a checkpoint"):
        load(tmp_path)
