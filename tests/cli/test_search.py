"""A search from its command line to its last line, on the one Ray of the test session."""

import os
import re
import sys

import pytest

from tune.cli import main

N_CORES = len(os.sched_getaffinity(0))
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
    (storage / "s").mkdir(parents=True)  # of an earlier search
    status, out, err = run("--space", "s", "--trials", "3", "--trainer.max_epochs", "2", "--concurrency", "2")

    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert "\r" not in out
    assert out.startswith(
        "scripted.py: maximise Score/Val\n"
        f"{THERE}\n"
        "3 trials, 2 at a time with 1 CPU each; sampler tpe, scheduler asha, seed 0\n"
        "\n"
        "constant     hardcoded   searched                \n"
        "LR           0.01        loguniform 0.0001 to 0.1\n"
        "BATCH_SIZE   8           choice 8, 16            \n"
    )
    assert re.search(rf"^TensorBoard +\S*tensorboard --logdir {storage} --port \d+$", out, re.MULTILINE)
    assert len(re.findall(r"^[123]/3 [* ] complete +2 epochs  0.2 +00[012],", out, re.MULTILINE)) == 3
    assert "\n3 trials: 3 complete\nbest: Score/Val = 0.2 in epoch 2 of 000,baseline\n" in out
    assert "the hardcoded values: 0.2; no trial was better\n" in out
    assert f"everything is in {storage / 's-2'}\n" in out
    assert f"next: python run_search.py retrain s-2 --seeds 5 --storage {storage}\n" in out
    assert sorted(entry.name for entry in storage.iterdir()) == ["s", "s-2"]
    assert list((storage / "s").iterdir()) == []


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


def test_a_metric_that_is_never_logged_leaves_nothing(run, project, storage):
    edit(project / "s.yaml", "Score/Val", "Accuracy")
    status, _, err = run("--space", "s.yaml")

    assert status == 2
    assert err == ("s.yaml:2: 'Accuracy' is never logged\n  Logged: Loss/Train, Loss/Val, Score/Train, Score/Val.\n")
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
