"""Where the source does not tell what is logged, ``promote`` asks a batch or two, on the Ray of the test session."""

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
