"""Where the source does not tell what is logged, ``promote`` asks a batch or two, on the Ray of the test session."""

import tempfile

import pytest

from tests.projects import write_program
from tune.cli import main
from tune.space.space_file import read_space

pytestmark = pytest.mark.usefixtures("ray")


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
    assert capfd.readouterr().out.startswith("the source does not tell what is logged; asking a batch or two")
    space = read_space(path.parent / "lr.yaml")
    assert (space.metric, space.mode) == ("validate_score", "max")
    assert "logged in a run of a batch or two; also logged: Loss/Train, Loss/Val, Score/Train" in space.path.read_text()


def test_promote_when_the_program_fails_then_its_traceback_is_told_and_no_folder_is_left(tmp_path, monkeypatch, capfd):
    path = write_program(tmp_path / "project", "scripted")
    text = path.read_text().replace('"Score/Val"', '"/".join(("Score", "Val"))')
    text = text.replace('"Loss/Val"', '"/".join(("Loss", "Val"))')
    path.write_text(text.replace("super().__init__()\n", "super().__init__()\n        raise OSError('no disk')\n", 1))
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert main(["promote", "scripted.py", "LR"]) == 1
    err = capfd.readouterr().err
    assert err.startswith("scripted.py:21: the baseline failed in the pre-flight: OSError: no disk\n")
    assert "\n  The traceback ends:\n" in err
    assert err.endswith("\n    OSError: no disk\n")
    assert list(tmp_path.glob("promotune-*")) == []
