"""A trial of several seeds: the program is executed afresh with each, and the mean of their scores counts."""

import pytest

from tests.searched import Worker
from tune.cli import main

MODULE = """\
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

WEIGHT = 1.0
print("imported")


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(1, 1)
        self.drawn = torch.rand(()).item()

    def training_step(self, batch, index):
        return self.net(batch).square().mean()

    def validation_step(self, batch, index):
        self.log("score", WEIGHT * self.drawn + 10 * self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def dataloaders():
    return DataLoader(torch.zeros(2, 1)), DataLoader(torch.zeros(1, 1))
"""
SCRIPT = """\
import pytorch_lightning as pl

from parts.net import Net, dataloaders

pl.seed_everything(7)
trainer = pl.Trainer(max_epochs=2, enable_progress_bar=False, logger=False, enable_checkpointing=False)
trainer.fit(Net(), *dataloaders())
"""
SPACE = "metric: score\nmode: max\nconstants:\n  WEIGHT: {uniform: [0.5, 2.0]}\nseeds_per_trial: 3\n"


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "parts").mkdir(parents=True)  # a namespace package: no __init__.py
    (folder / "pyproject.toml").touch()
    (folder / "parts" / "net.py").write_text(MODULE)
    (folder / "system.py").write_text(MODULE)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "script.yaml").write_text(f"script: train.py\n{SPACE.replace('WEIGHT:', 'parts.net.WEIGHT:')}")
    (folder / "system.yaml").write_text(f"system: system.py\ntrainer: {{max_epochs: 2}}\n{SPACE}")
    return folder


def run_trial(project, tmp_path, server, kind, values):
    worker = Worker(project / f"{kind}.yaml", tmp_path / kind, server)
    worker.run(preflight=True)
    return worker.run(values)


@pytest.mark.parametrize(("kind", "name"), [("script", "parts.net.WEIGHT"), ("system", "WEIGHT")])
def test_a_trial_of_three_seeds_is_worth_the_mean_of_three_fits(project, tmp_path, server, kind, name):
    trial = run_trial(project, tmp_path, server, kind, {name: 2.0})

    scores = [each["score"] for each in trial.record.fits]
    assert len(set(scores)) == 3
    assert all(10.0 <= score <= 12.0 for score in scores)  # the second epoch is the best of each
    assert [value for _, value in trial.reports] == pytest.approx(
        [scores[0], sum(scores[:2]) / 2, sum(scores) / 3], rel=1e-6
    )
    assert trial.record.counted_fits.numbers == (1, 2, 3)
    assert trial.log.count("imported") == 3  # each seed executes the modules afresh
    assert trial.record.standard_error > 0


def test_the_first_seed_is_that_of_a_trial_of_one_seed_and_further_ones_are_the_same_for_all_trials(
    project, tmp_path, server
):
    several = run_trial(project, tmp_path, server, "system", {"WEIGHT": 2.0})
    other = run_trial(project, tmp_path / "other", server, "system", {"WEIGHT": 1.0})
    (project / "system.yaml").write_text(
        f"system: system.py\ntrainer: {{max_epochs: 2}}\n{SPACE}".replace(": 3\n", ": 1\n")
    )
    once = run_trial(project, tmp_path / "once", server, "system", {"WEIGHT": 2.0})

    assert several.record.fits[0]["score"] == once.reports[-1][1]
    drawn = [(each["score"] - 10) / 2 for each in several.record.fits]
    assert drawn == pytest.approx([each["score"] - 10 for each in other.record.fits], abs=1e-5)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("seeds_per_trial: 0", "seeds_per_trial: must be a whole number, 1 to 100, got 0"),
        ("seeds_per_trial: 101", "seeds_per_trial: must be a whole number, 1 to 100, got 101"),
        ("seeds_per_trial: 3\nfits: last", "seeds_per_trial: the score is the mean over all seeds, got `fits: last`"),
        (
            "seeds_per_trial: 3\nscheduler: pbt",
            "seeds_per_trial: pbt pauses trials, and one of several seeds begins anew",
        ),
    ],
)
def test_what_does_not_go_with_several_seeds_is_told(project, tmp_path, capsys, text, what):
    space = project / "system.yaml"
    space.write_text(space.read_text().replace("seeds_per_trial: 3", text))

    assert main(["--space", str(space), "--storage", str(tmp_path / "storage")]) == 2
    assert what in capsys.readouterr().err
