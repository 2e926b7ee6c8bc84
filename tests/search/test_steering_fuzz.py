"""Whatever is asked of a search, in any order and with drivers that are killed: each proposal runs once at most."""

import random
from collections import Counter

import pytest

from tests.steered import SteeredSearch

SPACE = """\
system: program.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
trials: 12
trainer: {max_epochs: 4}
"""
SCHEDULERS = ["scheduler: none", "scheduler: asha", "scheduler: hyperband", "scheduler: median", "scheduler: pbt"]
N_STEPS = 60
N_EPOCHS = 4


class Player:
    """Plays Ray, people and a failing machine, by chance."""

    def __init__(self, search, seed):
        self.search = search
        self.rng = random.Random(seed)
        self.epochs = {}  # of the running trials: how many each has reported
        self.curves = {}
        self.proposed = set()

    def begin(self):
        task = self.search.begin()
        if task is not None:
            self.epochs[task.number] = task.reported

    def report(self):
        if not self.epochs:
            return
        number = self.rng.choice(sorted(self.epochs))
        self.epochs[number] += 1
        epoch = self.epochs[number]
        last = epoch == N_EPOCHS
        stops = self.search.report(number, epoch, self.rng.random(), last=last)
        if stops or last:
            del self.epochs[number]
            self.search.stop(number)

    def propose(self):
        lr = self.rng.choice([1e-3 * self.rng.randint(1, 99), 0.5])
        answer = self.search.propose(LR=lr, outside=True)
        if answer.taken:
            assert answer.trial not in self.proposed
            self.proposed.add(answer.trial)

    def stop(self):
        self.search.ask("stop", trials=[self.rng.randint(0, 20)])

    def pause(self):
        self.search.ask("pause")
        self.begin()
        self.search.ask("resume")

    def more(self):
        self.search.ask("set", trials="+1")

    def kill(self):
        self.search.restart()
        self.epochs = {}

    def finish(self):
        for _ in range(2000):
            if self.search.controller.has_finished and not self.epochs:
                return
            self.begin()
            self.report()
        raise AssertionError("the search does not come to its end")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("seed", range(3))
def test_a_search_that_is_steered_at_random_comes_to_its_end_and_runs_each_proposal_once(tmp_path, scheduler, seed):
    player = Player(SteeredSearch(tmp_path / "project", f"{SPACE}{scheduler}\n"), seed)
    player.begin()
    acts = [player.begin] * 6 + [player.report] * 12 + [player.propose] * 3
    acts += [player.stop, player.pause, player.more, player.kill]
    for _ in range(N_STEPS):
        player.rng.choice(acts)()
    player.finish()

    trials = player.search.ledger.trial_results
    assert {each.number for each in trials if each.proposal is not None} == player.proposed
    requests = Counter(each.proposal.request for each in trials if each.proposal is not None)
    assert set(requests.values()) <= {1}
    assert {each.state for each in trials} <= {"complete", "pruned"}
    assert len(trials) - len(player.proposed) == player.search.controller.controls.limits.trials
