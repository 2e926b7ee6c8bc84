"""A retraining from its command line to its last line, on the one Ray of the test session."""

import json
import shutil
import sys

import pytest

from tests.projects import write_program
from tune.cli import main

pytestmark = pytest.mark.usefixtures("ray")

SPACE = """\
system: chance.py
metric: Score/Val
mode: max
constants:
{constants}
trials: {trials}
scheduler: none
concurrency: 2
"""
NULL = "  SHIFT: {randint: [0, 100000]}"
PLANTED = "  EFFECT: {choice: [0.0, 3.0]}"


@pytest.fixture(scope="session")
def searched(ray, tmp_path_factory):
    """Return what searches a program once a test session, and gives its project and storage."""
    done = {}

    def search(constants, trials=2, old="", new=""):
        key = (constants, trials, new)
        if key not in done:
            folder = tmp_path_factory.mktemp("retrained")
            program = write_program(folder / "project", "chance")
            text = program.read_text()
            assert old in text
            program.write_text(text.replace(old, new))
            (program.parent / "pyproject.toml").touch()
            space = program.with_name("s.yaml")
            space.write_text(SPACE.format(constants=constants, trials=trials))
            assert main(["--space", str(space), "--storage", str(folder / "storage")]) == 0
            done[key] = program, folder / "storage"
        return done[key]

    return search


@pytest.fixture
def retrain(searched, tmp_path, monkeypatch, capfd):
    """Return what retrains a copy of what was searched: exit status, lines, and errors."""
    monkeypatch.setattr(sys, "argv", ["run_search.py"])

    class Command:
        def __init__(self, *search):
            self.program, storage = searched(*search)
            shutil.copytree(storage, tmp_path / "storage", dirs_exist_ok=True)
            self.folder = tmp_path / "storage" / "s"

        def __call__(self, *arguments):
            capfd.readouterr()
            status = main(["retrain", "s", *arguments, "--storage", str(tmp_path / "storage")])
            out, err = capfd.readouterr()
            return status, out.splitlines(), err

        @property
        def versions(self):
            return sorted(each.name for each in (self.folder / "retrain").iterdir() if each.name[0].isdecimal())

    return Command


@pytest.mark.slow
def test_a_trial_when_nothing_changed_comes_out_again_and_says_how_to_load_it(retrain):
    command = retrain(NULL)
    status, lines, err = command("--trial", "1")

    (version,) = command.versions
    assert (status, err) == (0, "")
    assert version.startswith("000,SHIFT=")
    assert f"{version.replace('000,', '001,')}: reproduced: the same curve in all 2 epochs that both have" in lines
    assert f"checkpoint: {command.folder}/retrain/{version}/checkpoints/best.ckpt" in lines
    assert lines[-2:] == ["from tune import load", f'model = load("{command.folder}/retrain/{version}")']


@pytest.mark.slow
def test_a_retraining_when_the_same_is_asked_again_takes_what_is_there(retrain):
    command = retrain(NULL)
    command("--trial", "1", "--seeds", "2")
    before = command.versions
    status, lines, _ = command("--trial", "1", "--seeds", "3")

    assert status == 0
    assert "5 of 7 runs are there already" in lines
    assert len(command.versions) == len(before) + 2 == 7


@pytest.mark.slow
def test_a_retraining_that_was_interrupted_goes_on(retrain):
    command = retrain(NULL)
    command("--trial", "1", "--seeds", "2")
    victim = next(each for each in command.versions if "baseline,seed=2" in each)
    file = command.folder / "retrain" / victim / "trial.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "stage": "stopped", "curve": record["curve"][:1]}))
    status, lines, _ = command("--trial", "1", "--seeds", "2")

    assert status == 0
    assert "4 of 5 runs are there already" in lines
    assert json.loads(file.read_text())["stage"] == "complete"
    assert json.loads(file.read_text())["attempt"] == 2


def finding(lines):
    heads = ("not disting", "no verdict", "2 seeds are too few to tell: ")
    (found,) = [line for line in lines if " real: " in line or line.startswith(heads)]
    return found


@pytest.mark.slow
def test_the_best_of_twenty_equals_is_not_distinguishable_from_noise(retrain):
    status, lines, _ = retrain(NULL, 20)("--seeds", "5")

    assert status == 0
    assert finding(lines).startswith("not distinguishable from seed noise: a difference of ")


@pytest.mark.slow
def test_an_effect_of_three_deviations_is_real(retrain):
    status, lines, _ = retrain(PLANTED, 4)("--seeds", "5")

    assert status == 0
    assert finding(lines).startswith("the gain of ")
    assert " over the hardcoded values is real: 99% interval " in finding(lines)


TESTED = """
    def test_step(self, batch, idx):
        self.log("Score/Test", torch.randn(()).item())

    def test_dataloader(self):
        return DataLoader([0.0], batch_size=1)

    def configure_optimizers(self):"""


@pytest.mark.slow
def test_a_gain_that_the_test_data_do_not_have_is_told_beside_the_one_that_validation_has(retrain):
    """The effect is one of the validation set alone: such is what a search makes of noise there."""
    status, lines, _ = retrain(PLANTED, 4, "    def configure_optimizers(self):", TESTED.lstrip("\n"))("--seeds", "5")
    place = next(number for number, line in enumerate(lines) if line.startswith("the gain of "))

    assert status == 0
    assert " over the hardcoded values is real: " in lines[place]
    told = "on test data (Score/Test): not distinguishable from seed noise: a difference of "
    assert lines[place + 1].startswith(told)
    (head,) = (number for number, line in enumerate(lines) if line.startswith("Score/Val, 5 fresh seeds"))
    assert lines[head].split("  ")[-1].strip() == "Score/Test, mean"
    means = [float(line.split()[-1]) for line in lines[head + 1 : head + 3]]
    assert means[1] - means[0] == pytest.approx(float(lines[place + 1].removeprefix(told).partition(",")[0]), abs=0.02)


