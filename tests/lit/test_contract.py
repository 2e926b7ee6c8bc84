"""One contract over every system in `lit/` and every file in `search_spaces/`, held by being there."""

import importlib
import inspect
from pathlib import Path

import pytest

from tune.promotion.checks.space_checks import space_warnings
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.schedulers.trial_length import check_epochs
from tune.space.space_file import read_space

ROOT = Path(__file__).parent.parent.parent
SYSTEMS = sorted(
    path for path in (ROOT / "lit").rglob("*.py") if "LightningModule)" in path.read_text(encoding="utf-8")
)
SPACES = sorted((ROOT / "search_spaces").iterdir())


def name(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SYSTEMS, ids=name)
def test_a_system_trains_one_batch(path, tmp_path):
    import pytorch_lightning as pl

    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    classes = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]
    (system,) = [each for each in classes if issubclass(each, pl.LightningModule)]
    trainer = pl.Trainer(
        max_epochs=1,
        limit_train_batches=1,
        limit_val_batches=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )

    trainer.fit(system(), *module.dataloaders())

    assert trainer.global_step >= 1
    assert trainer.callback_metrics


@pytest.mark.parametrize("path", SPACES, ids=name)
def test_a_space_file_fits_its_program(path):
    space = read_space(path)
    program = find_program(space.program)

    promoted = resolve_constants(space, program)

    check_epochs(space, program)
    assert space_warnings(promoted) == ()
    assert path.read_text(encoding="utf-8").startswith("# ")  # what it is for


def test_there_is_something_to_hold():
    assert ROOT / "lit" / "digits.py" in SYSTEMS
    assert ROOT / "search_spaces" / "lr_bs.yaml" in SPACES
