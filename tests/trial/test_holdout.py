"""A part of the validation set that no trial is scored on: which part it is, and that loaders stay what they were."""

import pickle
from functools import partial
from textwrap import dedent

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.combined_loader import CombinedLoader
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from tests.counted import start_counted
from tune.errors import ProgramError
from tune.trial.lightning.holdout import HeldSubset, HoldoutSplit, draw_kept, split_into_parts


class Images(Dataset):
    classes = ("cat", "dog")

    def __init__(self, n=10):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return torch.tensor(index)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(10))


class Own(DataLoader):
    def __iter__(self):
        return iter([torch.zeros(1)])


class Stacked(DataLoader):
    """As those of other libraries, which choose another collate function alone."""

    def __init__(self, dataset, stacks=2, **given):
        super().__init__(dataset, collate_fn=torch.hstack, **given)


def split(loaders, share=0.3):
    """Return what is validated, and what is kept."""
    held = HoldoutSplit(share)
    arguments = {"model": None, "val_dataloaders": loaders}
    held.split_arguments(arguments, "val_dataloaders")
    return arguments["val_dataloaders"], held


def samples(loader):
    return sorted(int(each) for batch in loader for each in batch.reshape(-1))


@pytest.mark.parametrize(("length", "share", "n_kept"), [(10, 0.2, 2), (2, 0.01, 1), (2, 0.99, 1), (1797, 0.25, 449)])
def test_what_is_kept_is_a_part_of_the_indices(length, share, n_kept):
    kept = draw_kept(length, share)

    assert len({*kept.tolist()}) == len(kept) == n_kept
    assert {*kept.tolist()} < {*range(length)}
    assert kept.tolist() == sorted(kept.tolist())


def test_what_is_kept_is_the_same_for_good():
    """Of every length the same, whatever a program has seeded: experiments of earlier versions rely on it."""
    np.random.seed(3)

    assert draw_kept(20, 0.25).tolist() == [1, 8, 10, 18, 19]


def test_a_loader_stays_what_it_was_but_for_its_samples():
    before = DataLoader(
        Images(), batch_size=3, num_workers=2, collate_fn=torch.stack, persistent_workers=True, prefetch_factor=4,
        drop_last=True, worker_init_fn=print, timeout=60, generator=torch.Generator(),
    )  # fmt: skip
    searched, held = split(before)

    for loader in (searched, held.kept):
        for name in ("batch_size", "num_workers", "collate_fn", "persistent_workers", "prefetch_factor", "drop_last",
                     "worker_init_fn", "timeout", "generator", "pin_memory"):  # fmt: skip
            assert getattr(loader, name) == getattr(before, name), name
        assert type(loader.sampler) is SequentialSampler
        assert loader.dataset.classes == ("cat", "dog")
    assert held.parts == [
        {"loader": "the validation loader", "length": 10, "kept": 3, "digest": held.parts[0]["digest"]}
    ]


@pytest.mark.parametrize(
    "make",
    [
        partial(DataLoader, batch_size=3),
        partial(DataLoader, batch_size=None),
        partial(DataLoader, batch_size=3, shuffle=True),
        partial(DataLoader, sampler=RandomSampler(Images(), generator=torch.Generator().manual_seed(3))),
        pytest.param(partial(DataLoader, num_workers=1, multiprocessing_context="spawn"), marks=pytest.mark.slow),
        partial(Stacked, batch_size=2),
    ],
    ids=["batches", "samples", "shuffled", "a generator of its own", "workers", "a class of another library"],
)
def test_all_samples_are_validated_or_kept(make):
    before = make(Images())
    searched, held = split(before)

    for loader in (searched, held.kept):
        assert type(loader.sampler) is (
            RandomSampler if isinstance(before.sampler, RandomSampler) else SequentialSampler
        )
        assert getattr(loader.sampler, "generator", None) is getattr(before.sampler, "generator", None)
    kept = samples(held.kept)  # once: a worker that is spawned takes seconds to import torch
    assert kept == draw_kept(10, 0.3).tolist()
    assert sorted(samples(searched) + kept) == [*range(10)]


def test_a_loader_that_is_split_twice_is_split_once():
    once, _ = split(DataLoader(Images()))
    twice, held = split(once)

    assert samples(twice) == samples(once)
    assert samples(held.kept) == draw_kept(10, 0.3).tolist()
    assert held.parts[0]["length"] == 10


@pytest.mark.parametrize(
    "combine", [list, tuple, lambda loaders: dict(zip("ab", loaders, strict=True)), CombinedLoader]
)
def test_each_of_several_loaders_is_split_by_its_own_length(combine):
    searched, held = split(combine([DataLoader(Images(10)), DataLoader(Images(20))]))

    assert [each["length"] for each in held.parts] == [10, 20]
    assert len({each["loader"] for each in held.parts}) == 2
    parts = held.kept.values() if isinstance(held.kept, dict) else held.kept
    if isinstance(held.kept, CombinedLoader):
        parts = held.kept.flattened
        assert [samples(each) for each in searched.flattened] != [samples(each) for each in parts]
    assert [samples(each) for each in parts] == [draw_kept(n, 0.3).tolist() for n in (10, 20)]


