"""The metric that a program is judged by is read off its source, or it is left to a run."""

from textwrap import indent

import pytest

from tune.promotion.configs.monitored import find_metric_of_program
from tune.promotion.metric.find_metric import find_metric
from tune.promotion.metric.metric import choose_of_logged, mode_of
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
    (
        logging('self.log("val/acc_step", 1)', 'self.log("val/acc", 1)'),
        ("val/acc", "max", "logged in p.py:4", ("val/acc_step",)),
    ),
    (
        logging('self.log("val_recall", 1)', 'self.log("val_acc", 1)', 'self.log("val_loss", 1)'),
        ("val_acc", "max", "logged in p.py:4", ("val_recall", "val_loss")),
    ),
    (
        logging('self.log("val_loss", 1)', 'self.log("val_recall", 1)'),
        ("val_recall", "max", "logged in p.py:4", ("val_loss",)),
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
    (
        'ModelCheckpoint(monitor="train/loss")\nModelCheckpoint(monitor="val/loss")\n',
        ("val/loss", "min", "ModelCheckpoint, p.py:2", ()),
    ),
    (
        'ModelCheckpoint(monitor="train_loss")\nEarlyStopping(monitor="val_loss")\n',
        ("val_loss", "min", "EarlyStopping, p.py:2", ()),
    ),
    (
        'ModelCheckpoint(monitor="train_loss")\n' + logging('self.log("val_acc", 1)'),
        ("val_acc", "max", "logged in p.py:4", ()),
    ),
    ('ModelCheckpoint(monitor="train_loss")\n', ("train_loss", "min", "ModelCheckpoint, p.py:1", ())),
    (
        'def main():\n    best = ModelCheckpoint(monitor="val_x", mode="max")\n    Trainer().fit(Net())\nmain()\n'
        + logging('self.log("val_acc", 1)'),
        ("val_acc", "max", "logged in p.py:7", ()),
    ),
    (
        'def main():\n    best = ModelCheckpoint(monitor="val_x", mode="max")\n    Trainer(callbacks=[best])\nmain()\n'
        + logging('self.log("val_acc", 1)'),
        ("val_x", "max", "ModelCheckpoint, p.py:2", ("val_acc",)),
    ),
    ('EarlyStopping(**{"monitor": "val_x", "mode": "max"})\n', ("val_x", "max", "EarlyStopping, p.py:1", ())),
    ('EarlyStopping(monitor="val_accuracy")\n', ("val_accuracy", "max", "EarlyStopping, p.py:1", ())),
    ('EarlyStopping(monitor="val_zorp")\n', ("val_zorp", "min", "EarlyStopping, p.py:1", ())),
    (
        'ModelCheckpoint(monitor="step", mode="max")\nModelCheckpoint(monitor="val_x", mode="max")\n',
        ("val_x", "max", "ModelCheckpoint, p.py:2", ()),
    ),
    (
        'ModelCheckpoint(monitor="epoch", mode="max")\n' + logging('self.log("val_loss", 1)'),
        ("val_loss", "min", "logged in p.py:4", ()),
    ),
    ("EarlyStopping(monitor='val_zorp', mode=CFG.mode)\n", ("val_zorp", None, "EarlyStopping, p.py:1", ())),
    ("EarlyStopping(monitor='val_acc', mode=CFG.mode)\n", ("val_acc", "max", "EarlyStopping, p.py:1", ())),
    (
        logging('self.both(batch, "val")')
        + "    def both(self, batch, stage):\n"
        + '        if stage == "train":\n            self.log("own_acc", 1)\n'
        + '        elif stage in ("val", "test"):\n            self.log("own_loss", 1)\n'
        + '        if stage != "val":\n            self.log("other_acc", 1)\n'
        + '        if self.flag:\n            self.log("third_loss", 1)\n',
        ("own_loss", "min", "logged in p.py:8", ("third_loss",)),
    ),
    (
        logging('self.log("train_acc", 1)', 'self.log("val_loss", 1)'),
        ("val_loss", "min", "logged in p.py:4", ("train_acc",)),
    ),
    (
        "class Stop(pl.callbacks.EarlyStopping):\n    pass\n\nStop(monitor='val_pi', mode='max')\n"
        + logging('self.log("val_loss", 1)'),
        ("val_pi", "max", "EarlyStopping, p.py:4", ("val_loss",)),
    ),
    (
        "class Best(ModelCheckpoint):\n    def __init__(self, mode):\n"
        "        super().__init__(monitor='val_pi', mode='max')\n\nBest('min')\n" + logging('self.log("val_loss", 1)'),
        ("val_pi", "max", "ModelCheckpoint, p.py:3", ("val_loss",)),
    ),
    (
        "from lightning.pytorch.callbacks import EarlyStopping as ES\nES(monitor='val_pi', mode='max')\n"
        + logging('self.log("val_loss", 1)'),
        ("val_pi", "max", "EarlyStopping, p.py:2", ("val_loss",)),
    ),
    ("ModelCheckpoint(save_last=True)\n" + logging('self.log("zorp", 1)'), ("zorp", None, "logged in p.py:4", ())),
    (
        logging("logs = {}", 'logs["val_loss"] = 1', 'logs["val_acc"] = 1', "self.log_dict(logs)"),
        ("val_acc", "max", "logged in p.py:6", ("val_loss",)),
    ),
    (
        logging("logs = dict(val_loss=1)", 'self.log_dict({**logs, "val_mae": 1})'),
        ("val_loss", "min", "logged in p.py:4", ("val_mae",)),
    ),
    (
        logging('logs = self.both(batch, "val")', "self.log_dict(logs)")
        + '    def both(self, batch, stage):\n        return {f"{stage}_loss": 1}\n',
        ("val_loss", "min", "logged in p.py:4", ()),
    ),
    (
        logging('self.log_dict(self.both(batch, stage="val"))')
        + '    def both(self, batch, stage):\n        logs = {stage + "_iou": 1}\n        return logs\n',
        ("val_iou", "max", "logged in p.py:3", ()),
    ),
    (
        logging("logs = self.scores()", 'self.log_dict({f"val/{key}": value for key, value in logs.items()})')
        + "    def scores(self):\n        return dict(mae=1, mse=2)\n",
        ("val/mae", "min", "logged in p.py:4", ("val/mse",)),
    ),
    (
        logging('self.both(batch, "val")')
        + "    def both(self, batch, stage):\n        self.note(stage)\n"
        + '    def note(self, where):\n        self.log(f"{where}_loss", 1)\n',
        ("val_loss", "min", "logged in p.py:7", ()),
    ),
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
        logging("logs = self.scores(batch)", 'logs["val_loss"] = 1', "self.log_dict(logs)"),
        logging("logs = {**logs, 'val_loss': 1} if self.flag else logs", "self.log_dict(logs)"),
        logging("self.log_dict(self.both(batch))") + "    def both(self, batch):\n        return self.both(batch)\n",
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


ARMS = """
if classify:
    best = ModelCheckpoint(monitor="val_acc", mode="max")
else:
    best = ModelCheckpoint(monitor="val_loss")
"""


@pytest.mark.parametrize(
    ("text", "rivals"),
    [
        (ARMS, ("val_acc", "val_loss")),
        (ARMS.replace("val_loss", "val_acc"), ()),
        ('ModelCheckpoint(monitor="val_acc")\nModelCheckpoint(monitor="val_loss")\n', ()),
    ],
    ids=["two arms", "two arms of one metric", "one behind the other"],
)
def test_what_callbacks_in_two_arms_monitor_are_rivals(tmp_path, text, rivals):
    found = metric_of(tmp_path, text)

    assert (found.name, found.rivals) == ("val_acc", rivals)


LOGGED = {
    "validation first": (["test_acc", "train_acc", "val_loss"], "val_loss", "min", ()),
    "another word for it": (["test_acc", "Validate/Loss"], "Validate/Loss", "min", ()),
    "a word of a GAN": (["validity_loss"], "validity_loss", "min", ()),
    "then a test": (["test_acc", "train_f1"], "test_acc", "max", ()),
    "a word that only begins like one": (["value_loss", "train_acc"], "train_acc", "max", ("train_acc", "value_loss")),
    "one loss of training": (["train_loss_epoch", "train_loss_step"], "train_loss_epoch", "min", ()),
    "the loss of several parts": (["kl", "recon_loss", "train_loss"], "train_loss", "min", ()),
    "losses of two networks": (["d_loss", "g_loss"], "d_loss", "min", ("d_loss", "g_loss")),
    "their steps and epochs": (
        ["d_loss_epoch", "d_loss_step", "g_loss_epoch", "g_loss_step"],
        "d_loss_epoch",
        "min",
        ("d_loss_epoch", "g_loss_epoch"),
    ),
    "a name that tells nothing": (["zorp"], "zorp", None, ()),
}


STAGES = {
    "training and a test": ({"train": ["train_acc"], "test": ["test_acc"]}, "train_acc", ("train_acc", "test_acc")),
    "losses and a test": ({"train": ["d_loss", "g_loss"], "test": ["fid"]}, "d_loss", ("d_loss", "g_loss", "fid")),
    "a test alone": ({"test": ["test_loss", "test_acc"]}, "test_acc", ("test_acc",)),
    "validation and a test": ({"train": ["loss"], "val": ["val_loss"], "test": ["test_acc"]}, "val_loss", ()),
    "a test that validates, and one": ({"train": ["loss"], "val": ["test_acc"], "test": ["test_f1"]}, "test_acc", ()),
    "validation without a word for it": ({"train": ["train_acc"], "val": ["top1_err"]}, "top1_err", ()),
    "training of two kinds": ({"train": ["loss", "acc", "acc_step"]}, "loss", ("loss", "acc")),
    "training with what tells nothing": ({"train": ["lr", "steps", "train_loss"]}, "train_loss", ()),
    "rewards": ({"train": ["reward", "steps", "total_reward"]}, "reward", ("reward", "total_reward")),
    "validation behind the fit": ({"train": ["loss"], "validate": ["f1"]}, "f1", ()),
}


@pytest.mark.parametrize(("logged_in", "name", "rivals"), STAGES.values(), ids=STAGES)
def test_by_what_is_not_validated_no_search_is_judged_unasked(logged_in, name, rivals):
    found = choose_of_logged([name for names in logged_in.values() for name in names], "a run", logged_in)

    assert (found.name, found.rivals) == (name, rivals)


def test_what_an_earlier_fit_validates_is_not_what_the_last_one_is_judged_by():
    found = choose_of_logged(["val_loss", "loss"], "a run", {"train": ["loss"]})

    assert (found.name, found.rivals) == ("loss", ())


@pytest.mark.parametrize(("tags", "name", "mode", "rivals"), LOGGED.values(), ids=LOGGED)
def test_of_what_a_run_logs_one_is_chosen_or_the_user_is_asked(tags, name, mode, rivals):
    found = choose_of_logged(tags, "a run")

    assert (found.name, found.mode, found.rivals) == (name, mode, rivals)
    assert set(found.others) == {*tags} - {name}


HYDRA = """
import hydra
@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg): ...
main()
"""
CLI = "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n"
STOPPING = "callbacks:\n  - class_path: pl.callbacks.EarlyStopping\n    init_args: {monitor: val_x, mode: max}\n"
IN_CONFIGS = {
    "hydra's": (
        HYDRA,
        {
            "conf/train.yaml": "defaults: [callbacks: both]\n",
            "conf/callbacks/both.yaml": "stop: {_target_: a.EarlyStopping, monitor: val_f1}\n"
            "best: {_target_: b.ModelCheckpoint, monitor: val_loss}\n",
        },
        (),
        ("val_loss", "min", "ModelCheckpoint, conf/callbacks/both.yaml:2"),
    ),
    "that args name": (
        CLI,
        {"c.yaml": f"trainer:\n  {STOPPING.replace(chr(10), chr(10) + '  ')}\n"},
        ("fit", "--config", "c.yaml"),
        ("val_x", "max", "EarlyStopping, c.yaml:4"),
    ),
    "that the source names": (
        f"PATHS = ['c.yaml']\n{CLI}",
        {"c.yaml": STOPPING},
        (),
        ("val_x", "max", "EarlyStopping, c.yaml:3"),
    ),
    "that keeps the last": (
        f"PATHS = ['c.yaml']\n{CLI}",
        {"c.yaml": STOPPING + "  - {class_path: a.ModelCheckpoint, init_args: {monitor: step, mode: max}}\n"},
        (),
        ("val_x", "max", "EarlyStopping, c.yaml:3"),
    ),
    "of a class of the program": (
        f"PATHS = ['c.yaml']\n{CLI}class Stop(EarlyStopping):\n    pass\n",
        {"c.yaml": STOPPING.replace("pl.callbacks.EarlyStopping", "train.Stop")},
        (),
        ("val_x", "max", "EarlyStopping, c.yaml:3"),
    ),
    "whose mode is somewhere else": (
        f"PATHS = ['c.yaml']\n{CLI}",
        {"c.yaml": STOPPING.replace("mode: max", 'mode: "${mode}"')},
        (),
        ("val_x", None, "EarlyStopping, c.yaml:3"),
    ),
    "another class's": (
        f"PATHS = ['c.yaml']\n{CLI}" + logging('self.log("val_acc", 1)'),
        {"c.yaml": "sched: {class_path: ReduceLROnPlateau, init_args: {monitor: val_x}}\n"},
        (),
        ("val_acc", "max", "logged in train.py:6"),
    ),
    "none, for the source has a callback": (
        f"PATHS = ['c.yaml']\n{CLI}ModelCheckpoint(monitor='val_loss')\n",
        {"c.yaml": STOPPING},
        (),
        ("val_loss", "min", "ModelCheckpoint, train.py:4"),
    ),
}


@pytest.mark.parametrize(("text", "files", "args", "expected"), IN_CONFIGS.values(), ids=IN_CONFIGS)
def test_a_callback_of_a_config_file_tells_the_metric(program_of, tmp_path, monkeypatch, text, files, args, expected):
    monkeypatch.chdir(tmp_path)

    found = find_metric_of_program(program_of(text, files), args)

    assert (found.name, found.mode, found.origin) == expected


HYDRA_SETTING = """
import hydra

@hydra.main(config_path="conf", config_name="config", version_base=None)
def main(cfg):
    ModelCheckpoint(monitor=cfg.train.monitor_metric, mode=cfg.train.monitor_metric_mode)
"""
FILE_SETTING = """
import argparse

import yaml

parser = argparse.ArgumentParser()
parser.add_argument("--config", default="c.yaml")
args = parser.parse_args()
with open(args.config) as f:
    config = yaml.safe_load(f)
EarlyStopping(monitor=config["METRIC"]["name"])
"""
ARGPARSE_SETTING = """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--checkpoint_monitor", default="val_x")
parser.add_argument("--goal", default="max")
cfg = parser.parse_args()
ModelCheckpoint(monitor=cfg.checkpoint_monitor, mode=cfg.goal)
"""
SPREAD = FILE_SETTING.replace('monitor=config["METRIC"]["name"]', '**config["callbacks"]["early"]')
CLI_SETTING = """
class Cli(LightningCLI):
    def add_arguments_to_parser(self, parser):
        parser.add_lightning_class_args(ModelCheckpoint, "best")
        parser.set_defaults({"best.monitor": "val_x", "best.mode": "max"})
"""
SETTINGS = {
    "hydra's": (
        HYDRA_SETTING,
        {"conf/config.yaml": "train: {monitor_metric: val_x, monitor_metric_mode: max}\nx: {monitor_metric: y}\n"},
        (),
        ("val_x", "max", "ModelCheckpoint, train.py:5"),
    ),
    "hydra's, as the command line says": (
        HYDRA_SETTING,
        {"conf/config.yaml": "train: {monitor_metric: val_x, monitor_metric_mode: max}\n"},
        ("train.monitor_metric=val_y",),
        ("val_y", "max", "ModelCheckpoint, train.py:5"),
    ),
    "a config file's": (
        FILE_SETTING,
        {"c.yaml": "METRIC: {name: validation/mae}\nname: a run\n"},
        (),
        ("validation/mae", "min", "EarlyStopping, train.py:10"),
    ),
    "a part of a text that a config file tells": (
        FILE_SETTING.replace('config["METRIC"]["name"]', """f'val_{config["METRIC"]["name"]}'"""),
        {"c.yaml": "METRIC: {name: acc}\n"},
        (),
        ("val_acc", "max", "EarlyStopping, train.py:10"),
    ),
    "a text behind another": (
        FILE_SETTING.replace('config["METRIC"]["name"]', '"val_" + config["METRIC"]["name"]'),
        {"c.yaml": "METRIC: {name: acc}\n"},
        (),
        ("val_acc", "max", "EarlyStopping, train.py:10"),
    ),
    "a config file's, by get": (
        FILE_SETTING.replace('config["METRIC"]["name"]', 'config["METRIC"].get("name", "val_loss")'),
        {"c.yaml": "METRIC: {name: val_acc}\n"},
        (),
        ("val_acc", "max", "EarlyStopping, train.py:10"),
    ),
    "an option's": (ARGPARSE_SETTING, {}, (), ("val_x", "max", "ModelCheckpoint, train.py:7")),
    "an option's, as the command line says": (
        ARGPARSE_SETTING,
        {},
        ("--checkpoint_monitor", "val_y"),
        ("val_y", "max", "ModelCheckpoint, train.py:7"),
    ),
    "a constant's of a class": (
        (
            "class Config:\n    monitor = 'val_x'\n    mode = 'max'\n"
            "cfg = Config()\nModelCheckpoint(monitor=cfg.monitor, mode=cfg.mode)\n"
        ),
        {},
        (),
        ("val_x", "max", "ModelCheckpoint, train.py:5"),
    ),
    "a LightningCLI's default": (CLI_SETTING, {}, (), ("val_x", "max", "ModelCheckpoint, train.py:3")),
    "what a star takes from a file": (
        SPREAD,
        {"c.yaml": "callbacks: {early: {monitor: val_x, mode: max}, other: {monitor: val_y}}\n"},
        (),
        ("val_x", "max", "EarlyStopping, train.py:10"),
    ),
    "what a star takes, by a name": (
        SPREAD.replace("EarlyStopping(**config", "early = config").replace(
            '["early"])', '["early"]\nEarlyStopping(**early)'
        ),
        {"c.yaml": "callbacks: {early: {monitor: val_x}, other: {monitor: val_y}}\n"},
        (),
        ("val_x", "min", "EarlyStopping, train.py:11"),
    ),
    "what a star takes from a dict": (
        'P = {"lr": 0.1, "early": {"monitor": "val_x", "mode": "max"}}\nEarlyStopping(**P["early"])\n',
        {},
        (),
        ("val_x", "max", "EarlyStopping, train.py:2"),
    ),
    "what a star takes from an unknown place": (
        'P = {"early": {"monitor": "val_x"}}\nEarlyStopping(**load("late"))\n' + logging('self.log("val_loss", 1)'),
        {},
        (),
        ("val_loss", "min", "logged in train.py:5"),
    ),
    "of two that differ": (
        FILE_SETTING.replace('config["METRIC"]["name"]', "monitor") + logging('self.log("val_loss", 1)'),
        {"c.yaml": "a: {monitor: val_x}\nb: {monitor: val_y}\n"},
        (),
        ("val_loss", "min", "logged in train.py:13"),
    ),
    "that is an interpolation": (
        FILE_SETTING + logging('self.log("val_loss", 1)'),
        {"c.yaml": 'METRIC: {name: "${other}"}\n'},
        (),
        ("val_loss", "min", "logged in train.py:13"),
    ),
}


@pytest.mark.parametrize(("text", "files", "args", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_that_a_callback_monitors_tells_the_metric(
    program_of, tmp_path, monkeypatch, text, files, args, expected
):
    monkeypatch.chdir(tmp_path)

    found = find_metric_of_program(program_of(text.lstrip(), files), args)

    assert (found.name, found.mode, found.origin) == expected


def test_where_the_last_fit_validates_nothing_no_metric_of_an_earlier_one_is_chosen(program_of):
    text = f"{TWO}class Last(pl.LightningModule): ...\npre.fit(Pre())\nnet.fit(Last())\n"

    assert find_metric_of_program(program_of(text), ()) is None


OWN_NAMES = {
    "an attribute that the class assigns": ('self.log(f"{self.split}_loss", 1)', None),
    "a name of the method": ('for args in self.heads: self.log(f"{args.split}_loss", 1)', None),
    "a setting": ('self.log(f"{args.split}_loss", 1)', "val_loss"),
}


@pytest.mark.parametrize(("statement", "name"), OWN_NAMES.values(), ids=OWN_NAMES)
def test_a_setting_in_a_logged_name_is_none_of_the_class_or_the_method(program_of, statement, name):
    text = (
        "import argparse\nfrom pytorch_lightning import LightningModule\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--split', default='val')\nargs = parser.parse_args()\nclass Net(LightningModule):\n"
        f"    def validation_step(self, batch, index):\n        {statement}\n"
    )
    found = find_metric_of_program(program_of(text), ())

    assert (found and found.name) == name


def test_a_counter_that_is_logged_is_no_metric(tmp_path):
    text = logging('self.log_dict({self.name: 1, "step": 2, "epoch": 3})')

    assert metric_of(tmp_path, text) is None


@pytest.mark.parametrize(
    ("call", "mode"),
    [
        ('EarlyStopping("val_loss", mode="max")', None),
        ('ModelCheckpoint(monitor="val_acc", mode="min")', None),
        ('ModelCheckpoint(monitor="val_zorp", mode="max")', "max"),
        ('EarlyStopping("val_loss", mode="min")', "min"),
    ],
)
def test_where_the_mode_of_a_callback_and_the_name_disagree_the_mode_is_asked_for(tmp_path, call, mode):
    assert metric_of(tmp_path, f"{call}\n").mode == mode


def test_the_best_so_far_stands_behind_what_an_epoch_is_worth(tmp_path):
    assert metric_of(tmp_path, logging('self.log("val/acc_best", 1)', 'self.log("val/acc", 1)')).name == "val/acc"


def test_a_part_of_a_loss_stands_behind_the_whole(tmp_path):
    text = logging('self.log("val_kl_loss", 1)', 'self.log("val_recon_loss", 1)', 'self.log("val_loss", 1)')

    found = metric_of(tmp_path, text)

    assert (found.name, found.others) == ("val_loss", ("val_kl_loss", "val_recon_loss"))


TWO = (
    "import pytorch_lightning as pl\nfrom pytorch_lightning.callbacks import EarlyStopping\n"
    "class Base(pl.LightningModule):\n    def validation_step(self, batch, idx): self.log('val_mse', 1)\n"
    "class Pre(pl.LightningModule):\n    def validation_step(self, batch, idx): self.log('val_acc', 1)\n"
    "class Net(Base): ...\n"
    "pre = pl.Trainer()\nnet = pl.Trainer()\n"
)
FITS = {
    "pretraining first": ("pre.fit(Pre(), a, b)\nnet.fit(Net(), a, b)\n", "val_mse"),
    "by their names": ("one = Pre()\npre.fit(one)\ntwo = Net.load_from_checkpoint(p)\nnet.fit(model=two)\n", "val_mse"),
    "the other order": ("net.fit(Net(), a, b)\npre.fit(Pre(), a, b)\n", "val_acc"),
    "a callback for each": (
        "for x in EarlyStopping('val_acc'), EarlyStopping('val_mse'): print(x)\npre.fit(Pre())\nnet.fit(Net())\n",
        "val_mse",
    ),
    "a callback of the first alone": (
        "e = EarlyStopping('val_acc')\npl.Trainer(callbacks=[e]).fit(Pre())\nnet.fit(Net())\n",
        "val_acc",
    ),
    "a module that the source does not tell": ("pre.fit(build())\nnet.fit(Net())\n", "val_acc"),
    "one fit": ("net.fit(Net())\n", "val_mse"),
    "a last one that validates nothing": (
        (
            "class Last(pl.LightningModule): ...\nfrom pytorch_lightning.callbacks import ModelCheckpoint\n"
            "e, c = EarlyStopping('val_acc'), ModelCheckpoint(monitor='train_loss')\npre.fit(Pre())\nnet.fit(Last())\n"
        ),
        "train_loss",
    ),
}


@pytest.mark.parametrize(("text", "name"), FITS.values(), ids=FITS)
def test_of_fits_of_several_classes_the_last_one_tells_the_metric(program_of, text, name):
    metric = find_metric_of_program(program_of(TWO + text), ())

    assert metric is not None
    assert metric.name == name


ARGUMENTS = """
import argparse
import lightning as pl

TASK = "regression"

class Net(pl.LightningModule):
    def __init__(self, args, task="classification"):
        self.save_hyperparameters()
        self.args, self.task = args, task

    def validation_step(self, batch, idx):
{body}

parser = argparse.ArgumentParser()
parser.add_argument("--supervised", action="store_true")
parser.add_argument("--mode", default="self")
parser.add_argument("--depth", type=int)
pl.Trainer().fit(Net(parser.parse_args(), task=TASK))
"""
ACC_OR_LOSS = 'if {}:\n    self.log("val_acc", 1)\nelse:\n    self.log("val_loss", 1)'
CONDITIONS = {
    "a flag that is off": (ACC_OR_LOSS.format("self.args.supervised"), "", "val_loss", ()),
    "a flag of the command line": (ACC_OR_LOSS.format("self.args.supervised"), "--supervised", "val_acc", ()),
    "not": (ACC_OR_LOSS.format("not self.args.supervised"), "", "val_acc", ()),
    "a text": (ACC_OR_LOSS.format('self.args.mode == "self"'), "", "val_acc", ()),
    "one of several": (ACC_OR_LOSS.format('self.args["mode"] in ("a", "b")'), "", "val_loss", ()),
    "what a call passes": (ACC_OR_LOSS.format('self.hparams.task != "regression"'), "", "val_loss", ()),
    "an attribute": (ACC_OR_LOSS.format('self.task == "regression"'), "", "val_acc", ()),
    "a constant": (ACC_OR_LOSS.format('TASK.startswith("c") or TASK == "regression"'), "", "val_acc", ()),
    "one of two that decides": (ACC_OR_LOSS.format("self.known and self.args.supervised"), "", "val_loss", ()),
    "an option without a default": (ACC_OR_LOSS.format("self.args.depth > 2"), "", "val_acc", ("val_loss",)),
    "a name of the method's own": (
        f"supervised = batch.labelled\n{ACC_OR_LOSS.format('supervised')}",
        "",
        "val_acc",
        ("val_loss",),
    ),
    "of another object": (ACC_OR_LOSS.format("self.data.supervised"), "", "val_acc", ("val_loss",)),
    "an early return": (
        'if not self.args.supervised:\n    self.log("val_mae", 1)\n    return\nself.log("val_acc", 1)',
        "",
        "val_mae",
        (),
    ),
    "a match": (
        (
            'match self.args.mode:\n    case "x" | "y":\n        self.log("val_acc", 1)\n'
            '    case "self":\n        self.log("val_mae", 1)\n    case _:\n        self.log("val_f1", 1)'
        ),
        "",
        "val_mae",
        (),
    ),
    "a setting that is not known": (
        'if self.scores:\n    self.log("val_acc", 1)\nself.log("val_loss", 1)',
        "",
        "val_loss",
        ("val_acc",),
    ),
    "the state of the Trainer": (
        'if not self.trainer.sanity_checking:\n    self.log("val_acc", 1)\nself.log("val_loss", 1)',
        "",
        "val_acc",
        ("val_loss",),
    ),
    "a batch": (
        'if len(batch) > 1:\n    self.log("val_acc", 1)\nself.log("val_loss", 1)',
        "",
        "val_acc",
        ("val_loss",),
    ),
    "a dict": (
        'logs = {"val_loss": 1}\nif self.args.supervised:\n    logs["val_acc"] = 1\nself.log_dict(logs)',
        "",
        "val_loss",
        (),
    ),
    "a helper": (
        "self.score(batch)\n\ndef score(self, batch):\n" + indent(ACC_OR_LOSS.format("self.args.supervised"), "    "),
        "",
        "val_loss",
        (),
    ),
}


@pytest.mark.parametrize(("body", "args", "name", "others"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_metric_is_one_that_is_logged_with_the_values_in_force(program_of, body, args, name, others):
    if "\n\ndef " in body:
        step, _, method = body.partition("\n\n")
        body = f"{indent(step, ' ' * 8)}\n\n{indent(method, ' ' * 4)}"
    else:
        body = indent(body, " " * 8)

    found = find_metric_of_program(program_of(ARGUMENTS.format(body=body)), args.split())

    assert (found.name, found.others) == (name, others)


@pytest.mark.parametrize(("args", "name"), [("", "val_loss"), ("--supervised", "val_acc")])
def test_of_callbacks_in_two_arms_the_one_of_the_values_in_force_counts(program_of, args, name):
    arms = ARMS.replace("classify", "parser.parse_args().supervised").replace("parser.parse_args()", "args")
    text = ARGUMENTS.format(body="        pass").replace(
        "pl.Trainer", f"args = parser.parse_args()\n{arms}\npl.Trainer"
    )

    found = find_metric_of_program(program_of(text), args.split())

    assert (found.name, found.rivals) == (name, ())
