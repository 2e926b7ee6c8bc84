"""TPE that reads its trials once draws what Optuna's own draws, bit for bit."""

import math
import random
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from tune.internals.optuna_internals import CachedTPESampler

SPACE: dict[str, BaseDistribution] = {
    "LR": FloatDistribution(1e-5, 1e-1, log=True),
    "DROPOUT": FloatDistribution(0.0, 0.5, step=0.1),
    "HIDDEN": IntDistribution(16, 512, log=True),
    "N_LAYERS": IntDistribution(1, 6),
    "OPTIMIZER": CategoricalDistribution(("adam", "sgd", None)),
}
N_TRIALS = 60
UNIVARIATE: dict[str, Any] = {"multivariate": False, "constant_liar": False}


def searched(sampler: TPESampler, directions: list[str]) -> list[dict[str, Any]]:
    """Return what is drawn while trials overlap, end in another order, are pruned, fail, and lack constants."""
    study, rng = optuna.create_study(directions=directions, sampler=sampler), random.Random(0)
    running, drawn = [], []
    for number in range(N_TRIALS):
        trial = study.ask()
        for name, distribution in SPACE.items():
            if name != "N_LAYERS" or trial.params["HIDDEN"] > 64:
                trial._suggest(name, distribution)
        drawn.append(trial.params)
        running.append(trial)
        if number > 3:
            end(study, running.pop(rng.randrange(4)), rng)
    return drawn


def end(study: optuna.Study, trial: optuna.Trial, rng: random.Random) -> None:
    """Complete, prune or fail a trial, by lot; values repeat, so that trials are level."""
    value = round(math.log10(trial.params["LR"]) ** 2 + rng.random(), 1)
    if len(study.directions) > 1:
        study.tell(trial, [value, rng.random()])
    elif (lot := rng.random()) < 0.04:
        study.tell(trial, value)
    elif lot < 0.9:
        for epoch in range(1, rng.choice((1, 2, 5))):  # none at all, sometimes
            trial.report(math.nan if lot > 0.6 else value, epoch)
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, state=TrialState.FAIL)


@pytest.mark.parametrize(
    ("arguments", "directions"),
    [
        (UNIVARIATE, ["minimize"]),
        (UNIVARIATE, ["maximize"]),
        ({**UNIVARIATE, "n_startup_trials": 0}, ["minimize"]),
        ({**UNIVARIATE, "constant_liar": True}, ["minimize"]),
        (UNIVARIATE, ["minimize", "maximize"]),
        ({}, ["minimize"]),
    ],
)
def test_tpe_draws_what_optunas_own_draws(arguments, directions):
    arguments = {"seed": 3, **arguments}
    assert searched(CachedTPESampler(**arguments), directions) == searched(TPESampler(**arguments), directions)


def test_tpe_that_goes_on_in_another_study_forgets_the_first():
    tpe, own = CachedTPESampler(seed=3, **UNIVARIATE), TPESampler(seed=3, **UNIVARIATE)
    for _ in range(2):
        assert searched(tpe, ["minimize"]) == searched(own, ["minimize"])


def test_tpe_reads_each_trial_once(monkeypatch):
    n_read = 0

    def counted(self: FloatDistribution, value: float) -> float:
        nonlocal n_read
        n_read += 1
        return value

    monkeypatch.setattr(FloatDistribution, "to_internal_repr", counted)
    searched(CachedTPESampler(seed=3, **UNIVARIATE), ["minimize"])
    n_suggested = 2 * N_TRIALS  # each is read once more as it is written
    assert n_read < 2 * n_suggested
