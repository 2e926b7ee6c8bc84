"""The states of the random number generators."""

import numpy as np
import torch

from tune.trial.process.random_generators import restore_rng, rng_state


def test_generators_that_are_put_back_give_the_same_numbers_again():
    state = rng_state()
    first = torch.rand(2).tolist(), np.random.rand()
    restore_rng(state)

    assert (torch.rand(2).tolist(), np.random.rand()) == first


def test_a_trial_that_has_not_used_cuda_does_not_initialise_it_for_the_states_of_its_gpus(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # this machine has no GPU
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: asked.append("initialises CUDA") or [])

    assert rng_state()["cuda"] == []
    assert asked == []
