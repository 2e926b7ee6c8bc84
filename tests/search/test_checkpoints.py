"""Which checkpoints a search keeps: at no moment more than it was told to, and never without the best."""

import threading

import pytest

from tests.search.conftest import Searched
from tune.errors import ExperimentError
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths
from tune.results.load_model import load
from tune.search.checkpoint_retention import CheckpointRetention, FreedCheckpoints, count_checkpoint_bytes

SIZE = 100  # bytes of a checkpoint; best and last are one file


def outcome(number, *scores, state="complete"):
    return TrialResult(
        number=number,
        version=f"{number:03d},baseline" if number == 0 else f"{number:03d}",
        values={},
        state=state,
        score=scores[0] if scores else None,
        best_epoch=1 if scores else None,
        curve={1: scores[0]} if scores else {},
        measures={1: scores} if scores else {},
        reason=None,
    )


def write_checkpoints(paths, trial):
    version = paths.version(trial.version)
    version.checkpoints.mkdir(parents=True)
    version.last_checkpoint.write_bytes(b"." * SIZE)
    version.best_checkpoint.hardlink_to(version.last_checkpoint)
    return version


def holders(paths):
    """Return the numbers of the trials that have a checkpoint."""
    return {int(path.parts[-3][:3]) for path in paths.folder.glob("*/checkpoints/*.ckpt")}


@pytest.fixture
def ended(tmp_path):
    """Return what ends trials, in the order given, and tells who has a checkpoint after each."""
    paths = ExperimentPaths(tmp_path)

    def run(trials, *, keep=None, modes=("max",), free=0, running=()):
        retention = CheckpointRetention(paths, modes, keep, free=lambda folder: free)
        at_work = [write_checkpoints(paths, each) for each in running]
        steps = []
        for trial in trials:
            write_checkpoints(paths, trial)
            retention.free_checkpoints(trial, at_work)
            steps.append(holders(paths))
        return retention, steps

    return run


def test_the_best_keep_theirs_and_the_baseline_whatever_it_is_worth(ended):
    retention, steps = ended([outcome(number, score) for number, score in enumerate([0.0, 5, 1, 7, 6])], keep=2)

    assert steps == [{0}, {0, 1}, {0, 1, 2}, {0, 1, 3}, {0, 3, 4}]
    assert retention.freed == FreedCheckpoints(2, 2 * SIZE)


def test_what_failed_makes_room_before_the_worst(ended):
    _, steps = ended([outcome(1, 5.0), outcome(2, 9.0, state="failed"), outcome(3, 1.0)], keep=2)

    assert steps[-1] == {1, 3}


def test_of_several_metrics_the_whole_front_is_the_best(ended):
    trials = [outcome(1, 1.0, 9.0), outcome(2, 2.0, 8.0), outcome(3, 3.0, 7.0), outcome(4, 2.5, 6.0)]
    _, steps = ended(trials, keep=2, modes=("max", "max"))

    assert steps[-1] == {1, 2, 3}


@pytest.mark.parametrize(
    ("free", "kept"),
    [
        (100_000, {1, 2, 3, 4}),
        (3_600, {2, 3, 4}),  # without any there were 4,100: a tenth of it has room for four, and one of them runs
        (0, {3}),
    ],
    ids=["all fit", "some fit", "the best alone, though it does not fit"],
)
def test_without_a_number_they_may_fill_a_tenth_of_the_free_disk(ended, free, kept):
    trials = [outcome(number, score) for number, score in ((1, 1.0), (2, 2.0), (3, 9.0), (4, 3.0))]
    _, steps = ended(trials, free=free, running=[outcome(9)])

    assert steps[-1] == kept | {9}


def test_a_checkpoint_that_was_freed_says_how_to_train_it_again(ended, tmp_path):
    ended([outcome(1, 1.0), outcome(7, 2.0)], keep=1)

    with pytest.raises(ExperimentError) as raised:
        load(tmp_path / "001")
    assert str(raised.value) == (
        f"{tmp_path}/001: The checkpoints of this trial were freed: others were better.\n"
        f"  To train it again: promotune retrain {tmp_path} --trial 1"
    )


def test_two_names_of_one_checkpoint_take_its_place_once(tmp_path):
    version = write_checkpoints(ExperimentPaths(tmp_path), outcome(1))

    assert count_checkpoint_bytes(version) == SIZE


SPACE = """
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 24
concurrency: 2
trainer: {max_epochs: 2}
keep_checkpoints: 3
"""


class Sampler(threading.Thread):
    """Looks again and again, first into the ledger and then for checkpoints."""

    def __init__(self, paths):
        super().__init__()
        self.paths = paths
        self.over = threading.Event()
        self.most = 0
        self.n_looks = 0

    def run(self):
        while not self.over.is_set():
            if not self.paths.journal.is_file():
                self.over.wait(0.05)
                continue
            ended = self._ended()
            self.most = max(self.most, len(holders(self.paths) & ended))
            self.n_looks += 1
            self.over.wait(0.05)  # the search wants to run too

    def _ended(self):
        try:
            trials = Searched(self.paths).study.get_trials(deepcopy=False)
        except KeyError:  # the study is being made
            return set()
        return {trial.number for trial in trials if trial.state.is_finished()}


def test_a_search_of_many_trials_when_three_are_kept_then_never_holds_more(search, programs, tmp_path):
    program = programs("paced")
    program.write_text(program.read_text().replace("PACE_S = 0.2", "PACE_S = 0.01"))
    sampler = Sampler(ExperimentPaths(tmp_path / "storage" / "exp"))
    sampler.start()
    try:
        searched = search(program, SPACE)
    finally:
        sampler.over.set()
        sampler.join()

    outcomes = searched.finished.outcomes
    best = max((each for each in outcomes if not each.is_baseline), key=lambda each: (each.score, -each.number))
    assert len(outcomes) == 24
    assert sampler.n_looks > 20
    assert sampler.most <= 3 + 1
    assert len(holders(searched.paths)) == 4
    assert {0, best.number} <= holders(searched.paths)
    assert searched.paths.version(best.version).best_checkpoint.is_file()
    assert searched.finished.freed.n_trials == sum(each.repeat_of is None for each in outcomes) - 4
