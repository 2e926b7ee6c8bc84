"""How many DataLoader workers a program asks for, as far as its source tells."""

import pytest

from tune.promotion.checks.program_checks import (
    DataLoaderWorkers,
    core_shortage_warnings,
    most_workers,
    validation_limit_doubts,
)
from tune.promotion.resolve import resolve_constants
from tune.space.space import Script
from tune.space.space_file import read_space

LOADER = "from torch.utils.data import DataLoader\n"
PROGRAMS = {
    "in a call": ("DataLoader([], num_workers=4)\n", 4, 2),
    "in a partial": ("from functools import partial\ndl = partial(DataLoader, num_workers=3)\n", 3, 3),
    "by a constant": ("NUM_WORKERS = 6\nDataLoader([], num_workers=NUM_WORKERS)\n", 6, 2),
    "in a mapping": ("CFG = {'workers': 5}\nDataLoader([], num_workers=CFG['workers'])\n", 5, 2),
    "as a default": ("class Data:\n    def __init__(self, num_workers=2): self.n = num_workers\n", 2, 3),
    "on the command line": (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--num-workers', type=int, default=7)\n",
        7,
        4,
    ),
    "the most of two": ("DataLoader([], num_workers=1)\nDataLoader([], num_workers=8)\n", 8, 3),
}


@pytest.mark.parametrize(("text", "number", "line"), PROGRAMS.values(), ids=PROGRAMS)
def test_the_number_is_found_wherever_it_is_written(program_of, text, number, line):
    assert most_workers(program_of(LOADER + text)) == DataLoaderWorkers(number=number, where=f"train.py:{line}")


DATA = "class Data:\n    def __init__(self, num_workers=6): self.n = num_workers\n"
OPTION = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--num-workers', type=int, default=1)\n"
GIVEN = {
    "by a star, from the command line": (OPTION + DATA + "Data(**vars(p.parse_args()))\n", (), 1),
    "by a star, and a word that args say": (OPTION + DATA + "Data(**vars(p.parse_args()))\n", ("--num-workers=3",), 3),
    "by all calls, and not by the default": (
        "def load(n, num_workers=8): print(num_workers)\nload(1, num_workers=settings.n)\nload(2, settings.n)\n",
        (),
        0,
    ),
    "by one call, and by the default in another": (
        "def load(n, num_workers=8): print(num_workers)\nload(1, num_workers=settings.n)\nload(2)\n",
        (),
        8,
    ),
    "by a star that nothing else tells of": (DATA + "Data(**settings)\n", (), 6),
    "by a call that leaves it out": (OPTION + DATA + "Data()\n", (), 6),
    "by a config": (
        DATA + "from lightning.pytorch.cli import LightningCLI\nLightningCLI(None, Data)\n",
        ("--data.num_workers", "2"),
        2,
    ),
}


@pytest.mark.parametrize(("text", "args", "number"), GIVEN.values(), ids=GIVEN)
def test_a_default_counts_where_nothing_gives_the_number(program_of, text, args, number):
    assert most_workers(program_of(text), shape=Script(args=args)).number == number


NONE = {
    "nothing": "",
    "a truth": "seed_everything(1, workers=True)\n",
    "another name": "n_coworkers = 3\n",
    "one that is never read": "NUM_WORKERS = 8\n",
    "what only running tells": "import os\nDataLoader([], num_workers=os.cpu_count())\n",
}


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_is_no_number_of_workers_is_not_taken_for_one(program_of, text):
    assert most_workers(program_of(LOADER + text)) == DataLoaderWorkers(number=0, where="")


def test_a_number_that_is_searched_counts_with_the_most_that_it_may_be(program_of):
    program = program_of(LOADER + "WORKERS = 1\nLR = 0.1\nDataLoader([], num_workers=WORKERS)\n")
    space = program.path.with_name("s.yaml")
    space.write_text(
        "system: train.py\nmetric: m\nmode: max\nconstants: {WORKERS: {randint: [0, 5]}, LR: {uniform: [0, 9]}}"
    )

    assert most_workers(program, resolve_constants(read_space(space), program)) == DataLoaderWorkers(
        number=5, where="train.py:2"
    )


