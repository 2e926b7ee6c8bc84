"""Whole searches on a real Ray: what a space asks for is what its trials get."""

import ast
import warnings
from pathlib import Path

import optuna
import pytest

from tests.projects import write_program
from tune.cluster.resources import plan_resources
from tune.errors import MetricError
from tune.experiment.open import open_experiment
from tune.experiment.records import RetrainRequest, read_record
from tune.experiment.trial_result import pareto_front
from tune.paths import VersionPaths
from tune.search.retrain import Retraining, RetrainRun, retrain_name, run_retraining

PROGRAM = '''
"""Scores what its constants say, and writes them down as Python sees them."""

from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
SIZES = (4, 2)
WORD = "a"
EXTRA = {"k": [1, None]}
MIXED = None
OPT = "adam"
MOMENTUM = 0.5
MAX_EPOCHS = 2


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(1, SIZES[0]), torch.nn.Linear(SIZES[0], 1))
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def training_step(self, batch, idx):
        self.log("Cost", float(sum(SIZES)) + (WORD == "1") + 1 - self.current_epoch)
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        self.log("Loss/Val", self.net(batch[0]).square().mean())
        self.log("Score", float(SIZES[0]) + self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=MOMENTUM)


def dataloaders():
    print("constants:", repr((SIZES, WORD, EXTRA, MIXED, OPT, MOMENTUM)))
    x = torch.rand(16, 1)
    return DataLoader(TensorDataset(x), batch_size=8), DataLoader(TensorDataset(x), batch_size=8)
'''

SPACE = """
metric: Loss/Val
mode: min
constants:
  LR: {loguniform: [1e-3, 1.0]}
  SIZES: {choice: [[4, 2], [8], [2, 2, 2]]}
  WORD: {choice: [a, "1", "None"]}
  EXTRA: {choice: [{k: [1, null]}, {k: {}}]}
  MIXED: {choice: [null, 1, true, x, 1.5, [1, [2]]]}
  OPT: {choice: [adam, sgd]}
  MOMENTUM: {uniform: [0.0, 0.9], when: {OPT: sgd}}
require: len(SIZES) < 3 or OPT == 'sgd'
trials: 10
concurrency: 1
seed: 3
"""


def seen_in(version):
    """Return what the program printed: SIZES, WORD, EXTRA, MIXED, OPT, MOMENTUM."""
    (*_, line) = [line for line in version.log.read_text().splitlines() if line.startswith("constants: ")]
    return ast.literal_eval(line.removeprefix("constants: "))


@pytest.fixture(scope="module")
def twice(search, tmp_path_factory):
    """Two searches of one space, with one trial at a time."""
    program = write_program(tmp_path_factory.mktemp("searching") / "project", "program", PROGRAM)
    with warnings.catch_warnings():
        warnings.simplefilter("error", optuna.exceptions.ExperimentalWarning)
        return [search(program, SPACE) for _ in range(2)]


def test_the_same_seed_gives_the_same_configurations_and_values(twice):
    first, second = (
        [(trial.params, trial.state.name, trial.intermediate_values, trial.values) for trial in searched.study.trials]
        for searched in twice
    )

    assert len(first) == 10
    assert first == second
    assert len({repr(params) for params, *_ in first}) == 10


def test_every_trial_holds_the_options_as_the_space_file_writes_them(twice):
    for trial in twice[0].study.trials:
        version = twice[0].version(trial)
        sizes, word, extra, mixed, opt, momentum = seen_in(version)
        held = trial.user_attrs["constants"]
        assert type(sizes) is tuple
        assert list(sizes) == held["SIZES"]
        assert repr((word, extra, mixed, opt)) == repr(tuple(held[name] for name in ("WORD", "EXTRA", "MIXED", "OPT")))
        assert momentum == held.get("MOMENTUM", 0.5)
        assert read_record(version).constants == held


def test_what_does_not_vary_in_a_trial_is_no_parameter_and_no_promoted_constant(twice):
    trials = twice[0].study.trials

    assert {trial.params["OPT"] for trial in trials} == {"adam", "sgd"}
    for trial in trials:
        assert ("MOMENTUM" in trial.params) == (trial.params["OPT"] == "sgd")
        promoted = twice[0].version(trial).hparams.read_text().partition("# hardcoded")[0]
        assert ("MOMENTUM" in promoted) == (trial.params["OPT"] == "sgd")
        if trial.number:
            assert len(trial.user_attrs["constants"]["SIZES"]) < 3 or trial.params["OPT"] == "sgd"


def test_a_grid_of_one_point_that_is_the_baseline_trains_it(search, tmp_path):
    program = write_program(tmp_path / "project", "program", PROGRAM)
    searched = search(program, "metric: Loss/Val\nmode: min\nsampler: grid\nconstants: {LR: {choice: [0.1]}}\n")

    assert searched.error is None
    assert [(trial.params, trial.state.name) for trial in searched.study.trials] == [({"LR": 0.1}, "COMPLETE")]


