"""The metric that a program is judged by is read off its source, or it is left to a run."""

from textwrap import indent

import pytest

from tune.promotion.find.metric import find_metric, mode_of
from tune.promotion.program import find_program

MODULE = "class Net(LightningModule):\n    def validation_step(self, batch, idx):\n{body}\n"


def metric_of(tmp_path, text):
    path = tmp_path / "p.py"
    path.write_text(text)
    return find_metric(find_program(path))


def logging(*lines):
    return MODULE.format(body=indent("\n".join(lines), " " * 8))


FOUND = [
    (logging('self.log("val_loss", 1)'), ("val_loss", "min", "logged in p.py:3", ())),
    (
        logging('self.log("CE/Val", 1)', 'self.log("Accuracy/Val", 1)'),
        ("Accuracy/Val", "max", "logged in p.py:4", ("CE/Val",)),
    ),
    (logging('self.log(name="val_f1", value=1)'), ("val_f1", "max", "logged in p.py:3", ())),
    (logging('self.log_dict({"val_mae": 1, "val_r2": 2})'), ("val_r2", "max", "logged in p.py:3", ("val_mae",))),
    ('TAG = "val_acc"\n' + logging("self.log(TAG, 1)"), ("val_acc", "max", "logged in p.py:4", ())),
    (
        'ModelCheckpoint(monitor="val_loss", mode="min")\n' + logging('self.log("val_acc", 1)'),
        ("val_loss", "min", "ModelCheckpoint, p.py:1", ("val_acc",)),
    ),
    (
        'EarlyStopping("val_loss")\npl.callbacks.ModelCheckpoint(monitor="val_x", mode="max")\n',
        ("val_x", "max", "ModelCheckpoint, p.py:2", ()),
    ),
    (
        'def callbacks():\n    given = {"monitor": "val_loss", "mode": "min"}\n    return [ModelCheckpoint(**given)]\n'
        + logging('self.log("val_acc", 1)'),
        ("val_loss", "min", "ModelCheckpoint, p.py:3", ("val_acc",)),
    ),
    (
        'given = dict(monitor="val_x", mode="max")\nEarlyStopping(**given)\n',
        ("val_x", "max", "EarlyStopping, p.py:2", ()),
    ),
    ('EarlyStopping(**{"monitor": "val_x", "mode": "max"})\n', ("val_x", "max", "EarlyStopping, p.py:1", ())),
    ('EarlyStopping(monitor="val_accuracy")\n', ("val_accuracy", "max", "EarlyStopping, p.py:1", ())),
    ('EarlyStopping(monitor="val_zorp")\n', ("val_zorp", "min", "EarlyStopping, p.py:1", ())),
    ("ModelCheckpoint(save_last=True)\n" + logging('self.log("zorp", 1)'), ("zorp", None, "logged in p.py:4", ())),
    (
        logging('self.both(batch, "val")')
        + '    def both(self, batch, stage, name="loss"):\n'
        + '        self.log(f"{stage}_{name}", 1)\n        self.log(stage + "_iou", 1)\n',
        ("val_iou", "max", "logged in p.py:6", ("val_loss",)),
    ),
]


@pytest.mark.parametrize(("text", "told"), FOUND)
def test_a_metric_that_the_source_names_is_found(tmp_path, text, told):
    metric = metric_of(tmp_path, text)

    assert (metric.name, metric.mode, metric.origin, metric.others) == told


@pytest.mark.parametrize(
    "text",
    [
        "",
        logging('self.log(f"{self.stage}_loss", 1)'),
        logging("self.log(self.name, 1)", "self.log_dict(self.metrics)", "self.both(batch)"),
        logging('print("val_loss")', 'other.log("val_loss", 1)'),
        "class Net:\n    def training_step(self, batch, idx):\n        self.log('loss', 1)\n",
    ],
)
def test_a_metric_that_only_running_can_tell_is_left_open(tmp_path, text):
    assert metric_of(tmp_path, text) is None


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("val/acc@1", "max"),
        ("valF1Score", "max"),
        ("val_MulticlassAccuracy", "max"),
        ("R2/Val", "max"),
        ("acc_loss", "min"),
        ("CE/Val", "min"),
        ("val_RMSE", "min"),
        ("val_loss_epoch", "min"),
        ("placement", None),
        ("", None),
    ],
)
def test_a_name_tells_which_way_is_better_by_its_words(name, mode):
    assert mode_of(name) == mode