@pytest.mark.parametrize(
    ("n_cores", "told"),
    [
        (4, ()),
        (2, ("train.py:2: 4 DataLoader workers, and a trial has 2 CPU cores: 2 would do",)),
        (0.5, ("train.py:2: 4 DataLoader workers, and a trial has 0.5 CPU cores: 1 would do",)),
        (1, ("train.py:2: 4 DataLoader workers, and a trial has 1 CPU core: 1 would do",)),
    ],
)
def test_more_workers_than_cores_are_told_with_the_number_to_use(n_cores, told):
    assert core_shortage_warnings(DataLoaderWorkers(number=4, where="train.py:2"), n_cores) == told


LINES = {
    "two arguments": ("DataLoader([], batch_size=32, num_workers=0)\n", "DataLoader.batch_size", "choice: [16, 64]", 0),
    "the other way round": (
        "DataLoader([], num_workers=0, batch_size=32)\n",
        "DataLoader.batch_size",
        "choice: [16, 64]",
        0,
    ),
    "two names": (
        "BATCH, WORKERS = 32, 1\nDataLoader([], BATCH, num_workers=WORKERS)\n",
        "BATCH",
        "choice: [16, 64]",
        1,
    ),
    "a mapping": (
        "C = {'size': 9, 'workers': 2}\nDataLoader([], C['size'], C['workers'])\n",
        "C['size']",
        "randint: [4, 9]",
        2,
    ),
    "the workers themselves": (
        "DataLoader([], batch_size=32, num_workers=0)\n",
        "DataLoader.num_workers",
        "choice: [0, 3]",
        3,
    ),
}


@pytest.mark.parametrize(("text", "key", "entry", "number"), LINES.values(), ids=LINES)
def test_a_searched_constant_in_the_line_of_the_workers_is_not_taken_for_them(program_of, text, key, entry, number):
    program = program_of(LOADER + text)
    space = program.path.with_name("s.yaml")
    space.write_text(f'script: train.py\nmetric: m\nmode: max\nconstants: {{"{key}": {{{entry}}}}}\n')

    assert most_workers(program, resolve_constants(read_space(space), program)).number == number


def test_options_in_one_line_are_not_taken_for_each_other(program_of):
    add = "p.add_argument('--batch', type=int, default=32); p.add_argument('--workers', type=int, default=1)\n"
    program = program_of(LOADER + "import argparse\np = argparse.ArgumentParser()\n" + add)
    space = program.path.with_name("s.yaml")
    space.write_text('script: train.py\nmetric: m\nmode: max\nconstants: {"--batch": {choice: [16, 64]}}\n')

    assert most_workers(program, resolve_constants(read_space(space), program)).number == 1


LIMITED = "import pytorch_lightning as pl\nBATCH_SIZE = 8\npl.Trainer(max_epochs=2{})\n"


@pytest.mark.parametrize(
    ("own", "trainer", "key", "is_told"),
    [
        ("", {"limit_val_batches": 2}, "BATCH_SIZE", True),
        (", limit_val_batches=2", {}, "--batch-size", True),
        (", limit_val_batches=2", {}, "data.bs=", True),
        (", limit_val_batches=2", {"limit_val_batches": 1.0}, "BATCH_SIZE", False),
        (", limit_val_batches=0.5", {}, "BATCH_SIZE", False),
        ("", {"limit_val_batches": 0}, "BATCH_SIZE", False),
        ("", {"limit_train_batches": 2}, "BATCH_SIZE", False),
        ("", {"limit_val_batches": 2}, "LR", False),
    ],
)
def test_a_number_of_batches_of_a_searched_size_is_no_fixed_part_of_the_data(program_of, own, trainer, key, is_told):
    told = validation_limit_doubts(["LR", key], trainer, program_of(LIMITED.format(own)))

    assert told == () if not is_told else told[0].startswith(f"limit_val_batches counts batches, and {key} is searched")
