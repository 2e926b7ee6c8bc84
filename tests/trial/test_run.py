"""One trial from its values to its version, without Ray."""

import math
import random
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from tests.events import by_epoch, event_file, scalars, session

TAGS = {"Loss/Train", "Loss/Val", "Score/Train", "Score/Val"}


def text_of(programs, name="scripted"):
    return programs(name).read_text()


def checkpoint(path):
    return torch.load(path, weights_only=True)


def test_a_trial_leaves_a_whole_version(worker):
    trial = worker("scripted").run(LR=0.5, HIDDEN=16)

    assert trial.record.stage == "complete"
    assert [(epoch, round(value, 6), last) for epoch, value, last in trial.reports] == [
        (1, 0.1, False),
        (2, 0.2, False),
        (3, 0.3, False),
        (4, 0.4, True),
    ]
    assert [(epoch, value) for epoch, value, _ in trial.reports] == trial.record.curve
    assert set(scalars(trial.files.folder)) == {*TAGS, "epoch"}
    assert by_epoch(trial.files.folder)["Score/Val"] == pytest.approx({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4})
    found = session(trial.files.folder)
    assert (found.n_starts, found.n_ends, found.status) == (1, 1, "STATUS_SUCCESS")
    assert found.hparams == {"LR": 0.5, "HIDDEN": 16}
    assert sorted(path.name for path in trial.files.folder.iterdir()) == [
        "checkpoints",
        event_file(trial.files.folder).name,
        "hparams.yaml",
        "log.txt",
        "trial.json",
    ]
    assert sorted(path.name for path in trial.files.checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_hparams_yaml_holds_what_was_promoted_and_what_was_hardcoded(worker):
    text = worker("scripted").run(LR=0.5, HIDDEN=16).files.hparams.read_text()

    promoted, hardcoded = text.split("# hardcoded in the program\n")
    assert promoted == "# promoted by the search\nLR: 0.5\nHIDDEN: 16\n"
    assert hardcoded.startswith("BATCH_SIZE: 8\nCURVE:\n- 0.1\n- 0.2\n- 0.3\n- 0.4\nMAX_EPOCHS: 4\n")


def test_a_derived_constant_follows_into_the_model(worker):
    trial = worker("scripted").run(HIDDEN=20)

    shapes = [tuple(each.shape) for each in checkpoint(trial.files.last_checkpoint)["state_dict"].values()]
    assert shapes == [(20, 2), (20,), (10, 20), (10,), (1, 10), (1,)]
    assert trial.record.taken == {"HIDDEN": 1}


@pytest.mark.parametrize(
    ("mode", "curve", "best"),
    [
        ("max", [0.1, 0.9, 0.3, 0.2], 2),
        ("min", [0.5, 0.1, 0.1, 0.2], 2),
        ("max", [0.1, 0.2, 0.3, 0.4], 4),
        ("max", [0.1, math.inf, 0.3, 0.2], 3),
    ],
)
def test_the_checkpoint_kept_as_best_is_the_best_epochs(worker, mode, curve, best):
    trial = worker("scripted", mode=mode).run(CURVE=curve)

    assert checkpoint(trial.files.best_checkpoint)["epoch"] + 1 == best
    assert checkpoint(trial.files.last_checkpoint)["epoch"] + 1 == 4
    weights, logged = (
        checkpoint(trial.files.best_checkpoint)["state_dict"],
        by_epoch(trial.files.folder)["Loss/Val"][best],
    )
    assert val_loss(weights) == pytest.approx(logged)


def val_loss(weights):
    """Return what `scripted.py` logs as Loss/Val with these weights."""
    x = torch.linspace(-1, 1, 64).reshape(32, 2)
    out = torch.relu(x @ weights["net.0.weight"].T + weights["net.0.bias"])
    out = out @ weights["net.2.weight"].T + weights["net.2.bias"]
    out = (out @ weights["net.3.weight"].T + weights["net.3.bias"]).squeeze(1)
    return float((out - x.sum(1)).square().mean())


@pytest.mark.parametrize("trainer", [{}, {"min_epochs": 4}, {"min_steps": 100}], ids=str)
def test_a_stopped_trial_ends_politely(worker, trainer):
    trial = worker("scripted", **trainer).run(stop_at=2)

    assert trial.record.stage == "stopped"
    assert [epoch for epoch, *_ in trial.reports] == [1, 2]
    assert {tag: list(curve) for tag, curve in by_epoch(trial.files.folder).items()} == {tag: [1, 2] for tag in TAGS}
    assert session(trial.files.folder).n_ends == 1
    assert session(trial.files.folder).status == "STATUS_SUCCESS"
    assert checkpoint(trial.files.last_checkpoint)["epoch"] + 1 == 2


def test_a_stopped_trial_runs_the_programs_own_end(worker, programs):
    text = text_of(programs) + "\n    def f(): pass\n"
    text = text.replace(
        "    def configure_optimizers",
        "    def on_train_end(self):\n        print('my own end')\n\n"
        "    def on_exception(self, error):\n        print('an exception')\n\n"
        "    def configure_optimizers",
    ).replace("    def f(): pass\n", "")
    trial = worker("scripted", text).run(stop_at=2)

    assert "my own end" in trial.log
    assert "an exception" not in trial.log


def test_the_curve_is_on_disk_when_an_epoch_is_reported(worker):
    seen = []

    def look(files):
        seen.append((list(by_epoch(files.folder)["Score/Val"]), session(files.folder).n_starts, files.hparams.exists()))

    worker("scripted").run(on_report=look)

    assert seen == [(list(range(1, epoch + 1)), 1, True) for epoch in (1, 2, 3, 4)]


WHEN = {
    "each epoch": ({}, "Score/Val", [1, 2, 3, 4]),
    "every second epoch": ({"check_val_every_n_epoch": 2}, "Score/Val", [2, 4]),
    "every second epoch of three": ({"check_val_every_n_epoch": 2, "max_epochs": 3}, "Score/Val", [2]),
    "twice an epoch": ({"val_check_interval": 0.5}, "Score/Val", [1, 2, 3, 4, 5, 6, 7, 8]),
    "every second batch": ({"val_check_interval": 2}, "Score/Val", [1, 2, 3, 4, 5, 6, 7, 8]),
    "in training alone": ({}, "Score/Train", [1, 2, 3, 4]),
    "in training, and validation every second": ({"check_val_every_n_epoch": 2}, "Score/Train", [1, 2, 3, 4]),
    "in training, and validation twice": ({"val_check_interval": 0.5}, "Score/Train", [1, 2, 3, 4]),
    "without validation": ({"limit_val_batches": 0}, "Score/Train", [1, 2, 3, 4]),
    "with a sanity check": ({"num_sanity_val_steps": 2}, "Score/Val", [1, 2, 3, 4]),
    "with one batch": ({"limit_train_batches": 1, "limit_val_batches": 1}, "Score/Val", [1, 2, 3, 4]),
    "with more time than it takes": ({"max_time": "00:01:00:00"}, "Score/Val", [1, 2, 3, 4]),
    "with more steps than it takes": ({"max_steps": 1000}, "Score/Val", [1, 2, 3, 4]),
    "by steps": ({"max_epochs": None, "max_steps": 10}, "Score/Val", [1, 2]),
}


@pytest.mark.parametrize(("trainer", "metric", "times"), WHEN.values(), ids=WHEN)
def test_a_value_is_reported_when_it_was_logged_anew(worker, trainer, metric, times):
    trial = worker("scripted", metric=metric, **trainer).run()

    assert trial.record.failure is None
    assert [epoch for epoch, *_ in trial.reports] == times


def test_a_value_that_stays_the_same_is_reported_each_epoch(worker):
    assert len(worker("scripted").run(CURVE=[0.5] * 4).reports) == 4


def test_a_metric_of_each_training_step_is_reported_once_an_epoch(worker, programs):
    text = (
        text_of(programs)
        .replace("on_step=False, on_epoch=True", "on_epoch=True")
        .replace('self.log("Loss/Train", loss)', 'self.log("Loss/Train", loss, on_step=True, on_epoch=False)')
    )
    trial = worker("scripted", text, metric="Loss/Train").run()

    assert [epoch for epoch, *_ in trial.reports] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("curve", "kind", "message"),
    [
        ([0.1, math.nan], "NaN", "Score/Val is nan in epoch 2"),
        ([0.1, math.inf], "inf", "Score/Val is inf in epoch 2"),
        ([0.1, -math.inf], "inf", "Score/Val is -inf in epoch 2"),
    ],
)
@pytest.mark.parametrize("n_epochs", [2, 4])
def test_a_value_that_is_not_finite_is_a_failure(worker, programs, curve, kind, message, n_epochs):
    text = text_of(programs) + f"\nfrom math import inf, nan\nCURVE = {curve}\n"
    trial = worker("scripted", text, max_epochs=n_epochs).run(stop_at=2)

    assert trial.record.stage == "failed"
    assert (trial.failure.kind, trial.failure.message) == (kind, message)
    assert checkpoint(trial.files.best_checkpoint)["epoch"] == 0
    assert trial.record.curve[0] == (1, pytest.approx(0.1))


