"""Where the source does not tell what is logged, ``promote`` asks a batch or two, on the Ray of the test session."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.projects import write_program
from tests.search.test_kill import wait_for
from tune.cli import main
from tune.space.space_file import read_space

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("ray")

RUN = "logged in a run of a batch or two, and nothing in validation"


def test_promote_when_the_tags_are_made_in_a_loop_then_a_batch_tells_them(tmp_path, monkeypatch, capfd):
    path = write_program(tmp_path / "project", "scripted")
    text = path.read_text()
    assert text.count('"Score/Val"') == text.count('"Loss/Val"') == 1
    path.write_text(
        text.replace('"Score/Val"', 'f"{self.trainer.state.stage.value}_score"').replace(
            '"Loss/Val"', '"/".join(("Loss", "Val"))'
        )
    )
    monkeypatch.chdir(path.parent)

    assert main(["promote", "scripted.py", "LR", "-o", "lr"]) == 0
    assert capfd.readouterr().out.startswith(
        "LR: loguniform 0.001 to 0.1; it holds 1e-2 (scripted.py:10): a tenth to ten times\n"
        "the source does not tell what is logged; asking a batch or two of training and validation\n"
        "  --metric NAME --mode min, or --mode max, says it without that run\n"
    )
    space = read_space(path.parent / "lr.yaml")
    assert (space.metric, space.mode) == ("validate_score", "max")
    assert "logged in a run of a batch or two; also logged: Loss/Train, Loss/Val, Score/Train" in space.path.read_text()


def test_promote_when_the_program_validates_nothing_then_a_metric_of_training_is_asked_for(
    tmp_path, monkeypatch, capfd
):
    path = write_program(tmp_path / "project", "scripted")
    path.write_text(path.read_text().replace("return dl(data), dl(data)", "return (dl(data),)"))
    assert "return (dl(data),)" in path.read_text()
    monkeypatch.chdir(path.parent)

    assert main(["promote", "scripted.py", "LR", "-o", "lr"]) == 2
    told = capfd.readouterr()
    assert "\nthe program validates nothing; asking a batch or two" in told.out
    assert told.err == (f"the metric may be any of Loss/Train, Score/Train ({RUN})\n  Name it: --metric Loss/Train.\n")


@pytest.mark.parametrize("given", [["--metric=Nope", "--mode", "min"], ["--mode=max", "--metric", "Nope"]], ids=str)
def test_a_search_by_a_metric_that_is_never_logged_names_the_command_with_one_that_is(
    given, tmp_path, monkeypatch, capfd
):
    path = write_program(tmp_path / "project", "scripted")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(sys, "argv", ["promotune", "scripted.py", "LR", *given, "--yes", "--trials", "2"])

    assert main([*sys.argv[1:], "--storage", str(tmp_path / "storage")]) == 2
    assert capfd.readouterr().err == (
        "scripted.py: 'Nope' is never logged\n  Logged: Loss/Train, Loss/Val, Score/Train, Score/Val.\n"
        "  Write: promotune scripted.py LR --yes --trials 2 --metric Score/Val\n"
    )


@pytest.mark.parametrize(
    "words", [[], ["--fast-dev-run"], ["--fast-dev-run", "--quiet"]], ids=["a search", "a rehearsal", "a quiet one"]
)
def test_where_the_drafted_metric_is_not_logged_the_search_is_judged_by_another_of_validation(
    words, tmp_path, monkeypatch, capfd
):
    path = write_program(tmp_path / "project", "scripted")
    text = path.read_text()
    assert text.count('self.log("Score/Val"') == 1
    path.write_text(text.replace('self.log("Score/Val"', 'if len(str(self)) < 2: self.log("Score/Val"'))
    monkeypatch.chdir(path.parent)
    storage = tmp_path / "storage"

    assert main(["scripted.py", "LR", "--yes", "--trials", "2", "--storage", str(storage), *words]) == 0
    out = capfd.readouterr().out
    told = "'Score/Val' is never logged with the values in force; the search begins again, judged by Loss/Val\n"
    assert told in out.replace("\n", " ").replace("Loss/Val ", "Loss/Val\n")
    if "--quiet" not in words:
        assert "\nmetric   Loss/Val: logged in the pre-flight; also logged: Loss/Train, Score/Train\n" in out
    if not words:
        assert read_space(storage / "scripted" / "space.yaml").metric == "Loss/Val"
        assert out.endswith("  promotune promote scripted.py LR --metric Loss/Val --mode min\n")


def write_program_of_no_metric(folder, line):
    """Return a program whose source does not tell what it logs, with a line at the end of its constructor."""
    path = write_program(folder, "scripted")
    text = path.read_text()
    for name in ("Score", "Loss"):
        text = text.replace(f'"{name}/Val"', f'"/".join(("{name}", "Val"))')
    path.write_text(text.replace("super().__init__()\n", f"super().__init__()\n        {line}\n", 1))
    return path


def test_promote_when_the_program_fails_then_its_traceback_is_told_and_no_folder_is_left(tmp_path, monkeypatch, capfd):
    path = write_program_of_no_metric(tmp_path / "project", "raise OSError('no disk')")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert main(["promote", "scripted.py", "LR"]) == 1
    err = capfd.readouterr().err
    assert err.startswith("scripted.py:21: the baseline failed in the pre-flight: OSError: no disk\n")
    place = f'      File "{path}", line 21, in __init__\n'
    assert f"\n  The last lines of the traceback:\n{place}" in err  # no frame of how the program is called
    assert err.endswith("\n    OSError: no disk\n")
    assert list(tmp_path.glob("promotune*")) == []


GAN = """\
import pytorch_lightning as pl
import torch
LR = 0.1
class Gan(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)
    def training_step(self, batch, idx):
        loss = self.net(batch).pow(2).mean()
        for name in "dg":
            self.log(f"{name}_loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)
    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(8, 2), batch_size=4)
