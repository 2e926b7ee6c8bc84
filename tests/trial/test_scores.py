"""What a trial is worth: the values of the program's validation, whatever else the program does around it."""

import json
import shutil
import subprocess
import sys
from textwrap import dedent, indent

import pytest
import torch

from tests.searched import Worker
from tune.experiment.records import read_record
from tune.trial.describe_exception import MOST_CHARACTERS

PROGRAM = '''
"""Its epochs are worth CURVE, by the number of the epoch; a stage outside of fit is worth 0.1 more than any."""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
CURVE = (0.5, 0.75, 0.625, 0.6875, 0.375, 0.25)


class Net(pl.LightningModule):
    def __init__(self, add=0.0):
        super().__init__()
        self.net = nn.Linear(1, 1)
        self.add = add

    def worth(self):
        return self.add + CURVE[self.current_epoch]

    def training_step(self, batch, index):
        in_training(self, index)
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, index):
        outside = self.trainer.state.fn.value != "fit"
        in_validation(self, 0.9 if outside else self.worth())

    def test_step(self, batch, index):
        self.log("score", 0.95)
        self.log("tested", 0.25 + LR)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


class Other(Net):
    pass


def in_training(module, index):
    pass


def in_validation(module, value):
    module.log("score", value)


def loader():
    return DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2)


def trainer(n_epochs=3, **given):
    return pl.Trainer(max_epochs=n_epochs, accelerator="cpu", **given)


def fit(n_epochs=3, module=None, **given):
    built = trainer(n_epochs, **given)
    built.fit(module or Net(), loader(), loader())
    return built


def main():
    fit()


CHANGES

if __name__ == "__main__":
    main()
'''


@pytest.fixture
def searched(tmp_path, server):
    """Return what runs a baseline and a further trial of a program that is changed so."""

    def run(changes="", metric="score", mode="max", **settings):
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "program.py").write_text(PROGRAM.replace("CHANGES", dedent(changes)))
        lines = "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
        space = folder / "space.yaml"
        space.write_text(
            f"script: program.py\nmetric: {metric}\nmode: {mode}\nconstants:\n  LR: {{uniform: [0.0, 1.0]}}\n{lines}"
        )
        worker = Worker(space, tmp_path / "experiment", server)
        return worker, worker.run(preflight=True)

    return run


def in_main(body, more=""):
    return f"{dedent(more)}\n\ndef main():\n{indent(dedent(body).strip(), '    ')}\n"


CURVES = {
    "a fit alone": ("fit()", ""),
    "validate behind it": ("fit().validate(Net(), loader(), verbose=False)", ""),
    "test behind it": ("fit().test(Net(), loader(), verbose=False)", ""),
    "both, twice": (
        """
        built = fit()
        for _ in range(2):
            built.validate(dataloaders=loader(), verbose=False)
            built.test(dataloaders=loader(), verbose=False)
        """,
        "",
    ),
    "validate before it": (
        """
        module = Net()
        trainer().validate(module, loader(), verbose=False)
        fit(module=module)
        """,
        "",
    ),
    "another Trainer tests": ("fit(); trainer().test(Net(), loader(), verbose=False)", ""),
    "training logs it, too": ("fit()", "def in_training(module, index): module.log('score', 5.0 + index)"),
    "training logs it by epoch, too": (
        "fit()",
        "def in_training(module, index): module.log('score', 5.0, on_step=True, on_epoch=True)",
    ),
    "a fit that logs something else first": (
        """
        class First(Net):
            def validation_step(self, batch, index):
                self.log("other", 3.0)

        fit(1, First())
        fit()
        """,
        "",
    ),
    "stages of two classes": ("fit(2, Other(0.1)); fit()", ""),
    "the same module in two Trainers": (
        """
        module = Net(0.1)
        fit(2, module)
        module.add = 0.0
        fit(module=module)
        """,
        "",
    ),
    "a checkpoint of the first fit": (
        """
        first = fit(2, Net(0.1))
        module = Net.load_from_checkpoint(first.checkpoint_callback.best_model_path, add=0.0)
        fit(module=module)
        """,
        "",
    ),
    "weights of the first fit": (
        """
        first, module = Net(0.1), Net()
        fit(2, first)
        module.load_state_dict(first.state_dict())
        fit(module=module)
        """,
        "",
    ),
    "a teacher of the first fit": (
        """
        teacher, module = Net(0.1), Net()
        fit(2, teacher)
        module.teacher = teacher.net.requires_grad_(False)
        fit(module=module)
        """,
        "",
    ),
    "two fits of one Trainer": (
        """
        module = Net()
        built = fit(1, module)
        built.fit_loop.max_epochs = 3
        built.fit(module, loader(), loader())
        """,
        "",
    ),
    "another network in a module of the same class": (
        """
        deep = Net()
        deep.net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
        fit(1, deep)
        fit()
        """,
        "",
    ),
    "a learning rate that is looked for": (
        """
        from pytorch_lightning.tuner import Tuner

        module = Net()
        module.learning_rate = 0.1
        built = trainer()
        Tuner(built).lr_find(module, loader(), loader(), num_training=20, attr_name="learning_rate").suggestion()
        built.fit(module, loader(), loader())
        """,
        "",
    ),
}