ERRORS = {
    "at import": ("LR = 1e-2", "LR = 1e-2\n1 / 0", "1 / 0"),
    "in the constructor": (
        "        super().__init__()\n",
        "        super().__init__()\n        1 / 0\n",
        "1 / 0",
    ),
    "in training_step": ("        out, y = self.step(*batch)\n        loss", "        1 / 0\n        loss", "1 / 0"),
    "in validation_step": ('        self.log("Loss/Val"', '        1 / 0\n        self.log("Loss/Val"', "1 / 0"),
    "in configure_optimizers": ("        return torch.optim", "        1 / 0\n        return torch.optim", "1 / 0"),
    "in dataloaders": ("    x = torch.linspace", "    1 / 0\n    x = torch.linspace", "1 / 0"),
}


@pytest.mark.parametrize(("old", "new", "code"), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("preflight", [False, True], ids=["", "preflight"])
def test_an_exception_is_told_with_the_users_own_frame(worker, programs, old, new, code, preflight):
    text = text_of(programs).replace(old, new, 1)
    line = 1 + text.splitlines().index(next(each for each in text.splitlines() if each.strip() == code))
    trial = worker("scripted", text).run(preflight=preflight)

    assert trial.record.stage == "failed"
    assert (trial.failure.kind, trial.failure.message) == ("ZeroDivisionError", "division by zero")
    assert (trial.failure.place, trial.failure.code) == (f"scripted.py:{line}", "1 / 0")
    assert trial.failure.reason == f"ZeroDivisionError: division by zero (scripted.py:{line})"
    assert trial.preflights == 0
    assert trial.record.ready is False
    assert trial.files.error.read_text().endswith("ZeroDivisionError: division by zero\n")
    assert "ZeroDivisionError" in trial.log
    assert not list(trial.files.folder.glob(".*"))


@pytest.mark.parametrize(("old", "new", "code"), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("preflight", [False, True], ids=["", "preflight"])
def test_a_trial_has_its_hparams_and_a_session_wherever_it_fails(worker, programs, old, new, code, preflight):
    trial = worker("scripted", text_of(programs).replace(old, new, 1)).run(LR=0.5, preflight=preflight)

    found = session(trial.files.folder)
    assert (found.n_starts, found.n_ends, found.status) == (1, 1, "STATUS_FAILURE")
    assert found.hparams == {"LR": 0.5}
    assert trial.files.hparams.read_text().startswith("# promoted by the search\nLR: 0.5\n# hardcoded in the program\n")


@pytest.mark.parametrize("name", ["MetricError", "ProgramError", "hang", "NaN", "metric"])
def test_an_exception_of_the_programs_own_is_not_taken_for_ours(worker, programs, name):
    text = text_of(programs).replace("LR = 1e-2\n", f"LR = 1e-2\nclass {name}(Exception): pass\nraise {name}('mine')\n")
    trial = worker("scripted", text).run()

    assert (trial.failure.kind, trial.failure.message, trial.failure.ours) == (name, "mine", False)
    assert trial.failure.place.startswith("scripted.py:")


RAISED = ["KeyboardInterrupt()", "SystemExit(3)", "SystemExit(0)", "GeneratorExit()", "BaseException('all')"]


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("preflight", [False, True], ids=["", "preflight"])
def test_whatever_an_import_of_the_program_raises_is_that_trials_failure(worker, programs, raised, preflight):
    text = text_of(programs).replace("LR = 1e-2\n", f"LR = 1e-2\nraise {raised}\n")
    trial = worker("scripted", text).run(preflight=preflight)

    line = 1 + text.splitlines().index(f"raise {raised}")
    assert trial.failure.kind == raised.partition("(")[0]
    assert trial.failure.place == f"scripted.py:{line}"


ODD = {
    "no text": "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd\n",
    "no unicode": "class Odd(Exception): pass\nraise Odd('\\udc80')\n",
    "itself": "class Odd(Exception): pass\nodd = Odd()\nodd.__context__ = odd\nraise odd\n",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_exception_that_cannot_be_told_is_a_failure_all_the_same(worker, programs, odd):
    trial = worker("scripted", text_of(programs).replace("LR = 1e-2\n", f"LR = 1e-2\n{odd}")).run()

    assert trial.failure.kind == "Odd"
    assert "Odd" in trial.files.error.read_text()


def test_hparams_yaml_is_written_once(worker, programs):
    text = text_of(programs).replace(
        "    def validation_step(self, batch, idx):\n",
        "    def on_train_epoch_end(self):\n        self.logger._files.hparams.unlink()\n\n"
        "    def validation_step(self, batch, idx):\n",
    )
    trial = worker("scripted", text, max_epochs=1).run()

    assert trial.record.failure is None
    assert not trial.files.hparams.exists()


def test_an_exception_inside_a_library_is_told_with_the_line_that_called_it(worker, programs):
    text = text_of(programs).replace("nn.Linear(HIDDEN, HIDDEN2)", "nn.Linear(HIDDEN + 1, HIDDEN2)")
    trial = worker("scripted", text).run()

    assert trial.failure.kind == "RuntimeError"
    assert trial.failure.message.startswith("mat1 and mat2 shapes cannot be multiplied (8x8 and 9x4)")
    assert trial.failure.code == "return self.net(x).squeeze(1), y"


@pytest.mark.parametrize("curve", [[0.1, 0.2], [0.1, "x"]], ids=["complete", "failed"])
def test_a_retrained_run_has_curves_and_no_session_among_those_of_the_search(worker, curve):
    held = worker("scripted")
    (held.storage / "000").mkdir(parents=True)
    (held.storage / "000" / "retrain.json").write_text("{}")
    trial = held.run(CURVE=curve)

    assert set(by_epoch(trial.files.folder)["Score/Val"]) == ({1, 2} if curve[1] == 0.2 else {1})
    assert (session(trial.files.folder).n_starts, session(trial.files.folder).n_ends) == (0, 0)
    assert trial.files.hparams.exists()


def test_a_failed_training_closes_its_session(worker):
    trial = worker("scripted").run(CURVE=[0.1, "x"])

    found = session(trial.files.folder)
    assert (found.n_starts, found.n_ends, found.status) == (1, 1, "STATUS_FAILURE")
    assert trial.record.curve == [(1, pytest.approx(0.1))]
    assert trial.files.hparams.exists()


@pytest.mark.parametrize("raised", ["SystemExit(3)", "SystemExit(0)", "MemoryError", "KeyboardInterrupt"])
def test_whatever_a_program_raises_is_a_failure(worker, programs, raised):
    text = text_of(programs).replace('self.log("Loss/Train", loss)', f"raise {raised}")
    trial = worker("scripted", text).run()

    assert trial.record.stage == "failed"
    assert trial.failure.place == f"scripted.py:{1 + text.splitlines().index(f'        raise {raised}')}"


def test_a_metric_that_is_never_logged_is_found_in_the_preflight(worker):
    trial = worker("scripted", metric="score/val").run(preflight=True)

    assert trial.failure.kind == "MetricError"
    assert trial.failure.message == "'score/val' is never logged"
    assert trial.failure.hint == "Did you mean 'Score/Val'? Logged: Loss/Train, Loss/Val, Score/Train, Score/Val."
    assert trial.record.logged == ["Loss/Train", "Loss/Val", "Score/Train", "Score/Val"]
    assert (trial.preflights, trial.reports) == (0, [])


def test_a_metric_that_resembles_none_lists_all_that_are_logged(worker):
    trial = worker("scripted", metric="xyz").run(preflight=True)

    assert trial.failure.hint == "Logged: Loss/Train, Loss/Val, Score/Train, Score/Val."


def test_a_metric_that_is_never_logged_in_the_training_is_a_failure(worker):
    trial = worker("scripted", metric="xyz").run()

    assert trial.record.stage == "failed"
    assert trial.failure.reason == "metric: 'xyz' was never logged"


def sleeps(programs, asleep):
    """Return a program that sleeps in each batch of training."""
    text = text_of(programs).replace('self.log("Loss/Train", loss)', f"time.sleep({asleep})")
    return text.replace("from functools", "import time\nfrom functools", 1)


def test_a_preflight_that_hangs_is_ended_with_its_stacks(worker, programs):
    text = sleeps(programs, "600")
    started = worker("scripted", text)
    started.job = replace(started.job, hang_after_s=2.0)
    trial = started.run(preflight=True)

    assert trial.failure.is_a("hang")
    assert re.fullmatch(r"no batch ended for \d+ s; its stacks are in log\.txt", trial.failure.message)
    assert trial.failure.hint == "If it only takes long, allow more: `--hang-after 1h`."
    line = 1 + text.splitlines().index("        time.sleep(600)")
    assert f'scripted.py", line {line} in training_step' in trial.log
    assert trial.preflights == 0


@pytest.mark.slow
def test_a_preflight_whose_batches_end_one_after_the_other_does_not_hang(worker, programs):
    started = worker("scripted", sleeps(programs, "2.5 if self.trainer.limit_train_batches == 2 else 0"))
    started.job = replace(started.job, hang_after_s=4.0)
    trial = started.run(preflight=True)

    assert (trial.preflights, trial.record.stage) == (1, "complete")


def test_the_preflight_opens_the_gate_and_leaves_nothing(worker):
    start = worker("scripted", limit_val_batches=0.5, check_val_every_n_epoch=4, min_epochs=2)
    with_preflight, without = start.run(preflight=True), start.run()

    assert (with_preflight.preflights, without.preflights) == (1, 0)
    assert with_preflight.record.ready is True
    assert with_preflight.reports == without.reports
    assert with_preflight.record.taken == without.record.taken
    assert {path.name.partition(".")[0] for path in with_preflight.files.folder.iterdir()} == {
        path.name.partition(".")[0] for path in without.files.folder.iterdir()
    }
    assert by_epoch(with_preflight.files.folder) == by_epoch(without.files.folder)


FORMS = {
    "one optimizer": "opt",
    "a list of one optimizer": "[opt]",
    "lists of one optimizer and one scheduler": "[opt], [sch]",
    "a scheduler with its interval": "[opt], [{'scheduler': sch, 'interval': 'epoch'}]",
    "a dict": "{'optimizer': opt, 'lr_scheduler': sch}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_configure_optimizers_may_return(worker, programs, form):
    text = text_of(programs).replace(
        "        return torch.optim.SGD(self.parameters(), lr=LR)",
        "        opt = torch.optim.SGD(self.parameters(), lr=LR)\n"
        "        sch = torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)\n"
        f"        return {form}",
    )
    trial = worker("scripted", text).run(LR=0.5)

    assert trial.record.failure is None
    (state,) = checkpoint(trial.files.last_checkpoint)["optimizer_states"]
    assert state["param_groups"][0]["lr"] == (0.5 * 0.5**4 if "sch" in form else 0.5)


@pytest.mark.parametrize("returned", ["[opt1, opt2], [sch1, sch2]", "[opt1, opt2]"])
def test_two_optimizers_run_by_hand(worker, programs, returned):
    text = text_of(programs, "two_optimizers").replace("[opt1, opt2], [sch1, sch2]", returned)
    if "sch" not in returned:
        text = text.replace("in self.lr_schedulers()", "in ()")
    trial = worker("two_optimizers", text, metric="A/Val", mode="min").run(LR_A=0.5, LR_B=0.25)

    assert trial.record.failure is None
    assert [epoch for epoch, *_ in trial.reports] == [1, 2]
    assert set(scalars(trial.files.folder)) == {"A/Train", "B/Train", "A/Val", "B/Val", "epoch"}
    rates = [state["param_groups"][0]["lr"] for state in checkpoint(trial.files.last_checkpoint)["optimizer_states"]]
    assert rates == ([0.125, 0.0625] if "sch" in returned else [0.5, 0.25])


def test_what_the_program_logs_as_hyperparameters_is_merged_into_one_session(worker, programs):
    text = (
        text_of(programs)
        .replace("def __init__(self):", "def __init__(self, depth=3, LR=9):")
        .replace(
            "        super().__init__()\n",
            "        super().__init__()\n        self.save_hyperparameters()\n",
        )
        .replace(
            "    def training_step",
            "    def on_train_start(self):\n"
            "        self.logger.log_hyperparams({'note': 'mine', 'sizes': [1, 2]})\n"
            "        self.logger.log_hyperparams({'more': 1}, {'Start': 0.5})\n\n"
            "    def training_step",
        )
    )
    trial = worker("scripted", text).run(LR=0.5)

    assert trial.record.failure is None
    found = session(trial.files.folder)
    assert (found.n_starts, found.n_ends) == (1, 1)
    assert found.hparams == {"LR": 0.5, "depth": 3, "note": "mine", "sizes": "[1, 2]", "more": 1}
    held = YAML(typ="safe").load(trial.files.hparams)
    assert {name: held[name] for name in ("LR", "depth", "note", "sizes", "more", "HIDDEN")} == {
        "LR": 0.5,
        "depth": 3,
        "note": "mine",
        "sizes": [1, 2],
        "more": 1,
        "HIDDEN": 8,
    }
    assert set(scalars(trial.files.folder)) == {*TAGS, "epoch", "Start"}


def test_every_trial_starts_with_the_same_seed(worker):
    start = worker("scripted")
    first = start.run()
    random.random(), np.random.rand(), torch.rand(3)
    second = start.run(LR=0.9)
    third = start.run()

    assert by_epoch(first.files.folder) == by_epoch(third.files.folder)
    assert by_epoch(first.files.folder)["Loss/Val"] != by_epoch(second.files.folder)["Loss/Val"]


def test_whatever_is_printed_is_in_the_log(worker, programs):
    text = text_of(programs).replace(
        "    def training_step",
        "    def on_train_start(self):\n"
        "        import os, subprocess, sys, warnings\n"
        "        print('from Python')\n"
        "        print('an error', file=sys.stderr)\n"
        "        os.write(1, b'from C\\n')\n"
        "        os.write(2, b'an error from C\\n')\n"
        "        subprocess.run(['echo', 'from a child'])\n"
        "    def training_step",
    )
    start = worker("scripted", text)
    first, second = start.run(), start.run()

    for trial in (first, second):
        for line in ("from Python", "an error", "from C", "an error from C", "from a child"):
            assert trial.log.splitlines().count(line) == 1


def test_a_datamodule_is_used(worker, programs):
    text = text_of(programs).replace("def dataloaders():", "def _loaders():") + (
        "\n\nclass Data(pl.LightningDataModule):\n"
        "    def train_dataloader(self):\n        return _loaders()[0]\n\n"
        "    def val_dataloader(self):\n        return _loaders()[1]\n"
    )

    assert len(worker("scripted", text).run().reports) == 4


def test_loaders_of_the_module_itself_are_used(worker, programs):
    text = (
        text_of(programs)
        .replace("def dataloaders():", "def _loaders():")
        .replace(
            "    def configure_optimizers",
            "    def train_dataloader(self):\n        return _loaders()[0]\n\n"
            "    def val_dataloader(self):\n        return _loaders()[1]\n\n"
            "    def configure_optimizers",
        )
    )

    assert len(worker("scripted", text).run().reports) == 4


@pytest.mark.parametrize(
    ("returned", "metric"),
    [
        ("dl(data), dl(data)", "Score/Val"),
        ("dl(data), dl(data), dl(data)", "Score/Val"),
        ("dl(data)", "Score/Train"),
        ("(dl(data),)", "Score/Train"),
        ("[dl(data), dl(data)]", "Score/Val"),
    ],
)
def test_dataloaders_may_return(worker, programs, returned, metric):
    text = text_of(programs).replace("return dl(data), dl(data)", f"return {returned}")

    assert len(worker("scripted", text, metric=metric).run().reports) == 4


SHAPES = {
    "several modules": (
        "class Other(pl.LightningModule): pass",
        "scripted.py: 2 LightningModules in the program",
        "Name one: scripted.py:Scripted, scripted.py:Other.",
    ),
    "several datamodules": (
        "del dataloaders\nclass A(pl.LightningDataModule): pass\nclass B(pl.LightningDataModule): pass",
        "scripted.py: 2 LightningDataModules: A, B",
        "Write `dataloaders()` instead.",
    ),
    "no module": (
        "del Scripted",
        "scripted.py: no LightningModule in the program",
        "Define one, or name its file in `system:`.",
    ),
    "arguments without defaults": (
        "class Deep(Scripted):\n    def __init__(self, depth, width=3, *, lr): pass",
        "scripted.py: Deep cannot be built without depth, lr",
        "Give each argument a default, or use `script:` for a program that builds its own.",
    ),
    "too many loaders": (
        "def dataloaders(): return 1, 2, 3, 4",
        "scripted.py: dataloaders() must return training and validation loaders, got 4 values",
        "Return `train, val`.",
    ),
}


@pytest.mark.parametrize(("addition", "message", "hint"), SHAPES.values(), ids=SHAPES)
def test_a_program_of_another_shape_is_refused(worker, programs, addition, message, hint):
    trial = worker("scripted", f"{text_of(programs)}\n\n{addition}\n").run(preflight=True)

    assert trial.failure.kind == "ProgramError"
    assert (trial.failure.message, trial.failure.hint) == (message, hint)


def test_of_several_modules_the_named_one_is_trained(worker, programs):
    text = text_of(programs) + "\n\nclass Other(pl.LightningModule): pass\n"

    assert len(worker("scripted", text, system="Scripted").run().reports) == 4
    failure = worker("scripted", text, system="scripted").run().failure
    assert failure.reason == "ProgramError: scripted.py: 'scripted' is not a LightningModule of the program"
    assert failure.hint == "It has: Scripted, Other."


def test_of_a_class_and_its_base_the_class_is_trained(worker, programs):
    text = text_of(programs) + "\n\nclass Louder(Scripted):\n    def on_fit_start(self): print('louder')\n"

    assert "louder" in worker("scripted", text).run().log


def test_a_module_that_the_program_imports_is_trained(worker, programs):
    programs("scripted")
    start = worker(
        "program", "import pytorch_lightning as pl\nfrom scripted import Scripted, dataloaders\nMAX_EPOCHS = 2\n"
    )

    assert len(start.run().reports) == 2


def test_epochs_come_from_the_program_unless_the_space_says(worker):
    assert len(worker("scripted").run().reports) == 4
    assert len(worker("scripted").run(MAX_EPOCHS=2).reports) == 2
    assert len(worker("scripted", max_epochs=3).run(MAX_EPOCHS=2).reports) == 3


def test_a_callback_of_the_program_may_end_the_trial(worker, programs):
    text = text_of(programs).replace(
        "    def configure_optimizers",
        "    def configure_callbacks(self):\n"
        "        return [pl.callbacks.EarlyStopping('Score/Val', mode='max', patience=1)]\n\n"
        "    def configure_optimizers",
    )
    trial = worker("scripted", text).run(CURVE=[0.5, 0.4, 0.3, 0.2])

    assert trial.record.stage == "complete"
    assert [epoch for epoch, *_ in trial.reports] == [1, 2]
