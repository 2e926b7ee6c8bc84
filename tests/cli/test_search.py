"""A search from its command line to its last line, on the one Ray of the test session."""

import json
import re
import sys

import pytest

from tune.cli import main
from tune.cluster.resources import count_cores
from tune.paths import ExperimentPaths
from tune.space.space_file import read_space, write_space

N_CORES = count_cores()
THERE = f"{N_CORES} CPU core{'s' if N_CORES != 1 else ''}, no GPU"

pytestmark = pytest.mark.usefixtures("ray")


@pytest.fixture
def run(project, storage, monkeypatch, capfd):
    """Return what runs the command line in this process: its exit status, and what it wrote."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["run_search.py"])

    def command(*arguments):
        capfd.readouterr()
        # as in a process of its own: what Ray prints follows descriptor 1 to the driver's log
        monkeypatch.setattr(sys, "stdout", open(1, "w", buffering=1, closefd=False))  # noqa: SIM115
        status = main([*arguments, "--storage", str(storage)])
        return status, *capfd.readouterr()

    return command


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_search_shows_what_it_did_and_what_comes_next(run, storage):
    (storage / "s").mkdir(parents=True)
    (storage / "s" / "notes.txt").write_text("of the user")
    status, out, err = run("--space", "s", "--trials", "3", "--trainer.max_epochs", "2", "--concurrency", "2")

    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert "\r" not in out
    assert out.startswith(
        "scripted.py: maximise Score/Val\n"
        f"{THERE}\n"
        "3 trials, 2 at a time with 1 CPU each; sampler tpe, scheduler asha, seed 0\n"
        "\n"
        "constant     hardcoded   searched\n"
        "LR           0.01        loguniform 0.0001 to 0.1\n"
        "BATCH_SIZE   8           choice 8, 16\n"
    )
    assert re.search(rf"^TensorBoard +\S*tensorboard --logdir {storage} --port \d+$", out, re.MULTILINE)
    assert len(re.findall(r"^[123]/3 [* ] complete +2 epochs  0.2 +00[012],", out, re.MULTILINE)) == 3
    assert "\n3 trials: 3 complete\nbest: Score/Val = 0.2 in epoch 2 of 000,baseline\n" in out
    assert "the hardcoded values: 0.2; no trial was better\n" in out
    assert f"everything is in {storage / 's-2'}\n" in out
    assert f"\nnext: python run_search.py resume s-2 --storage {storage} --trials +3\n" in out
    assert "retrain" not in out  # there is nothing to compare with the hardcoded values
    assert sorted(entry.name for entry in storage.iterdir()) == ["s", "s-2"]
    assert [path.name for path in (storage / "s").iterdir()] == ["notes.txt"]


def test_a_quiet_search_prints_the_best_and_the_folder_alone(run, storage):
    status, out, err = run("--space", "s", "--trials", "1", "--trainer.max_epochs", "2", "--quiet")

    assert (status, err) == (0, "")
    assert out == f"best: Score/Val = 0.2 in epoch 2 of 000,baseline\neverything is in {storage / 's'}\n"

    status, out, err = run("resume", "s", "--trials", "+1", "--quiet")
    assert (status, err) == (0, "")
    assert out == f"best: Score/Val = 0.2 in epoch 2 of 000,baseline\neverything is in {storage / 's'}\n"

    status, out, err = run("retrain", "s", "--quiet")
    assert (status, err) == (0, "")
    assert re.fullmatch(
        r"000,baseline: reproduced: the same curve in all 2 epochs that both have\n"
        r"the best run: Score/Val = 0.2 in epoch 2 of 2\n"
        rf"checkpoint: {storage}/s/retrain/\S+/checkpoints/best.ckpt\n",
        out,
    )


def test_a_fast_dev_run_leaves_nothing(run, storage):
    status, out, err = run("--space", "s.yaml", "--fast-dev-run")

    assert (status, err) == (0, "")
    assert out.endswith("\nthe baseline trains and validates; it logs Loss/Train, Loss/Val, Score/Train, Score/Val\n")
    assert list(storage.iterdir()) == []


def test_a_fast_dev_run_of_a_program_that_raises_tells_its_traceback_and_leaves_nothing(run, project, storage):
    edit(project / "scripted.py", "super().__init__()\n", "super().__init__()\n        raise OSError('no disk')\n")
    status, _, err = run("--space", "s.yaml", "--fast-dev-run")

    assert status == 1
    assert err.startswith(
        "scripted.py:21: the baseline failed in the pre-flight: OSError: no disk\n"
        "  raise OSError('no disk')\n  The last lines of the traceback:\n"
    )
    assert err.endswith("\n    OSError: no disk\n")
    assert str(storage) not in err
    assert list(storage.iterdir()) == []


def test_a_fast_dev_run_whose_process_dies_tells_what_it_printed_last_and_leaves_nothing(run, project, storage):
    dies = "super().__init__()\n        import os; print('so far', flush=True); os.kill(os.getpid(), 9)\n"
    edit(project / "scripted.py", "super().__init__()\n", dies)
    status, _, err = run("--space", "s.yaml", "--fast-dev-run")

    assert status == 1
    assert err.startswith("the worker died in the pre-flight: ")
    assert "\n  The program's last lines:\n" in err
    assert "\n    so far\n" in err
    assert str(storage) not in err
    assert list(storage.iterdir()) == []


def test_a_metric_that_is_never_logged_leaves_nothing(run, project, storage):
    edit(project / "s.yaml", "Score/Val", "Accuracy")
    status, _, err = run("--space", "s.yaml")

    assert status == 2
    assert err == (
        "s.yaml:2: 'Accuracy' is never logged\n  Logged: Loss/Train, Loss/Val, Score/Train, Score/Val.\n"
        "  Write there: `metric: Score/Val`.\n"
    )
    assert list(storage.iterdir()) == []


def test_a_program_that_raises_in_its_constructor_ends_the_search(run, project, storage):
    edit(project / "scripted.py", "super().__init__()\n", "super().__init__()\n        raise OSError('no disk')\n")
    status, _, err = run("--space", "s.yaml")

    error = storage / "s" / "000,baseline" / "error.txt"
    assert status == 1
    assert err == (
        "scripted.py:21: the baseline failed in the pre-flight: OSError: no disk\n"
        f"  raise OSError('no disk')\n  The whole traceback: {error}\n"
    )
    assert error.read_text().endswith("OSError: no disk\n")


def test_a_search_whose_preflight_failed_is_told_and_gives_its_name_to_the_next_one(run, project, storage):
    edit(project / "scripted.py", "super().__init__()\n", "super().__init__()\n        raise OSError('no disk')\n")
    assert run("--space", "s.yaml")[0] == 1
    failed = "the pre-flight failed: OSError: no disk (scripted.py:21)"
    mend = "Mend the program and search again. `resume` runs the copy of the program that failed."

    _, listed, _ = run("list")
    _, shown, _ = run("results", "s")
    assert re.search(r"^s +pre-flight failed +0 of 2 ", listed, re.MULTILINE)
    assert listed.endswith(f"s: {failed}\n  {mend}\n")
    assert f"\n{failed}\n{mend}\n" in shown
    (told,) = json.loads(run("results", "s", "--json")[1])["experiments"]
    assert told["preflight_failure"] == {
        "sentence": failed,
        "kind": "OSError",
        "message": "no disk",
        "place": "scripted.py:21",
        "code": "raise OSError('no disk')",
    }

    edit(project / "scripted.py", "        raise OSError('no disk')\n", "")
    status, out, err = run("--space", "s.yaml")
    assert (status, err) == (0, "")
    assert f"the earlier s trained nothing, and was removed: {failed}\n" in out
    assert [path.name for path in storage.iterdir()] == ["s"]
    _, listed, _ = run("list")
    assert re.search(r"^s +finished +2 of 2 ", listed, re.MULTILINE)
    assert "pre-flight" not in listed
    assert run("--space", "s.yaml")[0] == 0
    assert sorted(path.name for path in storage.iterdir()) == ["s", "s-2"]


def test_a_search_that_never_began_is_begun_by_resume_and_one_line_says_so(run, project, storage):
    begun = ExperimentPaths(storage / "s")
    begun.folder.mkdir(parents=True)
    begun.lock.touch()
    write_space(read_space(project / "s.yaml"), begun.space)
    status, out, err = run("resume", "s")

    assert (status, err) == (0, "")
    assert out.count("s never began: it begins now\n") == 1
    assert "removed" not in out
    assert [path.name for path in storage.iterdir()] == ["s"]
    assert "\n2 trials: 2 complete\n" in out


@pytest.mark.slow
def test_a_search_that_its_time_budget_ends_has_status_0_and_says_how_to_go_on(run):
    status, out, err = run("--space", "s.yaml", "--trials", "2000", "--time-budget", "6s")

    assert (status, err) == (0, "")
    assert re.search(r"^to go on: .+ resume s ", out, re.MULTILINE)
    (listed,) = json.loads(run("list", "--json")[1])
    assert listed["state"] == "interrupted"
    assert 0 < listed["n_trials"] < 2000


def test_a_search_of_a_grid_is_listed_as_finished_though_it_was_to_have_more_trials(run, project):
    edit(project / "s.yaml", "  LR: {loguniform: [1e-4, 1e-1]}\n", "")
    status, out, err = run("--space", "s.yaml", "--trials", "9", "--sampler", "grid", "--trainer.max_epochs", "1")

    assert (status, err) == (0, "")
    assert "to go on" not in out
    (listed,) = json.loads(run("list", "--json")[1])
    assert (listed["state"], listed["n_trials"], listed["n_wanted"]) == ("finished", 2, 9)


@pytest.mark.slow
def test_a_search_in_which_every_trial_fails_says_where_to_look(run, project, storage):
    edit(
        project / "scripted.py", "        loss = ", "        if self.current_epoch:\n            1 / 0\n        loss = "
    )
    edit(project / "scripted.py", "CURVE = [0.1", "CURVE = [float('nan')")
    status, out, _ = run("--space", "s.yaml")

    assert status == 1
    assert "2 trials: 2 failed\n" in out
    assert "no trial has a score; each version's trial.json and log.txt say why\n" in out
    assert "next:" not in out


def test_a_search_whose_baseline_fails_says_so_first_and_with_its_status(run, project, storage):
    raising = "        if self.current_epoch and LR == 1e-2:\n            raise ValueError('too fast')\n        loss = "
    edit(project / "scripted.py", "        loss = ", raising)
    status, out, _ = run("--space", "s.yaml", "--trials", "2")

    assert status == 1
    assert "\nthe baseline failed, so no gain is known: ValueError: too fast (scripted.py:" in out
    assert "the hardcoded values" not in out


SCRIPT = """
import argparse
import json