@pytest.mark.parametrize(("body", "more"), CURVES.values(), ids=CURVES)
def test_curve_when_a_program_does_more_than_one_fit_then_it_is_that_of_the_validation_in_the_last(
    searched, body, more
):
    worker, baseline = searched(in_main(body, more))
    other = worker.run({"LR": 0.5})

    for trial in (baseline, other):
        assert trial.failure is None
        assert trial.reports == [(1, 0.5), (2, 0.75), (3, 0.625)]
        assert trial.record.curve == trial.reports
        assert trial.record.warnings == []
        assert torch.load(trial.files.best_checkpoint, weights_only=False)["epoch"] == 1


LATE = {
    "by the module": """
        class Net(Net):
            def on_train_epoch_end(self):
                self.log("late", self.worth())
        """,
    "by a callback": """
        class Late(pl.Callback):
            def on_train_epoch_end(self, trainer, module):
                module.log("late", module.worth())

        def trainer(n_epochs=3, **given):
            return pl.Trainer(max_epochs=n_epochs, accelerator="cpu", callbacks=[Late()])
        """,
    "by the module's callback": """
        class Late(pl.Callback):
            def on_train_epoch_end(self, trainer, module):
                self.log("late", module.worth())

        class Net(Net):
            def configure_callbacks(self):
                return [Late()]
        """,
    "past the log": """
        class Net(Net):
            def on_train_epoch_end(self):
                self.trainer.callback_metrics["late"] = torch.tensor(self.worth())
        """,
    "in the last batch alone": """
        def in_training(module, index):
            if index == module.trainer.num_training_batches - 1:
                module.log("late", module.worth())
        """,
}


@pytest.mark.parametrize("changes", LATE.values(), ids=LATE)
def test_curve_when_a_metric_is_logged_late_then_it_is_reported_once_an_epoch(searched, changes):
    worker, baseline = searched(changes, metric="late")

    assert baseline.failure is None
    assert [(epoch, round(value, 6)) for epoch, value in baseline.reports] == [(1, 0.5), (2, 0.75), (3, 0.625)]
    assert len(worker.run({"LR": 0.5}).reports) == 3


def test_curve_when_a_metric_is_logged_by_step_and_epoch_then_an_epoch_is_its_mean(searched):
    changes = "def in_training(module, index): module.log('loss', float(index), on_step=True, on_epoch=True)"
    for metric, value in (("loss", 1.5), ("loss_epoch", 1.5), ("loss_step", 3.0)):
        _, baseline = searched(changes, metric=metric, mode="min")
        assert baseline.reports == [(1, value), (2, value), (3, value)]


OUTSIDE = {
    "a test": ("fit().test(Net(), loader(), verbose=False)", "tested", 0.35),
    "the last of two tests": (
        """
        built = fit()
        built.test(Net(), loader(), verbose=False)
        CHANGED.append(1)
        built.test(Net(), loader(), verbose=False)
        """,
        "again",
        1.0,
    ),
    "validate before test": (
        """
        built = fit()
        built.validate(Net(), loader(), verbose=False)
        built.test(Net(), loader(), verbose=False)
        """,
        "both",
        0.9,
    ),
}


