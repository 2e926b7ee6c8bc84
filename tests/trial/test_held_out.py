"""What a retrained run says of data that the search never saw: the program's test, with the best epoch's weights."""

from dataclasses import replace
from textwrap import dedent

import pytest

from tests.counted import start_counted
from tests.processes import run_in_process
from tune.experiment.records import read_record
from tune.experiment.trial_result import find_score_epoch
from tune.trial.messages import TrialTask

NET = '''
class Net(Counted):
    """Its epochs are worth CURVE; a test logs how many epochs the weights have seen that it runs with."""

    def validation_step(self, batch, index):
        self.log("acc/val", CURVE[min(2, self.current_epoch)])


class Tested(Net):
    def test_step(self, batch, index):
        in_test(self, batch)


def in_test(module, batch):
    module.log("acc/test", module.n_epochs)
'''
SYSTEM = "def dataloaders():\n    return loader(), loader(), {test}\n"
FIT = """

def fit(module=None, n_epochs=3):
    trainer = pl.Trainer(max_epochs=n_epochs, accelerator="cpu", logger=False)
    trainer.fit(module or Tested(), loader(), loader())
    return trainer
"""
WITH_LOADER = "class Tested(Tested):\n    def test_dataloader(self):\n        return loader(4)\n"
WITH_DATA = """
class Data(pl.LightningDataModule):
    def setup(self, stage):
        print(f"set up to {stage.value}", file=sys.stderr)

    def train_dataloader(self):
        return loader()

    def val_dataloader(self):
        return loader()

    def test_dataloader(self):
        return loader(4)

    def on_after_batch_transfer(self, batch, index):
        return [batch[0] + 100]
"""


@pytest.fixture
def worker(tmp_path, server):
    """Return a worker of a program; ``main``: the body of a script."""

    def start(more, main=None, metric="acc/val", **settings):
        return start_counted(
            tmp_path, server, "Tested", NET + dedent(more), main=main, helpers=FIT, metric=metric, n=8, **settings
        )

    return start


def test_a_system_is_tested_with_the_best_epochs_weights(worker):
    """The search itself looks at no test data."""
    searching = worker(SYSTEM.format(test="loader(4)"))
    searched = searching.run(preflight=True)
    again = searching.run(evaluates=True)

    assert searched.record.test is None
    assert again.record.test == {"acc/test": 2}
    assert again.record.held_out_parts == {"test": {"acc/test": [2.0] * 4}}
    assert again.record.warnings == []
    assert again.reports == searched.reports
    assert again.record.stage == "complete"
    assert again.record.holdout is None


@pytest.mark.parametrize(
    "more",
    [
        SYSTEM.format(test="loader(4)"),
        "def dataloaders():\n    return loader(), loader()\n" + WITH_LOADER,
        WITH_DATA,
    ],
    ids=["the third of dataloaders()", "the module's", "the datamodule's"],
)
def test_a_test_loader_wherever_it_is_found_is_used(worker, more):
    assert worker(more).run(evaluates=True).record.test == {"acc/test": 2}


def test_a_datamodule_is_set_up_once_for_all_parts_of_its_data(worker):
    run = worker(WITH_DATA).run(evaluates=True)

    assert run.record.held_out_parts == {"test": {"acc/test": [2.0] * 4}}
    assert run.log.count("set up to test") == 1


@pytest.mark.parametrize(
    ("more", "warnings"),
    [
        ("def dataloaders():\n    return loader(), loader()\n", []),
        ("class Tested(Net):\n    pass\n" + SYSTEM.format(test="loader(4)"), []),
        (SYSTEM.format(test="DataLoader([])"), ["the test logged nothing"]),
        (
            "def in_test(module, batch):\n    raise ValueError('no such image')\n" + SYSTEM.format(test="loader(4)"),
            ["the test failed: ValueError: no such image"],
        ),
    ],
    ids=["no loader", "no test_step", "an empty loader", "one that fails"],
)
def test_a_run_without_a_test_that_says_something_is_complete_all_the_same(worker, more, warnings):
    run = worker(more).run(evaluates=True)

    assert (run.record.stage, run.record.test, run.record.warnings) == ("complete", {}, warnings)
    assert len(run.reports) == 3


def test_a_test_that_logs_the_searched_metrics_own_name_changes_no_score(worker):
    more = "def in_test(module, batch):\n    module.log('acc/val', 0.99)\n" + SYSTEM.format(test="loader(4)")
    run = worker(more).run(evaluates=True)

    assert run.record.test == {"acc/val": pytest.approx(0.99)}
    assert run.record.curve == [(1, 0.5), (2, 0.75), (3, 0.625)]
    assert find_score_epoch(dict(run.record.curve), "max", None) == 2