import pytorch_lightning as pl

from scripted import Scripted, dataloaders

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, default=1e-3)
parser.set_defaults(**json.loads('{"rate": 0.3}'))


class Script(Scripted):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def configure_optimizers(self):
        (optimizer,) = [super().configure_optimizers()]
        optimizer.param_groups[0]["lr"] = self.rate
        return optimizer


if __name__ == "__main__":
    pl.Trainer(max_epochs=1).fit(Script(parser.parse_args().rate), *dataloaders())
"""
SCRIPT_SPACE = "script: script.py\nmetric: Score/Val\nmode: max\nconstants:\n  {}: {{loguniform: [1e-4, 1e-1]}}\n"


def test_a_value_that_only_the_program_knows_is_shown_when_the_baseline_has_run(run, project, storage):
    (project / "script.py").write_text(SCRIPT)
    (project / "s.yaml").write_text(SCRIPT_SPACE.format("--rate"))
    status, out, err = run("--space", "s.yaml", "--trials", "2")

    assert (status, err) == (0, "")
    assert "\n--rate     json.loads('{\"rate\": 0.3}')   loguniform 0.0001 to 0.1\n" in out
    assert "\n--rate     0.3         0.3\n" in out


def test_a_word_that_nobody_reads_ends_the_search_before_it_begins(run, project, storage):
    (project / "script.py").write_text(SCRIPT.replace("parse_args()", "parse_known_args()[0]"))
    (project / "s.yaml").write_text(SCRIPT_SPACE.format("train.rate="))
    (project / "scripted.py").write_text("import sys\n" + (project / "scripted.py").read_text())
    status, _, err = run("--space", "s.yaml")

    assert status == 2
    assert err == (
        "s.yaml:5: train.rate= stands on the command line, and the program never reads it\n"
        "  Search a constant of the program, or let the program parse its command line.\n"
    )
    assert list(storage.iterdir()) == []


NOTED = """
CONFIG = {"lr": 0.01}
script = Script(0.05)
script.noted = CONFIG["lr"]  # and nothing reads that
pl.Trainer(max_epochs=1).fit(script, *dataloaders())
"""


def test_a_constant_without_effect_is_told_as_the_second_trial_ends_and_at_the_end(run, project):
    (project / "script.py").write_text(SCRIPT.partition('if __name__ == "__main__":')[0] + NOTED)
    (project / "s.yaml").write_text(SCRIPT_SPACE.format("CONFIG.lr"))
    status, out, err = run("--space", "s.yaml", "--trials", "3")

    told = "ended with the same weights and scores, to the last bit, though CONFIG.lr differs: "
    assert (status, err) == (0, "")
    assert out.count(f"warning: both trials {told}") == 1
    assert f"hint: all 3 trials {told}what the program trains with comes from elsewhere" in out
