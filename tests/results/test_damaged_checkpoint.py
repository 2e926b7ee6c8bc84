"""A checkpoint that was cut off or whose bits were flipped is refused, or gives what it gave before: nothing else."""

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.projects import write_program
from tests.searched import Worker
from tune import load
from tune.errors import ExperimentError
from tune.paths import ExperimentPaths
from tune.space.space_file import write_space
from tune.trial.checkpoints.checkpoint_state import read_checkpoint_state

SPACE = "system: paced.py\nmetric: Score/Val\nmode: max\nconstants:\n  LR: {loguniform: [1e-3, 1]}\n"
UNSHRUNK = [each for each in Phase if each is not Phase.shrink]


@pytest.fixture(scope="module")
def trial(tmp_path_factory, server):
    """One trial of an epoch, and its files."""
    folder = tmp_path_factory.mktemp("damaged")
    program = write_program(folder / "project", "paced")
    program.write_text(program.read_text().replace("PACE_S = 0.2", "PACE_S = 0").replace("EPOCHS = 4", "EPOCHS = 1"))
    program.with_name("s.yaml").write_text(SPACE)
    paths = ExperimentPaths(folder / "results")
    paths.folder.mkdir()
    worker = Worker(program.with_name("s.yaml"), paths.folder, server)
    write_space(worker.space, paths.space)
    paths.journal.touch()
    return worker.run({"LR": 0.01})


def damage(data, whole):
    """Draw a file that is shorter, or has one or two wrong bits."""
    if data.draw(st.booleans()):
        return whole[: data.draw(st.integers(0, len(whole) - 1))]
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 2))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(damaged)


def same(weights, others):
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.mark.parametrize(
    "start", [b"", b"P", b"PK", b"PK\3", b"PK\3\4", b"\x80", b"\x80\2", b"epoch,loss\n", b"\0" * 64]
)
def test_a_file_that_is_no_checkpoint_is_called_damaged_and_not_untrusted(trial, start):
    file = trial.files.best_checkpoint
    whole = file.read_bytes()
    file.write_bytes(start)
    try:
        with pytest.raises(ExperimentError, match="no model can be built from this checkpoint: "):
            load(trial.files.folder)
    finally:
        file.write_bytes(whole)


def test_a_flipped_bit_at_the_start_of_a_checkpoint_is_called_damage(trial):
    file = trial.files.best_checkpoint
    whole = file.read_bytes()
    try:
        for bit in range(32):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            file.write_bytes(flipped)
            with pytest.raises(ExperimentError, match="no model can be built from this checkpoint: "):
                load(trial.files.folder)
    finally:
        file.write_bytes(whole)


@settings(max_examples=25, deadline=None, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_checkpoint_is_refused_or_has_the_same_weights(trial, data):
    file = trial.files.best_checkpoint
    whole, weights = file.read_bytes(), load(trial.files.folder).state_dict()
    file.write_bytes(damage(data, whole))
    try:
        told, loaded = "", load(trial.files.folder).state_dict()
    except ExperimentError as error:
        told, loaded = str(error), weights
    finally:
        file.write_bytes(whole)
    assert told.startswith(f"{file}: no model can be built from this checkpoint: ") or not told
    assert same(loaded, weights)


@settings(max_examples=25, deadline=None, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_checkpoint_is_none_to_go_on_from_or_is_as_far_as_it_was(trial, data):
    file = trial.files.last_checkpoint
    whole, state = file.read_bytes(), read_checkpoint_state(file)
    assert state is not None
    file.write_bytes(damage(data, whole))
    try:
        assert read_checkpoint_state(file) in (None, state)
    finally:
        file.write_bytes(whole)