if __name__ == "__main__":
    pl.Trainer(max_epochs=2).fit(Gan())
"""
ASKED = {
    "promote": (f"the metric may be any of d_loss, g_loss ({RUN})\n  Name it: --metric d_loss.\n"),
    "": (
        "gan.py: the search has to be told 1 thing more\n"
        f"  --metric d_loss  which of these to judge by: d_loss, g_loss ({RUN})\n"
        "  Write: promotune gan.py LR --metric d_loss\n"
    ),
}


OF_A_TEST = """\
    def test_step(self, batch, idx):
        self.log("_".join(("test", "loss")), self.net(batch).mean())
"""


def test_a_metric_of_a_test_is_asked_for_before_a_search_is_judged_by_it(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["promotune"])
    text = GAN.replace('        for name in "dg":\n            self.log(f"{name}_loss", loss)\n', "")
    text = text.replace("    def train_data", f"{OF_A_TEST}    def train_data").replace(
        "pl.Trainer(max_epochs=2).fit(Gan())",
        "trainer = pl.Trainer(max_epochs=2)\n    trainer.fit(Gan())\n    trainer.test(Gan(), Gan().train_dataloader())",
    )
    monkeypatch.chdir(write_program(tmp_path / "project", "tested", text).parent)

    assert main(["tested.py", "LR"]) == 2

    assert "  --metric test_loss  which of these to judge by: test_loss (logged in a run" in capfd.readouterr().err


def test_a_program_that_comes_to_its_end_without_a_fit_is_told_so_when_its_metric_is_asked_for(
    tmp_path, monkeypatch, capfd
):
    text = GAN.replace("    pl.Trainer", "    if Path('old.ckpt').exists():\n        sys.exit()\n    pl.Trainer")
    monkeypatch.chdir(
        write_program(tmp_path / "project", "gan", f"import sys\nfrom pathlib import Path\n{text}").parent
    )
    Path("old.ckpt").touch()

    assert main(["promote", "gan.py", "LR"]) == 2
    assert capfd.readouterr().err.startswith("the program never calls Trainer.fit\n  It comes to its end without: ")


@pytest.mark.parametrize("command", ASKED, ids=["promote", "search"])
def test_which_of_the_losses_of_two_networks_is_meant_is_asked(command, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["promotune"])
    monkeypatch.chdir(write_program(tmp_path / "project", "gan", GAN).parent)

    assert main([*command.split(), "gan.py", "LR"]) == 2
    assert capfd.readouterr().err == ASKED[command]


def test_the_run_takes_the_arguments_of_the_trainer_that_the_search_would_take(tmp_path, monkeypatch, capfd):
    text = GAN.replace("max_epochs=2", 'max_epochs=2, strategy="of another machine"').replace('"dg"', '"d"')
    monkeypatch.chdir(write_program(tmp_path / "project", "gan", text).parent)

    assert main(["promote", "gan.py", "LR", "--trainer.strategy", "auto"]) == 0
    assert "metric: d_loss  # logged in a run of a batch or two, and nothing in validation" in capfd.readouterr().out


@pytest.mark.slow
def test_promote_when_it_is_killed_while_the_program_runs_then_no_folder_is_left(tmp_path):
    path = write_program_of_no_metric(tmp_path / "project", "import time; time.sleep(60)")
    with tempfile.TemporaryDirectory(prefix="s-", dir="/tmp", ignore_cleanup_errors=True) as place:  # for sockets
        environment = {**os.environ, "TMPDIR": place}
        words = [sys.executable, ROOT / "run_search.py", "promote", "scripted.py", "LR"]
        process = subprocess.Popen(words, cwd=path.parent, env=environment, start_new_session=True)
        wait_for(lambda: list(Path(place).glob("**/000,baseline/trial.json")), 60)
        process.kill()
        process.wait()
        wait_for(lambda: not list(Path(place).glob("promotune*")), 30)