def test_a_retrained_configuration_holds_its_options_in_the_programs_types(twice):
    paths = twice[0].paths
    experiment = open_experiment(paths.name, paths.folder.parent)
    trial = experiment.best
    resources = plan_resources(experiment.space.settings, None)
    seed = experiment.space.settings.seed
    request = RetrainRequest(trial=trial.number, seed=seed, fresh=False, trainer={}, source="source", digest="")
    files = VersionPaths(paths.retrain_folder / retrain_name(0, request, trial))
    files.folder.mkdir(parents=True)

    whole = run_retraining(
        Retraining(
            space=experiment.space,
            snapshot=experiment.snapshot,
            paths=paths,
            folder=Path.cwd(),
            resources=resources,
            runs=(RetrainRun(request=request, files=files, outcome=trial),),
        )
    )

    record = read_record(files)
    assert whole
    assert record.stage == "complete"
    assert seen_in(VersionPaths(paths.retrain_folder / record.version))[0] == tuple(trial.values["SIZES"])
    assert record.curve == [(epoch, value) for epoch, value in trial.curve.items()]


TWO = """
metric: [Score, Cost]
mode: [max, min]
constants:
  SIZES: {choice: [[1, 1], [2, 5], [4, 4], [6, 1]]}
  WORD: {choice: [a, "1"]}
sampler: grid
trials: 20
"""


@pytest.fixture(scope="module")
def two_metrics(search, tmp_path_factory):
    """A search for a high Score, logged in validation, and a low Cost, logged in training."""
    return search(write_program(tmp_path_factory.mktemp("two") / "project", "program", PROGRAM), TWO)


def test_of_two_metrics_the_front_is_right(two_metrics):
    outcomes = two_metrics.finished.outcomes
    front = pareto_front(outcomes, ["max", "min"])

    assert len(outcomes) == 9  # the baseline is none of the options
    assert {outcome.state for outcome in outcomes} == {"complete"}  # nothing is stopped early
    assert [(outcome.values["SIZES"], outcome.scores) for outcome in front] == [
        ([6, 1], (7.0, 7.0)),
        ([4, 2], (5.0, 6.0)),
        ([1, 1], (2.0, 2.0)),
    ]
    assert {outcome.values["WORD"] for outcome in front} == {"a"}


def test_of_two_metrics_the_study_holds_both_and_their_curves(two_metrics):
    study = two_metrics.study

    assert study.metric_names == ["Score", "Cost"]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert {tuple(trial.values) for trial in study.best_trials} == {(7.0, 7.0), (5.0, 6.0), (2.0, 2.0)}
    first = study.trials[0]  # SIZES = (4, 2), WORD = "a"
    assert first.values == [5.0, 6.0]
    assert first.intermediate_values == {1: 4.0, 2: 5.0}
    assert first.user_attrs["others in epoch 1"] == [7.0]
    assert first.user_attrs["others in epoch 2"] == [6.0]
    assert first.user_attrs["best_epoch"] == 2


def test_a_second_metric_that_is_never_logged_ends_the_search(search, tmp_path):
    program = write_program(tmp_path / "project", "program", PROGRAM)
    searched = search(program, TWO.replace("Score, Cost", "Score, Csot"))

    assert type(searched.error) is MetricError
    assert searched.error.what == "'Csot' is never logged"
    assert searched.error.hint == "Did you mean 'Cost'? Logged: Cost, Loss/Val, Score."


def test_a_repeat_is_in_the_ledger_and_has_no_version_of_its_own(search, tmp_path):
    program = write_program(tmp_path / "project", "program", PROGRAM)
    constants = "constants: {SIZES: {choice: [[4, 2], [8]]}}\n"
    told = []
    searched = search(
        program, f"metric: Loss/Val\nmode: min\n{constants}trials: 8\nscheduler: none\n", on_end=told.append
    )
    trials = searched.study.trials
    trained = [trial for trial in trials if "repeat_of" not in trial.user_attrs]

    assert len(trials) == 8
    assert 2 <= len(trained) <= 3  # two at a time: one may be drawn again while it runs
    assert sorted(outcome.number for outcome in told) == list(range(8))
    for trial in trials:
        first = trials[trial.user_attrs.get("repeat_of", trial.number)]
        assert (trial.params, trial.intermediate_values, trial.value) == (
            first.params,
            first.intermediate_values,
            first.value,
        )
        assert trial.user_attrs["version"] == first.user_attrs["version"]
    folders = {path.parent.name for path in Path(searched.paths.folder).glob("*/trial.json")}
    assert folders == {trial.user_attrs["version"] for trial in trained}
