"""Which samples a trial was validated on: a split may change with the constants, though the seed is one."""

import numpy as np
import pytest
import torch
from pytorch_lightning.utilities import CombinedLoader
from torch.utils.data import DataLoader, Dataset, Subset, SubsetRandomSampler, TensorDataset

from tests.searched import Worker
from tune.trial.lightning.holdout import HeldSubset
from tune.trial.lightning.validation_samples import UNKNOWN, digest_samples

DATA = TensorDataset(torch.arange(10.0))
SPLIT = Subset(DATA, [1, 3, 5])


def loader(indices, dataset=DATA, **more):
    return DataLoader(Subset(dataset, indices), **more)


class Transformed(Dataset):
    """What programs write to transform the samples of a split."""

    def __init__(self, subset):
        self.subset = subset

    def __len__(self):
        return len(self.subset)


SAME = {
    "another order": loader([5, 1, 3]),
    "other batches": loader([1, 3, 5], batch_size=2, shuffle=True),
    "a range": loader(range(1, 6, 2)),
    "an array": loader(np.array([1, 3, 5])),
    "a tensor": loader(torch.tensor([1, 3, 5])),
    "tensors": loader([torch.tensor(1), torch.tensor(3), torch.tensor(5)]),
    "a split of a split": loader([2, 0, 1], Subset(DATA, [1, 3, 5, 7])),
    "below a dataset that transforms them": DataLoader(Transformed(SPLIT)),
    "above one": loader([2, 0, 1], Transformed(Subset(DATA, [1, 3, 5, 7]))),
    "a part of them that is held out": DataLoader(HeldSubset(SPLIT, np.array([0]), np.array([1, 2]))),
    "a sampler": DataLoader(DATA, sampler=SubsetRandomSampler([5, 3, 1])),
    "a sampler of a split": DataLoader(Subset(DATA, [1, 3, 5, 7]), sampler=SubsetRandomSampler([0, 1, 2])),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_the_same_samples_have_one_digest(other):
    assert digest_samples(other) == digest_samples(DataLoader(SPLIT)) != UNKNOWN


OTHERS = {
    "another sample": loader([1, 3, 4]),
    "one fewer": loader([1, 3]),
    "one twice": loader([1, 3, 5, 5]),
    "another split of a split": loader([0, 1, 2], Subset(DATA, [1, 3, 7, 5])),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_samples_have_another_digest(other):
    assert digest_samples(other) not in (digest_samples(DataLoader(SPLIT)), UNKNOWN)


def test_each_of_several_loaders_counts_in_its_order():
    one, other = DataLoader(SPLIT), loader([0, 2])
    together = digest_samples([one, other])

    assert together == digest_samples({"a": one, "b": other}) == digest_samples(CombinedLoader([one, other]))
    assert together not in (digest_samples([other, one]), digest_samples(one))
    assert digest_samples([one, DataLoader(DATA)]) not in (digest_samples(one), UNKNOWN)


class Unreadable(Subset):
    """A split whose indices cannot be read."""

    def __init__(self):
        self.dataset = DATA

    @property
    def indices(self):
        raise KeyError("indices")


@pytest.mark.parametrize("dataset", [Unreadable(), Subset(DATA, [2**80, 1])], ids=["unreadable", "too large"])
def test_indices_of_a_kind_of_the_program_s_own_are_not_known_and_fail_nothing(dataset):
    assert digest_samples(DataLoader(dataset, sampler=[0])) == UNKNOWN


@pytest.mark.parametrize(
    "loaders",
    [
        None,
        [],
        DataLoader(HeldSubset(DATA, np.arange(3), np.arange(3, 10))),
        DataLoader(DATA),
        [DataLoader(DATA)],
        [[1, 2], [3]],
        loader(["a", "b"]),
        loader([[1], [2, 3]]),
    ],
)
def test_what_is_no_split_with_numbers_is_not_known(loaders):
    assert digest_samples(loaders) == UNKNOWN


PROGRAM = """\
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset, random_split

WIDTH = 8
RATE = 0.1


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(1, WIDTH), torch.nn.Linear(WIDTH, 1))

    def training_step(self, batch, index):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, index):
        self.log("score", batch[0].sum())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=RATE)


data = TensorDataset(torch.arange(100.0)[:, None])
for fit in range({n_fits}):
    trainer = pl.Trainer(max_epochs=2, enable_progress_bar=False, logger=False, enable_checkpointing=False)
    module = Net()
    train, val = random_split(data, [80, 20]{generator})
    trainer.fit(module, DataLoader(train, 20), DataLoader(val, 20))
"""
OWN = ", generator=torch.Generator().manual_seed(1)"
SPACE = """\
script: train.py
metric: score
mode: max
constants:
  WIDTH: {choice: [4, 8]}
  RATE: {loguniform: [0.001, 0.1]}
"""


@pytest.fixture
def worker(tmp_path, server):
    def start(generator="", n_fits=1, space=SPACE):
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "pyproject.toml").touch()
        (folder / "train.py").write_text(PROGRAM.format(generator=generator, n_fits=n_fits))
        (folder / "space.yaml").write_text(space)
        return Worker(folder / "space.yaml", tmp_path / "trials", server)

    return start


def run_both(worker):
    """Return the trials of the hardcoded values, of another width, and of another rate."""
    return worker.run(preflight=True), worker.run({"WIDTH": 4}), worker.run({"RATE": 0.01})


def test_a_split_by_the_global_numbers_is_another_one_for_another_width(worker):
    hardcoded, narrow, slow = run_both(worker())

    (digest,) = hardcoded.record.validated_on
    assert narrow.record.validated_on not in ([digest], [])
    assert slow.record.validated_on == [digest]
    assert hardcoded.reports[0][1] == slow.reports[0][1] != narrow.reports[0][1]  # the sum of the samples


def test_a_split_with_a_generator_of_its_own_is_one(worker):
    hardcoded, narrow, slow = run_both(worker(OWN))

    assert hardcoded.record.validated_on == narrow.record.validated_on == slow.record.validated_on != []
    assert hardcoded.reports == narrow.reports == slow.reports


def test_each_fit_has_its_samples(worker):
    trial = worker(n_fits=3).run(preflight=True)

    assert len(set(trial.record.validated_on)) == len(trial.record.fits) == 3


def test_what_is_validated_behind_its_training_has_its_samples(worker):
    start = worker()
    source = start.program.path
    behind = ", DataLoader(train, 20))\n    trainer.validate(module, DataLoader(val, 20))"
    source.write_text(source.read_text().replace(", DataLoader(train, 20), DataLoader(val, 20))", behind))
    trial = Worker(source.with_name("space.yaml"), source.parent.parent / "other", start.server).run(preflight=True)

    assert len(trial.record.validated_on) == 1


def test_each_seed_has_its_samples(worker):
    trial = worker(space=f"{SPACE}seeds_per_trial: 2\n").run(preflight=True)

    assert len(set(trial.record.validated_on)) == 2


def test_of_what_is_not_known_nothing_is_written(worker):
    start = worker(OWN)
    source = start.program.path
    source.write_text(source.read_text().replace("DataLoader(val, 20)", "DataLoader(data, 20)"))
    trial = Worker(source.with_name("space.yaml"), source.parent.parent / "other", start.server).run(preflight=True)

    assert trial.record.validated_on == []
    assert "validated_on" not in trial.files.record.read_text()