@pytest.mark.parametrize(("body", "metric", "value"), OUTSIDE.values(), ids=OUTSIDE)
def test_curve_when_a_stage_outside_of_fit_alone_logs_the_metric_then_it_is_the_score(searched, body, metric, value):
    more = """
        CHANGED = []

        class Net(Net):
            def validation_step(self, batch, index):
                if self.trainer.state.fn.value != "fit":
                    self.log("both", 0.9)

            def test_step(self, batch, index):
                super().test_step(batch, index)
                self.log("again", float(len(CHANGED)))
                self.log("both", 0.95)
        """
    _, baseline = searched(in_main(body, more), metric=metric)

    assert baseline.failure is None
    assert [(epoch, round(score, 6)) for epoch, score in baseline.reports] == [(3, value)]
    assert baseline.record.counted_fits.describe_score(metric) == (
        f"score: {metric}, which Trainer.{'validate' if metric == 'both' else 'test'} alone logs"
    )
    assert baseline.record.counted_fits.describe_doubt(metric) == (
        None
        if metric == "both"
        else f"{metric} is logged in Trainer.test alone: a search by it chooses what fits the test set best, "
        "and no data is left that says how good that is; `metric` may name one of validation"
    )
    assert baseline.files.best_checkpoint.exists()


OF_TRAINING = (
    "is logged in training alone: a search by it chooses what fits the training data best; `metric` may name one"
)
OF_ONE_BATCH = (
    "is the value of the last batch of each epoch alone: it is logged for steps; `self.log(..., on_epoch=True)`"
)
DOUBTS = {
    "training alone": (
        "in_training(module, index): module.log('loss', 1.0, on_step=False, on_epoch=True)",
        "loss",
        OF_TRAINING,
    ),
    "its name says so": (
        "in_training(module, index): module.log('train_loss', 1.0, on_epoch=True)",
        "train_loss",
        None,
    ),
    "validation": ("in_training(module, index): pass", "score", None),
    "steps": ("in_training(module, index): module.log('train_loss', 1.0)", "train_loss", OF_ONE_BATCH),
    "steps of a callback's log_dict": (
        "in_training(module, index): module.log_dict({'train_loss': 1.0, 'b': 2.0})",
        "train_loss",
        OF_ONE_BATCH,
    ),
    "both, by the step": (
        "in_training(module, index): module.log('train_loss', 1.0, on_step=True, on_epoch=True)",
        "train_loss_step",
        OF_ONE_BATCH,
    ),
    "both, by the epoch": (
        "in_training(module, index): module.log('train_loss', 1.0, on_step=True, on_epoch=True)",
        "train_loss",
        None,
    ),
    "steps of training, epochs of validation": ("in_training(module, index): module.log('score', 1.0)", "score", None),
}


@pytest.mark.parametrize(("function", "metric", "doubt"), DOUBTS.values(), ids=DOUBTS)
def test_a_score_of_training_alone_or_of_one_batch_is_warned_of(searched, function, metric, doubt):
    _, baseline = searched(in_main("fit()", f"def {function}"), metric=metric, mode="min")

    told = baseline.record.counted_fits.describe_doubt(metric)
    assert told is None if doubt is None else told.startswith(f"{metric} {doubt}")


FOLDS = "for fold in range(3): fit(2, Net(fold / 8))"


@pytest.mark.parametrize(
    ("fits", "reports"),
    [
        ("auto", [(1, 0.75), (2, 0.8125), (3, 0.875)]),
        ("mean", [(1, 0.75), (2, 0.8125), (3, 0.875)]),
        ("last", [(1, 0.75), (2, 1.0)]),
        (2, [(1, 0.625), (2, 0.875)]),
    ],
)
def test_curve_when_a_program_fits_fresh_modules_then_it_is_the_running_mean_of_their_best_epochs(
    searched, fits, reports
):
    worker, baseline = searched(in_main(FOLDS), fits=fits)
    for trial in (baseline, worker.run({"LR": 0.5})):
        assert [(epoch, round(value, 6)) for epoch, value in trial.reports] == reports
        assert [(each["number"], round(each["score"], 6)) for each in trial.record.fits] == [
            (1, 0.75),
            (2, 0.875),
            (3, 1.0),
        ]
        if fits in ("auto", "mean"):
            assert trial.record.n_fits == 3
            assert trial.record.standard_error == pytest.approx(0.125 / 3**0.5)


