"""Whatever a scheduler decides, it decides with the last epoch of a message: none that decides waits for others."""

import random

import pytest

from tune.search.schedulers.asha import Asha
from tune.search.schedulers.hyperband import HyperBand
from tune.search.schedulers.median import MedianStopping
from tune.search.schedulers.scheduler import SchedulerDecision, TrialScheduler
from tune.trial.messages import EpochReport
from tune.trial.process.channel import EpochReporter

MAX_T = 81
RULES = {
    "none": TrialScheduler,
    "asha": lambda: Asha("max"),
    "asha, later": lambda: Asha("max", grace_period=3, reduction_factor=2),
    "asha, in small steps": lambda: Asha("max", reduction_factor=1.1),
    "median": lambda: MedianStopping("max"),
    "hyperband": lambda: HyperBand("max", max_t=MAX_T),
}


class Search:
    """Trials side by side, each with a pace of its own; validation may leap over epochs."""

    def __init__(self, rule, rng):
        self.rule, self.rng = rule, rng
        self.pace = {}
        self.worth = {}
        self.epoch = {}
        self.verdicts = []

    def open(self, trial):
        self.rule.on_trial_add(trial)
        self.pace[trial], self.epoch[trial] = self.rng.choice([1, 2, 5, 10]), 0
        self.worth[trial] = self.rng.random()

    def run(self, trial):
        """Train until a decision; yield what was told with each message, and what the scheduler said to its epochs."""
        sent = []
        mail = EpochReporter(sent.append, self.rule.decision_epochs(trial), clock=lambda: 0.0)
        while self.epoch[trial] + self.pace[trial] <= MAX_T:
            self.epoch[trial] += self.pace[trial]
            mail.report_epoch(EpochReport(self.epoch[trial], self.worth[trial] + 0.1 * self.rng.random(), False, ()))
            for batch in sent:
                verdicts = [self.rule.on_trial_result(trial, each.epoch, each.value) for each in batch]
                self.verdicts.append(verdicts)
                if verdicts[-1] is not SchedulerDecision.GO_ON:
                    return verdicts[-1]
            sent.clear()
        self.rule.on_trial_end(trial)
        return SchedulerDecision.STOP


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("seed", range(8))
def test_only_the_last_epoch_of_a_message_decides(name, seed):
    search = Search(RULES[name](), random.Random(seed))
    waiting = list(range(1, 82 if seed % 2 else 28))
    for trial in waiting:
        search.open(trial)
    search.rule.mark_no_more_trials()
    while waiting:
        trial = waiting.pop(0)
        if search.run(trial) is SchedulerDecision.STOP:
            search.rule.on_trial_end(trial)
        waiting += [move.trial for move in search.rule.take_moves() if move.goes_on]

    assert any(verdicts[-1] is not SchedulerDecision.GO_ON for verdicts in search.verdicts) == (name != "none")
    assert {verdict for verdicts in search.verdicts for verdict in verdicts[:-1]} <= {SchedulerDecision.GO_ON}