SCRIPTS = {
    "no test of its own": ("fit()", WITH_LOADER, {"acc/test": 2}),
    "a test of the last weights": ("trainer = fit()\ntrainer.test(dataloaders=loader(4))", "", {"acc/test": 3}),
    "a test of the best weights": (
        """
        trainer = pl.Trainer(max_epochs=3, accelerator="cpu", callbacks=pl.callbacks.ModelCheckpoint(
            monitor="acc/val", mode="max"))
        trainer.fit(Tested(), loader(), loader())
        trainer.test(ckpt_path="best", dataloaders=loader(4))
        """,
        "",
        {"acc/test": 2},
    ),
    "a test by another Trainer": (
        "module = Tested()\nfit(module)\npl.Trainer(logger=False, accelerator='cpu').test(module, loader(4))",
        WITH_LOADER,
        {"acc/test": 3},
    ),
    "two fits, the last one counts": (
        "module = Tested()\nfit(module, 1)\nfit(module, 1)",
        WITH_LOADER,
        {"acc/test": 2},
    ),
    "folds that it tests": ("for n in (1, 2):\n    fit(n_epochs=n).test(dataloaders=loader(4))", "", {"acc/test": 1.5}),
    "folds that it does not test": ("fit(n_epochs=1)\nfit(n_epochs=3)", WITH_LOADER, {"acc/test": 1.5}),
    "a tracker that it has closed": (
        """
        class Tracker(pl.loggers.CSVLogger):
            is_closed = False
            def log_metrics(self, metrics, step=None):
                assert not self.is_closed
        tracker = Tracker(".")
        pl.Trainer(max_epochs=3, accelerator="cpu", logger=tracker).fit(Tested(), loader(), loader())
        tracker.is_closed = True
        """,
        WITH_LOADER,
        {"acc/test": 2},
    ),
}


@pytest.mark.parametrize(("main", "more", "expected"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_is_tested_as_it_tests_itself_else_as_a_system_is(worker, main, more, expected):
    searching = worker(more, main)
    searched = searching.run(preflight=True)
    run = searching.run(evaluates=True)

    assert searched.record.failure is None, searched.log
    assert (run.record.test, run.record.warnings) == (expected, [])
    assert run.record.curve == searched.record.curve
    assert sorted(each.name for each in run.files.checkpoints.glob("*.ckpt")) in (
        ["best.ckpt"],
        ["best.ckpt", "last.ckpt"],
    )


def test_a_metric_of_the_test_itself_leaves_no_test_data(worker):
    searching = worker("", "fit().test(dataloaders=loader(4))", metric="acc/test")
    searching.run(preflight=True)
    run = searching.run(evaluates=True)

    assert run.record.curve == [(3, 3.0)]
    assert run.record.test == {}
    assert run.record.warnings == [
        "the test logs the search's metric: no test data are left that the search has not seen"
    ]


def test_a_run_that_was_through_with_its_training_is_tested_when_it_goes_on(worker):
    """Its process died before the test: the weights are those of the checkpoint."""
    searching = worker(SYSTEM.format(test="loader(4)"))
    first = searching.run()
    task = TrialTask(
        number=0, version=str(first.files.folder), seed=0, hardcoded=True, attempt=2, reported=3, evaluates=True
    )
    assert run_in_process(searching.server, searching.job, task).death is None
    record = read_record(first.files)

    assert (record.stage, record.test, record.warnings) == ("complete", {"acc/test": 2}, [])
    assert record.curve == first.record.curve


def test_a_program_of_the_other_lightning_package_is_tested_too(worker):
    other = "import lightning.pytorch as pl\n\n\nclass Tested(pl.LightningModule):\n"
    for name in ("training_step", "on_train_epoch_end", "validation_step", "configure_optimizers"):
        other += f"    {name} = Net.{name}\n"
    other += """
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1)
        self.register_buffer("n_epochs", torch.zeros(()))

    def test_step(self, batch, index):
        self.log("acc/test", self.n_epochs)

"""
    run = worker(other + SYSTEM.format(test="loader(4)"), holdout=0.5).run(evaluates=True)

    assert (run.record.test, run.record.warnings) == ({"acc/test": 2}, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "test", "warnings"),
    [
        ("module.log('acc/test', batch[0].mean())", {"acc/test": 1.5}, []),
        ("raise ValueError('no such image')", {}, ["the test failed: ValueError: no such image"]),
    ],
    ids=["a test", "one that fails"],
)
def test_a_run_of_two_processes_is_tested_by_both(worker, body, test, warnings):
    """Each takes two of the four samples."""
    more = f"def in_test(module, batch):\n    {body}\n"
    data = "def dataloaders():\n    return loader(), loader(), loader(4)\n"
    searching = worker(more + data, holdout=0.5)
    searching.job = replace(searching.job, n_ranks=2)
    run = searching.run(evaluates=True)

    assert run.record.failure is None, run.log
    assert (run.record.test, run.record.warnings) == (test, warnings)
    assert run.record.holdout == {"acc/val": 0.625}
    assert [each["rank"] for each in run.record.ranks] == [1]
