"""A trial is the plain program with its constants edited by hand: it logs the same, and its score is the same."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from benchmarks.twins.logged import compare_curves, read_curves, read_tables
from benchmarks.twins.plain import plain_runner
from benchmarks.twins.twin import PLACEHOLDER, PROGRAMS, program_names, read_twin
from tests.searched import Worker
from tune.experiment.trial_result import find_score_epoch

pytestmark = pytest.mark.filterwarnings("ignore")  # they are programs of users

OTHER_PLACES = {
    "argparse_inline",
    "cli_config",
    "dataclass_config",
    "defaults",
    "dict_config",
    "environ",
    "hydra_groups",
    "named_tuples",
    "package",
    "star",
    "yaml_config",
}
"""They train as others do, with one optimizer alone: what they show is where constants stand, which each attempt reads
as the first one does."""


@pytest.fixture(scope="module")
def plain():
    with plain_runner() as runner:
        yield runner


@pytest.mark.parametrize(
    ("name", "is_interrupted"),
    [
        *((name, False) for name in sorted(OTHER_PLACES)),
        *(pytest.param(name, True, marks=pytest.mark.slow if name in OTHER_PLACES else ()) for name in program_names()),
    ],
)
def test_trial_is_its_twin_interrupted_or_not(plain, tmp_path, monkeypatch, server, name, is_interrupted):
    twin = read_twin(PROGRAMS / name)
    project = twin.copy(tmp_path / "project")
    monkeypatch.chdir(project)
    worker = Worker(project / "space.yaml", tmp_path / "experiment", server)

    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(plain.run, twin, tmp_path / "plain", twin.values)
        trial = worker.run(twin.values, preflight=True)
        expected = running.result()

    assert trial.failure is None, trial.log
    check_logged(expected, trial, project)
    check_score(expected, trial, twin)
    epochs = [epoch for epoch, _ in trial.record.curve]
    if is_interrupted and len(epochs) > 1:
        stops = sorted({epochs[0], epochs[len(epochs) // 2 - 1]})
        check_interrupted(trial, worker.run_interrupted(twin.values, stops), len(stops) + 1)


SEED = "import pytorch_lightning; pytorch_lightning.seed_everything(0, workers=True, verbose=False)\n"


@pytest.mark.parametrize("name", ["schedule", pytest.param("new_name", marks=pytest.mark.slow)])
def test_a_plain_run_that_is_forked_has_the_bits_of_a_new_process(plain, tmp_path, name):
    twin = read_twin(PROGRAMS / name)
    forked = plain.run(twin, tmp_path / "plain", twin.values)

    alone = twin.copy(tmp_path / "alone")
    words = twin.write_by_hand(alone, twin.values)
    program = alone / words[0]
    program.write_text(SEED.replace("pytorch_lightning", twin.lightning) + program.read_text())
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, *words], cwd=alone, env=environment, check=True, capture_output=True)

    assert forked.curves
    assert read_curves(alone) == forked.curves


def check_logged(expected, trial, project):
    difference = compare_curves(expected.curves, read_curves(trial.files.folder))
    assert difference.other == {}
    assert set(difference.missing) <= {PLACEHOLDER}
    assert difference.added == [] or not expected.curves  # a program without event files
    written = {*read_tables(project).values(), *read_tables(trial.files.folder).values()}  # hydra's are in the version
    assert set(expected.tables.values()) <= written  # the first of a project is of the pre-flight


def check_score(expected, trial, twin):
    curve = dict(trial.record.curve)
    assert curve[find_score_epoch(curve, twin.mode, trial.record.n_fits)] == expected.score
    if trial.record.fits:
        assert [[value for _, value in fit["curve"]] for fit in trial.record.fits] == expected.fits
    elif expected.fits:
        assert list(curve.values()) == expected.fits[-1]


def check_interrupted(whole, trial, n_attempts):
    assert trial.failure is None, trial.log
    assert trial.record.attempt == n_attempts
    assert trial.record.curve == whole.record.curve
    assert trial.reports == whole.reports
    difference = compare_curves(read_curves(whole.files.folder), read_curves(trial.files.folder))
    assert (difference.other, difference.missing, difference.added) == ({}, [], [])
    for name in ("last_checkpoint", "best_checkpoint"):
        assert_same_weights(getattr(whole.files, name), getattr(trial.files, name))


def assert_same_weights(one, other):
    assert one.exists() == other.exists()
    if one.exists():
        first, second = (torch.load(path, weights_only=False)["state_dict"] for path in (one, other))
        assert first.keys() == second.keys()
        assert [name for name in first if not torch.equal(first[name], second[name])] == []