@pytest.mark.parametrize(("n", "n_parts"), [(25, 10), (10, 10), (3, 3)])
def test_parts_of_a_loader_are_all_of_it(n, n_parts):
    parts = split_into_parts([DataLoader(Images(n), batch_size=4, drop_last=True, collate_fn=torch.hstack)])

    assert len(parts) == n_parts
    assert sorted(sample for (part,) in parts for sample in samples(part)) == [*range(n)]
    assert {part.collate_fn for (part,) in parts} == {torch.hstack}


def test_the_workers_of_a_part_end_with_it():
    parts = split_into_parts(DataLoader(Images(), num_workers=2, persistent_workers=True))

    assert {(part.num_workers, part.persistent_workers) for part in parts} == {(2, False)}


def test_a_loader_that_cannot_be_split_has_no_parts():
    assert split_into_parts(DataLoader(Stream())) == []


def test_a_part_of_a_dataset_travels_to_another_process():
    part = pickle.loads(pickle.dumps(HeldSubset(Images(), np.array([1, 3]), np.array([2]))))

    assert [int(part[number]) for number in range(len(part))] == [1, 3]
    assert part.classes == ("cat", "dog")


REFUSED = {
    "reads a Stream, whose samples have no index": lambda: DataLoader(Stream()),
    "is a Own, which iterates in a way of its own": lambda: Own(Images()),
    "is no DataLoader, got range": lambda: range(3),
    "has a sampler of its own, a WeightedRandomSampler": lambda: DataLoader(
        Images(), sampler=WeightedRandomSampler([1.0] * 10, 10)
    ),
    "has a sampler of its own, a RandomSampler": lambda: DataLoader(
        Images(), sampler=RandomSampler(Images(), num_samples=3)
    ),
    "has a batch sampler of its own, a BatchSampler": lambda: DataLoader(
        Images(), batch_sampler=BatchSampler(SequentialSampler(Images()), 2, drop_last=False)
    ),
    "has 1 samples, too few to hold a part out": lambda: DataLoader(Images(1)),
}


@pytest.mark.parametrize(("what", "make"), REFUSED.items(), ids=REFUSED)
def test_a_loader_that_cannot_be_split_is_refused_by_name(what, make):
    with pytest.raises(ProgramError) as refused:
        split([DataLoader(Images()), make()])

    assert refused.value.what == f"the validation loader 1 {what}"
    assert "Leave `holdout` out" in refused.value.hint


def test_a_module_has_its_own_hook_again_and_can_be_pickled_meanwhile():
    class Net(pl.LightningModule):
        def val_dataloader(self):
            return DataLoader(Images())

    own, held = Net.val_dataloader, HoldoutSplit(0.3)
    module = Net()
    held.split_arguments({"model": module}, "val_dataloaders")
    assert samples(module.val_dataloader()) != [*range(10)]
    assert "val_dataloader" not in vars(module)
    held.restore_hooks()

    assert Net.val_dataloader is own
    assert samples(module.val_dataloader()) == [*range(10)]


def test_a_datamodule_that_was_made_of_datasets_is_split():
    data, held = pl.LightningDataModule.from_datasets(val_dataset=TensorDataset(torch.arange(10))), HoldoutSplit(0.3)
    held.split_arguments({"model": None, "datamodule": data}, "val_dataloaders")

    assert len(data.val_dataloader().dataset) == 7
    assert len(held.kept.dataset) == 3


NET = '''
class Net(Counted):
    """Its metric is the sum of the samples that it is validated on, and CURVE."""

    def on_validation_epoch_start(self):
        self.total = 0.0

    def validation_step(self, batch, index):
        self.total += batch[0].sum()

    def on_validation_epoch_end(self):
        worth = CURVE[self.current_epoch] if self.trainer.state.fn == "fit" else 0.001 * self.n_epochs
        self.log("score", self.total + worth)
'''
LOADERS = "def dataloaders():\n    return loader(), loader()\n"
OWN_DATA = """
class Net(Net):
    def train_dataloader(self):
        return loader()

    def val_dataloader(self):
        return loader()
"""
DATA = """
class Data(pl.LightningDataModule):
    def setup(self, stage):
        if stage != "fit":
            self.val = None

    def train_dataloader(self):
        return loader()

    def val_dataloader(self):
        return loader()

    def on_after_batch_transfer(self, batch, index):
        return [batch[0] + 100] if self.trainer.validating else batch
"""


