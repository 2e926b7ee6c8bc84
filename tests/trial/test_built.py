"""Mutated rates after a restore: what the next step uses, whatever the checkpoint brought back."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from tune.trial.lightning.pbt_mutation import Mutation, read_optimizer_settings


def program(optimizer, schedule=None):
    """Return the part of a Trainer that has the optimizers."""
    made = optimizer([torch.nn.Parameter(torch.ones(1))])
    configs = [SimpleNamespace(scheduler=schedule(made))] if schedule else []
    return SimpleNamespace(optimizers=[made], lr_scheduler_configs=configs)


def trained(trainer, n_epochs):
    """Train; return the rate of each epoch."""
    rates = []
    (optimizer,) = trainer.optimizers
    for _ in range(n_epochs):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        for config in trainer.lr_scheduler_configs:
            needs_metric = isinstance(config.scheduler, ReduceLROnPlateau)
            config.scheduler.step(*([1.0] if needs_metric else []))
    return rates


def mutated(make, old, new, n_before=3):
    """Train with ``old``, restore into a program with ``new``; return its Trainer."""
    first = make(old)
    before = read_optimizer_settings(first)
    trained(first, n_before)
    second = make(new)
    mutation = Mutation(second, before)
    second.optimizers[0].load_state_dict(first.optimizers[0].state_dict())
    for there, here in zip(first.lr_scheduler_configs, second.lr_scheduler_configs, strict=True):
        here.scheduler.load_state_dict(there.scheduler.state_dict())
    mutation.apply_to_trainer(second)
    return second


SCHEDULES = {
    "none": None,
    "step": lambda optimizer: StepLR(optimizer, 2, gamma=0.1),
    "exponential": lambda optimizer: ExponentialLR(optimizer, 0.9),
    "cosine": lambda optimizer: CosineAnnealingLR(optimizer, 10),
    "polynomial": lambda optimizer: PolynomialLR(optimizer, 10, power=0.9),
    "lambda": lambda optimizer: LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch)),
    "plateau": lambda optimizer: ReduceLROnPlateau(optimizer, patience=0),
    "sequential": lambda optimizer: SequentialLR(
        optimizer, [LinearLR(optimizer, 0.1, total_iters=2), ExponentialLR(optimizer, 0.9)], [2]
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("n_before", [1, 3])
def test_a_mutated_rate_is_what_a_program_with_it_from_the_start_would_use(schedule, n_before):
    def make(rate):
        return program(lambda params: Adam(params, lr=rate), schedule)

    continued = trained(mutated(make, 1e-3, 5e-3, n_before), 4)

    assert continued == pytest.approx(trained(make(5e-3), n_before + 4)[n_before:])


def test_one_cycle_follows_a_mutated_peak():
    def make(rate):
        return program(
            lambda params: SGD(params, lr=0.1), lambda optimizer: OneCycleLR(optimizer, rate, total_steps=10)
        )

    assert trained(mutated(make, 0.2, 0.4), 4) == pytest.approx(trained(make(0.4), 7)[3:])


def test_a_mutated_constant_of_the_schedule_is_in_force():
    def make(gamma):
        return program(lambda params: SGD(params, lr=1.0), lambda optimizer: ExponentialLR(optimizer, gamma))

    assert trained(mutated(make, 0.5, 0.9), 3) == pytest.approx([0.125, 0.1125, 0.10125])


def test_settings_that_are_no_numbers_are_put_in_force():
    def make(milestones):
        return program(lambda params: SGD(params, lr=1.0), lambda optimizer: MultiStepLR(optimizer, milestones))

    assert mutated(make, [5, 9], [4]).lr_scheduler_configs[0].scheduler.milestones == Counter([4])


def test_other_settings_of_a_param_group_are_put_in_force():
    def make(decay):
        return program(lambda params: Adam(params, lr=1e-3, weight_decay=decay, betas=(0.9, 1 - decay)))

    group = mutated(make, 0.1, 0.2).optimizers[0].param_groups[0]

    assert (group["weight_decay"], group["betas"], group["lr"]) == (0.2, (0.9, 0.8), 1e-3)


def test_a_rate_that_is_a_tensor_stays_one():
    def make(rate):
        return program(lambda params: Adam(params, lr=torch.tensor(rate), capturable=False, foreach=False))

    rate = mutated(make, 1e-3, 5e-3).optimizers[0].param_groups[0]["lr"]

    assert isinstance(rate, torch.Tensor)
    assert float(rate) == pytest.approx(5e-3)


def test_without_a_mutation_nothing_changes():
    def make(rate):
        return program(lambda params: Adam(params, lr=rate), SCHEDULES["step"])

    again = mutated(make, 1e-3, 1e-3)
    straight = make(1e-3)
    trained(straight, 3)

    assert read_optimizer_settings(again) == read_optimizer_settings(straight)