@pytest.mark.slow
def test_the_best_ones_are_each_compared_with_the_hardcoded_values(retrain):
    _, lines, _ = retrain(NULL, 4)("--top", "2", "--seeds", "3")

    assert sum("(together with 1 more)" in line for line in lines) == 2
    assert "and with fresh seeds, the hardcoded values too: 1, 2, 3" in lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.manual_seed(SHIFT)", "SEED = 7\npl.seed_everything(SEED + SHIFT, verbose=False)"),
        ("torch.manual_seed(SHIFT)", "from torch import manual_seed\nmanual_seed(SHIFT)"),
        ("self.log(", "torch.manual_seed(SHIFT + self.current_epoch)\n        self.log("),
    ],
    ids=["seed_everything", "from torch import manual_seed", "in every epoch"],
)
def test_seeds_are_in_force_where_the_program_seeds_itself(retrain, old, new):
    _, lines, _ = retrain(NULL, 2, old, new)("--trial", "1", "--seeds", "2")
    scores = {line.split()[0] for line in lines if "  retrain/" in line}

    assert len(scores) == 5
    assert "no verdict" not in finding(lines)


@pytest.mark.slow
def test_a_seed_that_cannot_be_put_in_force_leaves_no_verdict(retrain):
    own = "torch.randn((), generator=torch.Generator().manual_seed(SHIFT)).item()"
    _, lines, _ = retrain(NULL, 2, "torch.randn(()).item()", own)("--trial", "1", "--seeds", "2")

    assert finding(lines).startswith("no verdict: the seed is not in force; 2 seeds gave the very same curve")


OTHERWISE = "  what differs: "


@pytest.mark.slow
def test_a_source_that_was_edited_is_named(retrain):
    command = retrain(NULL)
    text = command.program.read_text()
    try:
        command.program.write_text(text.replace("EFFECT = 0.0", "EFFECT = 1.0"))
        status, lines, _ = command("--trial", "1", "--current-source")
    finally:
        command.program.write_text(text)

    assert status == 0
    assert [line for line in lines if line.startswith("  ")] == [f"{OTHERWISE}source: chance.py: line 8"]
    assert any("not reproduced: epoch 1 differs first, the largest difference is 1" in line for line in lines)


@pytest.mark.slow
def test_a_package_of_another_version_is_named(retrain):
    command = retrain(NULL)
    _otherwise(command)
    file = command.folder / "surroundings.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "torch": "2.4.1"}))
    _, lines, _ = command("--trial", "1")

    (told,) = [line for line in lines if line.startswith("  ")]
    assert told.startswith(f"{OTHERWISE}torch: 2.4.1 then, 2.")


@pytest.mark.slow
def test_another_seed_is_named(retrain):
    constants = "  EFFECT: {uniform: [0.0, 1.0]}"
    command = retrain(constants, 2, "torch.manual_seed(SHIFT)\n", "")
    _, lines, _ = command("--trial", "1", "--seed", "3")

    assert [line for line in lines if line.startswith("  ")] == [f"{OTHERWISE}seed: 0 then, 3 now"]


@pytest.mark.slow
def test_another_trainer_is_named(retrain):
    command = retrain(NULL, 2, "EFFECT + ", "EFFECT + self.trainer.max_epochs + ")
    _, lines, _ = command("--trial", "1", "--trainer.max_epochs", "3")

    assert [line for line in lines if line.startswith("  ")] == [f"{OTHERWISE}trainer.max_epochs: none then, 3 now"]


def test_a_gain_is_real_also_where_the_program_draws_from_the_system_and_is_not_deterministic(retrain):
    drawn = "int.from_bytes(__import__('os').urandom(4), 'big') / 2**32"
    command = retrain("  EFFECT: {uniform: [5.0, 6.0]}", 2, "torch.randn(()).item()", drawn)
    status, lines, err = command("--trial", "1", "--seeds", "3")

    (told,) = [line for line in lines if line.startswith("  ")]
    assert (status, err) == (0, "")
    assert told == "  the program is not deterministic: two runs with the same seed, one after the other, differ too"
    assert finding(lines).startswith("the gain of ")
    assert " over the hardcoded values is real: 99% interval " in finding(lines)
    assert len(command.versions) == sum("  retrain/" in line for line in lines) == 8


def _otherwise(command):
    """Make the search's own curve another one, as another version of a package would have made it."""
    journal = command.folder / "study.journal"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        if "intermediate_value" in line:
            line["intermediate_value"] += 0.25
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.mark.slow
def test_a_search_that_cannot_be_repeated_for_no_known_reason_is_told_so(retrain):
    command = retrain(NULL)
    _otherwise(command)
    _, lines, _ = command("--trial", "1")

    (told,) = [line for line in lines if line.startswith("  ")]
    assert told.startswith(
        "  two runs of today agree with each other: what differs is not recorded, such as data files"
    )


WRONG = {
    ("--seeds", "0"): "--seeds: must be 1 or more, got 0\n  Write `--seeds 5`.\n",
    ("--top", "2", "--trial", "1"): (
        "--top: either the best trials or one by its number, got both\n  Take one of them out.\n"
    ),
    ("--seed", "-1"): "--seed: must be 0 to 4294967295, got -1\n  Write `--seed 1`.\n",
}


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "message"), WRONG.items(), ids=lambda each: " ".join(each))
def test_a_mistake_is_told(retrain, arguments, message):
    assert retrain(NULL)(*arguments) == (2, [], message)