@pytest.fixture
def worker(tmp_path, server):
    """Return a worker of a program; ``main``: the body of a script."""

    def start(more, main=None, holdout=0.3, metric="score"):
        return start_counted(tmp_path, server, "Net", NET + dedent(more), main=main, metric=metric, holdout=holdout)

    return start


KEPT = draw_kept(20, 0.3).tolist()
SUM_KEPT, SUM_SEARCHED = float(sum(KEPT)), float(sum({*range(20)} - {*KEPT}))
FIT = "trainer = pl.Trainer(max_epochs=3, accelerator='cpu', logger=False)\n"
PROGRAMS = {
    "dataloaders()": (LOADERS, None, 0),
    "the module's": (OWN_DATA, None, 0),
    "the datamodule's": (DATA, None, 100),
    "a script": ("", FIT + "trainer.fit(Net(), loader(), loader())", 0),
    "a script with a datamodule": (DATA, FIT + "trainer.fit(Net(), Data())", 100),
    "two fits": ("", f"for _ in range(2):\n    {FIT}    trainer.fit(Net(), loader(), loader())", 0),
}


@pytest.mark.parametrize(("more", "main", "add"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_part_is_kept_out_of_every_validation_and_validated_in_a_retrained_run(worker, more, main, add):
    """With the weights of the best epoch, the second of three; the score is the one of the other part."""
    searching = worker(more, main)
    searched = searching.run(preflight=True)
    run = searching.run(evaluates=True)

    assert searched.record.failure is None, searched.log
    scores = [SUM_SEARCHED + 14 * add + worth for worth in (0.5, 0.75, 0.625)]
    n_fits = searched.record.n_fits
    assert [value for _, value in searched.record.curve] == ([max(scores)] * 2 if n_fits else scores)
    assert (searched.record.holdout, searched.record.test) == (None, None)
    assert run.record.holdout == {"score": pytest.approx(SUM_KEPT + 6 * add + 0.002)}
    parts = run.record.held_out_parts["holdout"]["score"]
    assert len(parts) == 6
    assert sorted(round(part - add) for part in parts) == KEPT
    assert run.record.curve == searched.record.curve
    assert run.record.warnings == []
    (part,) = run.record.holdout_of
    assert searched.record.holdout_of == [part]
    assert part == {"loader": "the validation loader", "length": 20, "kept": 6, "digest": part["digest"]}


def test_a_script_that_validates_behind_its_fit_is_split_too(worker):
    main = FIT.replace("3", "2") + "module = Net()\ntrainer.fit(module, loader())\ntrainer.validate(module, loader())"
    searching = worker("", main)
    searched = searching.run(preflight=True)
    run = searching.run(evaluates=True)

    assert searched.record.curve == [(2, pytest.approx(SUM_SEARCHED + 0.002))]
    assert run.record.holdout == {"score": pytest.approx(SUM_KEPT + 0.002)}


@pytest.mark.parametrize(
    ("more", "metric", "message", "hint"),
    [
        (
            (
                "class Stream(torch.utils.data.IterableDataset):\n"
                "    def __iter__(self):\n        yield torch.ones(1)\n\n\n"
                "def dataloaders():\n    return loader(), [loader(), DataLoader(Stream())]\n"
            ),
            "score",
            "holdout: the validation loader 1 reads a Stream, whose samples have no index",
            "Leave `holdout` out, or let the program keep a part of the validation set for a test_dataloader.",
        ),
        (
            "class Net(Net):\n    def training_step(self, batch, index):\n        self.log('trained', 1.0)\n"
            "        return super().training_step(batch, index)\n\n\n" + LOADERS,
            "trained",
            "holdout: trained is logged in training, where nothing is held out",
            "Leave it out, or let `metric` be one that is logged in validation.",
        ),
        (
            (
                "class Net(Net):\n    def training_step(self, batch, index):\n        self.log('trained', 1.0)\n"
                "        return super().training_step(batch, index)\n\n\ndef dataloaders():\n    return loader()\n"
            ),
            "trained",
            "holdout: the program has no validation loader to hold a part out of",
            "Leave `holdout` out, or let the program keep a part of the validation set for a test_dataloader.",
        ),
    ],
    ids=["no index", "a metric of training", "no validation"],
)
def test_the_preflight_refuses_what_cannot_be_kept_out(worker, more, metric, message, hint):
    failure = worker(more, metric=metric).run(preflight=True).failure

    assert (failure.kind, failure.message, failure.hint) == ("ProgramError", message, hint)


def test_without_a_holdout_all_samples_are_validated(worker):
    run = worker(LOADERS, holdout=None).run(evaluates=True)

    assert run.record.curve[1] == (2, SUM_KEPT + SUM_SEARCHED + 0.75)
    assert (run.record.holdout, run.record.holdout_of) == (None, [])
