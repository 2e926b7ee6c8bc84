"""A seed is in force in a program that seeds itself, and a generator of the program's own keeps its seed."""

import random

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from tune.trial.process.random_generators import override_seeds


def drawn():
    return random.random(), np.random.random(), torch.rand(()).item()


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def from_torch_random(seed):
    seed_all(seed)
    torch.random.manual_seed(seed)


def by_keyword(seed):
    random.seed(a=seed, version=2)
    np.random.seed(seed=seed)
    torch.manual_seed(seed=seed)


WAYS = {
    "seed_everything": lambda seed: pl.seed_everything(seed, workers=True, verbose=False),
    "one by one": seed_all,
    "torch.random": from_torch_random,
    "by keyword": by_keyword,
    "a string for Python": lambda seed: (seed_all(seed), random.seed(f"run {seed}")),
}


@pytest.fixture(autouse=True)
def own_process_state(monkeypatch):
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "")  # put back behind the test
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def under(ours, seed_it, seed):
    with override_seeds(ours):
        seed_it(seed)
        return drawn()


@pytest.mark.parametrize("seed_it", WAYS.values(), ids=WAYS)
def test_a_program_that_seeds_itself_draws_other_numbers_under_another_seed_and_the_same_under_the_same(seed_it):
    first, again, other = under(1, seed_it, 42), under(1, seed_it, 42), under(2, seed_it, 42)

    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_two_seeds_of_a_program_stay_two():
    assert under(1, seed_all, 42) != under(1, seed_all, 43)


def test_generators_of_the_programs_own_keep_their_seeds():
    def own():
        generator = torch.Generator().manual_seed(0)
        return (
            torch.rand((), generator=generator).item(),
            np.random.default_rng(0).random(),
            np.random.RandomState(0).random(),
            random.Random(0).random(),
        )

    with override_seeds(1):
        seen = own()

    assert seen == own()


def test_it_ends_with_the_run():
    before = random.seed, np.random.seed, torch.manual_seed, torch.cuda.manual_seed_all
    with override_seeds(1):
        assert random.seed is not before[0]
        random.seed(None)  # asks for a random one: still does

    assert (random.seed, np.random.seed, torch.manual_seed, torch.cuda.manual_seed_all) == before