FOLDS_OF_STAGES = """
    for fold in range(2):
        fit(1, Other(0.5), limit_val_batches=0)
        net = Net(fold / 8)
        fit(1, net)
        net.add += 0.25
        fit(2, net)
"""


def test_score_when_each_fold_has_stages_then_it_is_the_mean_of_their_last(searched):
    _, baseline = searched(in_main(FOLDS_OF_STAGES))

    assert baseline.record.counted_fits.numbers == (3, 6)
    assert baseline.reports == [(1, 1.0), (2, 1.0625)]


FRESH = {
    "new modules": "for fold in range(3): fit(2, Net(fold / 8))",
    "one module, its first weights put back": """
        module = Net()
        weights = {name: each.clone() for name, each in module.state_dict().items()}
        for fold in range(3):
            module.load_state_dict(weights)
            module.add = fold / 8
            fit(2, module)
        """,
    "one module, its weights drawn again": """
        module = Net()
        for fold in range(3):
            module.net.reset_parameters()
            module.add = fold / 8
            fit(2, module)
        """,
    "all from one checkpoint": """
        first = fit(1, Net(0.5))
        for fold in range(3):
            path = first.checkpoint_callback.best_model_path
            fit(2, Net.load_from_checkpoint(path, add=fold / 8))
        """,
    "evaluated by a checkpoint": """
        for fold in range(3):
            built = fit(2, Net(fold / 8))
            module = Net.load_from_checkpoint(built.checkpoint_callback.best_model_path, add=0.0)
            trainer().validate(module, loader(), verbose=False)
        """,
}


@pytest.mark.parametrize("body", FRESH.values(), ids=FRESH)
def test_score_when_each_fit_begins_with_the_same_weights_or_fresh_ones_then_it_is_the_mean(searched, body):
    worker, baseline = searched(in_main(body))

    for trial in (baseline, worker.run({"LR": 0.5})):
        assert trial.failure is None, trial.log
        assert [(epoch, round(value, 6)) for epoch, value in trial.reports] == [(1, 0.75), (2, 0.8125), (3, 0.875)]


RESUMED = {
    "one module": "",
    "a fresh module": "module = Net()",
    "at Lightning's own path": 'path = "lightning_logs/version_0/checkpoints/epoch=1-step=8.ckpt"',
}


