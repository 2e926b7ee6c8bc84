"""What a program's Trainer says of its processes is replaced, and a search says so."""

import pytest

from tune.promotion.checks.replaced_processes import process_warnings
from tune.space.space import Script, System

TOLD = "a trial trains in one process on one machine, and not with"
CLI = "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n"
OPTION = """
import argparse
import lightning as L
parser = argparse.ArgumentParser()
parser.add_argument("--gpus", type=int, default=4)
args = parser.parse_args()
L.Trainer(devices=args.gpus)
"""
GIVEN = {
    "devices": ("L.Trainer(devices=2)", "train.py:2: {} devices=2; `gpus_per_trial: 2` or `workers_per_trial: 2`"),
    "a list": ("L.Trainer(devices=[0, 1, 2])", "train.py:2: {} devices=[0, 1, 2]; `gpus_per_trial: 3`"),
    "a text": ("L.Trainer(devices='0,1')", "train.py:2: {} devices='0,1'; `gpus_per_trial: 2`"),
    "nodes": ("L.Trainer(num_nodes=3)", "train.py:2: {} num_nodes=3; `gpus_per_trial: 2`"),
    "a strategy": ("L.Trainer(strategy='ddp')", "train.py:2: {} strategy='ddp'; `gpus_per_trial: 2`"),
    "all of them": (
        "N = 2\nL.Trainer(num_nodes=N, devices=8, strategy='fsdp')",
        "train.py:3: {} devices=8, num_nodes=2, strategy='fsdp'; `gpus_per_trial: 8`",
    ),
    "an option": (OPTION, "train.py:6: {} devices=4; `gpus_per_trial: 4`"),
    "one": ("L.Trainer(devices=1, num_nodes=1, strategy='auto')", None),
    "one GPU": ("L.Trainer(devices=[1])", None),
    "as many as there are": ("L.Trainer(devices=-1); L.Trainer(devices='auto')", None),
    "another function's": ("launch(devices=2, num_nodes=2)", None),
}


@pytest.mark.parametrize(("text", "told"), GIVEN.values(), ids=GIVEN)
def test_processes_that_a_program_asks_for_are_told_with_the_setting_that_gives_them(text, told, program_of):
    warnings = process_warnings(program_of(f"import lightning as L\n{text}\n".lstrip()), Script(), {}, 1)

    assert len(warnings) == (told is not None)
    assert told is None or warnings[0].startswith(told.format(TOLD))


def test_the_whole_warning(program_of):
    program = program_of("import lightning as L\nL.Trainer(devices=4)\n")

    assert process_warnings(program, System(), {}, 2) == (
        (
            "train.py:2: a trial trains in 2 processes on one machine, and not with devices=4; "
            "`gpus_per_trial: 4` or `workers_per_trial: 4` gives it 4 processes"
        ),
    )


@pytest.mark.parametrize(("n_processes", "trainer"), [(4, {}), (1, {"devices": 1})])
def test_processes_that_a_trial_has_or_the_search_names_are_not_told(n_processes, trainer, program_of):
    program = program_of("import lightning as L\nL.Trainer(devices=4)\n")

    assert process_warnings(program, Script(), trainer, n_processes) == ()


def test_a_config_file_of_a_lightning_cli_counts(program_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = program_of(CLI, {"c.yaml": "trainer:\n  devices: 2\n  num_nodes: 2\n"})

    (warning,) = process_warnings(program, Script(args=("fit", "--config", "c.yaml")), {}, 1)
    assert warning.startswith(f"c.yaml:2: {TOLD} devices=2, num_nodes=2; ")