@pytest.fixture(scope="module")
def ran_by_hand(tmp_path_factory):
    """Return the folder in which the program ran by hand: Lightning writes to its own path."""
    folder = tmp_path_factory.mktemp("ran_by_hand")
    (folder / "program.py").write_text(PROGRAM.replace("CHANGES", in_main("fit(2, Net())")))
    subprocess.run([sys.executable, "program.py"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("more", RESUMED.values(), ids=RESUMED)
@pytest.mark.parametrize("ran_before", [False, True])
def test_score_when_a_second_trainer_goes_on_from_a_checkpoint_then_it_is_that_of_its_epochs(
    searched, ran_by_hand, tmp_path, monkeypatch, more, ran_before
):
    body = f"""
        module = Net()
        first = fit(2, module)
        path = first.checkpoint_callback.best_model_path
        {more}
        trainer(4).fit(module, loader(), loader(), ckpt_path=path)
        print("weight", float(module.net.weight), flush=True)
        """
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    if ran_before:
        shutil.copytree(ran_by_hand, project, dirs_exist_ok=True)
    worker, baseline = searched(in_main(body))
    other = worker.run({"LR": 0.01})

    for trial in (baseline, other):
        assert trial.failure is None, trial.log
        assert trial.reports == [(3, 0.625), (4, 0.6875)]
    assert baseline.log.rpartition("weight")[2] != other.log.rpartition("weight")[2]


KEPT = ['"lightning_logs/version_0/checkpoints/epoch=1-step=8.ckpt"', '"kept/epoch=1-step=8.ckpt"']


@pytest.mark.parametrize("path", KEPT)
def test_checkpoint_that_a_fit_goes_on_from_is_kept_as_in_a_plain_run(searched, tmp_path, monkeypatch, path):
    folder = "None" if "logs" in path else '"kept"'
    body = f"""
        keep = pl.callbacks.ModelCheckpoint({folder}, monitor="score", mode="max", save_top_k=1)
        module = Net()
        fit(2, module, callbacks=[keep])
        trainer(4, callbacks=[keep]).fit(module, loader(), loader(), ckpt_path={path})
        assert Path({path}).is_file()
        Net.load_from_checkpoint({path})
        """
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    more = "CURVE = (0.5, 0.75, 0.8125, 0.9375)"
    _, baseline = searched(in_main(body, more))

    assert baseline.failure is None, baseline.log
    assert baseline.reports == [(3, 0.8125), (4, 0.9375)]


def test_proof_when_a_value_is_executed_between_two_folds_then_it_counts(tmp_path, server):
    body = """
        for fold in range(2):
            fit(1, Net(fold / 8))
            if fold == 0:
                print("later", later(), flush=True)
        """
    more = "\ndef later(rate=0.5):\n    return rate\n"
    (tmp_path / "program.py").write_text(PROGRAM.replace("CHANGES", in_main(body, more)))
    space = tmp_path / "space.yaml"
    space.write_text("script: program.py\nmetric: score\nmode: max\nconstants:\n  later.rate: {uniform: [0.0, 1.0]}\n")
    worker = Worker(space, tmp_path / "experiment", server)
    baseline, other = worker.run({"later.rate": 0.5}, preflight=True), worker.run({"later.rate": 0.25})

    assert (baseline.failure, other.failure) == (None, None)
    assert "later 0.25\n" in other.log
    assert len(other.reports) == 2


def test_score_when_a_constant_says_how_many_folds_there_are_then_it_is_the_mean_of_all(searched):
    worker, baseline = searched(in_main("for fold in range(2 + round(LR * 4)): fit(1, Net(fold))"))
    more, fewer = worker.run({"LR": 0.5}), worker.run({"LR": 0.0})

    assert [trial.reports[-1] for trial in (baseline, more, fewer)] == [(2, 1.0), (4, 2.0), (2, 1.0)]


def test_score_when_each_fold_is_tested_then_it_is_the_mean_of_the_tests(searched):
    more = "class Net(Net):\n    def test_step(self, batch, index): self.log('tested', self.add)\n"
    body = "for fold in range(3):\n    net = Net(fold / 8)\n    fit(2, net).test(net, loader(), verbose=False)"
    _, baseline = searched(in_main(body, more), metric="tested")

    assert [(epoch, round(value, 6)) for epoch, value in baseline.reports] == [(1, 0.0), (2, 0.0625), (3, 0.125)]


REFUSED = {
    "a fit that there is not": (
        FOLDS,
        {"fits": 4},
        "fit 4 does not log 'score'",
        "Of its 3 fits these log it: 1, 2, 3.",
    ),
    "no fit": (
        "pass",
        {},
        "the program never calls Trainer.fit",
        "It comes to its end without: an option, or a file that lies there, may lead it past its training.",
    ),
    "a name without its loader": (
        "built = trainer(); built.fit(Net(), loader(), [loader(), loader()])",
        {},
        "'score' is never logged",
        "Did you mean 'score/dataloader_idx_0'? Logged: score/dataloader_idx_0, score/dataloader_idx_1.",
    ),
    "another name": (
        "fit()",
        {"metric": "scor"},
        "'scor' is never logged",
        "Did you mean 'score'? Logged: score.",
    ),
    "a loader of training alone": (
        "trainer(1).fit(Net(), loader())",
        {},
        "'score' is never logged, and nothing is validated",
        "Logged: none.",
    ),
}


@pytest.mark.parametrize(("body", "settings", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_preflight_when_no_fit_counts_then_it_says_what_there_is(searched, body, settings, message, hint):
    more = "class Net(Net):\n    def validation_step(self, batch, index, dataloader_idx=0): self.log('score', 0.5)\n"
    _, baseline = searched(in_main(body, more if "[loader()" in body else ""), **settings)

    assert (baseline.failure.kind, baseline.failure.message, baseline.failure.hint) == ("MetricError", message, hint)


TO_LOGGERS = {
    "a logger of the module's": "self.logger.log_metrics({'loss': 0.5})",
    "what a logger writes with": "self.logger.experiment.add_scalar('loss', 0.5, self.global_step)",
    "a tracker": "wandb.log({'epoch': self.current_epoch, 'loss': 0.5})",
}


@pytest.mark.parametrize("call", TO_LOGGERS.values(), ids=TO_LOGGERS)
def test_preflight_when_a_metric_is_given_to_a_logger_alone_then_it_says_where(searched, call):
    more = f"class wandb:\n    log = print\n\nclass Net(Net):\n    def on_train_epoch_end(self): {call}\n"
    worker, baseline = searched(in_main("fit(module=Net())", more), metric="loss")

    lines = (worker.storage.parent / "project/program.py").read_text().splitlines()
    place = f"program.py:{1 + next(number for number, line in enumerate(lines) if call in line)}"
    assert baseline.failure.message == f"'loss' is given to a logger alone ({place})"
    assert baseline.failure.hint == "Write `self.log('loss', ...)` there: a search reads no logger."


def test_proof_when_a_value_is_executed_before_the_second_fit_then_it_counts(searched):
    more = "def fit_other():\n    fit(1, Other(), limit_val_batches=0)\n"
    body = "fit_other()\nglobal LATER\nLATER = later()\nfit()"
    more += "\ndef later(rate=0.5):\n    return rate\n"
    _, baseline = searched(in_main(body, more))

    assert baseline.failure is None
    assert baseline.reports == [(1, 0.5), (2, 0.75), (3, 0.625)]


CHECKPOINTS = {
    "ModelCheckpoint(dirpath)": """
        callback = pl.callbacks.ModelCheckpoint(dirpath="kept", filename="best", monitor="score", mode="max")
        fit(callbacks=[callback])
        """,
    "ModelCheckpoint(template)": """
        callback = pl.callbacks.ModelCheckpoint(dirpath="kept", filename="best-{epoch}", monitor="score", mode="max")
        fit(callbacks=[callback])
        """,
    "configure_callbacks": """
        class Calling(Net):
            def configure_callbacks(self):
                return [pl.callbacks.ModelCheckpoint("kept", "best", monitor="score", mode="max")]

        fit(module=Calling())
        """,
    "save_checkpoint": """
        fit().save_checkpoint("kept/best.ckpt")
        """,
    "save_last": """
        fit(callbacks=[pl.callbacks.ModelCheckpoint("kept", "best", save_last=True)])
        """,
}
READ = """
        found = [path for path in sorted(Path("kept").glob("best*.ckpt"))]
        print("found", [path.name for path in found], flush=True)
        assert found and found[0].is_file()
        state = torch.load(found[0], weights_only=False)["state_dict"]
        module = Net()
        module.load_state_dict(state)
        with open(str(found[0]), "rb") as file:
            assert len(file.read()) == found[0].stat().st_size
        assert Path("kept/other.txt").read_text() == "of the project"
        trainer().test(module, loader(), verbose=False)
"""


@pytest.mark.parametrize("body", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoints_of_the_program_are_the_trials_own_and_found_at_its_path(searched, tmp_path, monkeypatch, body):
    kept = tmp_path / "project" / "kept"
    kept.mkdir(parents=True)
    (kept / "best.ckpt").write_text("of an earlier run")
    (kept / "other.txt").write_text("of the project")
    monkeypatch.chdir(tmp_path / "project")
    worker, baseline = searched(in_main(dedent(body).strip() + "\n" + dedent(READ).strip()))

    for trial in (baseline, worker.run({"LR": 0.5})):
        assert trial.failure is None, trial.log
        assert trial.reports == [(1, 0.5), (2, 0.75), (3, 0.625)]
        assert torch.load(trial.files.best_checkpoint, weights_only=False)["epoch"] == 1
        assert torch.load(trial.files.last_checkpoint, weights_only=False)["epoch"] == 2
        assert list(trial.files.program_checkpoints.rglob("best*.ckpt"))
    assert (kept / "best.ckpt").read_text() == "of an earlier run"


def test_checkpoint_of_an_earlier_run_is_not_there_for_a_trial(searched, tmp_path, monkeypatch):
    kept = tmp_path / "project" / "kept"
    kept.mkdir(parents=True)
    (kept / "last.ckpt").write_text("of an earlier run")
    monkeypatch.chdir(tmp_path / "project")
    body = """
        callback = pl.callbacks.ModelCheckpoint("kept", save_last=True)
        assert not Path("kept/last.ckpt").exists()
        fit(callbacks=[callback])
        """
    _, baseline = searched(in_main(body))

    assert baseline.failure is None, baseline.log


LIMITED = {
    "one batch of training": ("limit_train_batches=1", "assert index == 0"),
    "no validation": (
        "limit_val_batches=0",
        "assert module.trainer.num_val_batches in (0, [], [0]); module.log('score', 1.0)",
    ),
    "overfitting to one batch": ("overfit_batches=1", "assert index == 0"),
}


@pytest.mark.parametrize(("argument", "check"), LIMITED.values(), ids=LIMITED)
def test_preflight_makes_nothing_more_than_the_program_asks_for(searched, argument, check):
    _, baseline = searched(in_main(f"fit({argument})", f"def in_training(module, index):\n    {check}\n"))

    assert baseline.failure is None, baseline.log


SHORT = {
    "a second epoch": "built = fit()\nassert built.current_epoch == 3, 'too few epochs'",
    "all batches": "built = fit()\nassert built.global_step == 12, 'too few steps'",
}


@pytest.mark.parametrize("body", SHORT.values(), ids=SHORT)
def test_preflight_when_only_its_shortening_fails_then_the_whole_program_decides(searched, body):
    _, baseline = searched(in_main(body))

    assert baseline.failure is None, baseline.log
    assert baseline.reports == [(1, 0.5), (2, 0.75), (3, 0.625)]
    assert "it runs whole, to find out" in baseline.log


def test_preflight_when_the_program_fails_before_an_epoch_ends_then_it_runs_once(searched):
    _, baseline = searched(
        "def in_training(module, index):\n    print('step', flush=True)\n    raise ValueError('no')\n"
    )

    assert (baseline.failure.kind, baseline.failure.message) == ("ValueError", "no")
    assert baseline.log.splitlines().count("step") == 1


def test_preflight_when_the_metric_is_logged_in_the_third_epoch_alone_then_it_is_found(searched):
    changes = "def in_validation(module, value):\n    module.current_epoch == 2 and module.log('score', value)\n"
    _, baseline = searched(changes)

    assert baseline.failure is None
    assert baseline.reports == [(3, 0.625)]
    assert read_record(baseline.files).counted_fits.stage == "val"


def test_trial_when_a_variable_of_a_function_is_searched_then_it_is_in_force(searched, tmp_path):
    body = "rate = 0.25\nglobal CURVE\nCURVE = (rate, 2 * rate, 3 * rate)\nfit()"
    folder = tmp_path / "project"
    worker, _ = searched(in_main(body))
    space = folder / "space.yaml"
    space.write_text(space.read_text().replace("LR:", "main.rate:"))
    worker = Worker(space, tmp_path / "local", worker.server)
    baseline, other = worker.run(preflight=True), worker.run({"main.rate": 0.5})

    assert [trial.reports for trial in (baseline, other)] == [
        [(1, 0.25), (2, 0.5), (3, 0.75)],
        [(1, 0.5), (2, 1.0), (3, 1.5)],
    ]
    assert other.record.in_force["main.rate"]["value"] == 0.5


def test_failure_when_a_message_is_very_long_then_the_record_has_its_beginning(searched):
    _, baseline = searched("def in_training(module, index):\n    raise ValueError('y' * 300_000)\n")

    assert baseline.failure.message == "y" * MOST_CHARACTERS + "..."
    assert "y" * 300_000 in baseline.files.error.read_text()
