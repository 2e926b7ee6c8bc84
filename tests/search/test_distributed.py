"""Trials of two processes on a real Ray: the same scores as in one, stopped as politely, and never a hang."""

import os
import signal
import threading
import time

import pytest
import torch

from tests.events import event_file, scalars, session
from tests.projects import write_program
from tune.results.load_model import load

SPACE = """
metric: MSE/Val
mode: min
sampler: grid
workers_per_trial: 2
"""
STOPS = "constants: {LR: {choice: [0.005, 1.0e-9]}}\ntrials: 2\n"
FAULTS = ["none", "rank 1 raises", "rank 1 exits", "rank 1 is killed once", "rank 1 hangs"]
ENDS_S = 60
"""So soon after a process of it was killed a trial has failed."""


def curve(trial):
    return [value for _, value in sorted(trial.intermediate_values.items())]


@pytest.fixture(scope="module")
def shared(search, tmp_path_factory):
    """Search the step size: the second trial does not learn."""
    return search(write_program(tmp_path_factory.mktemp("two") / "project", "shared"), SPACE + STOPS)


@pytest.fixture(scope="module")
def alone(search, tmp_path_factory):
    """The same in one process, whose batch is what the two have together."""
    program = write_program(tmp_path_factory.mktemp("one") / "project", "shared")
    program.write_text(program.read_text().replace("BATCH_SIZE = 8", "BATCH_SIZE = 16"))
    return search(program, (SPACE + STOPS).replace("workers_per_trial: 2", "workers_per_trial: 1"))


@pytest.mark.slow
def test_two_processes_score_as_one_with_the_global_batch(shared, alone):
    assert shared.error is None
    for two, one in zip(shared.study.trials, alone.study.trials, strict=True):
        assert curve(two) == pytest.approx(curve(one), abs=1e-4)
    assert len(curve(shared.study.trials[0])) == 3


@pytest.mark.slow
def test_rank_0_alone_writes_the_one_version(shared):
    trial = shared.study.trials[0]
    version = shared.version(trial).folder

    assert event_file(version)
    assert [value for _, value in scalars(version)["MSE/Val"]] == pytest.approx(curve(trial))
    assert [step for step, _ in scalars(version)["MSE/Val"]] == [3, 7, 11]  # 64 points, 2 x 8 in a step
    assert session(version).status == "STATUS_SUCCESS"
    assert {path.name for path in shared.version(trial).checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}


@pytest.mark.slow
def test_the_values_are_proven_in_force_on_every_rank(shared):
    baseline, other = (shared.record(trial) for trial in shared.study.trials)

    assert [rank["rank"] for rank in baseline.ranks] == [1]
    assert baseline.ranks[0]["pid"] != baseline.pid
    for record, rate in ((baseline, 0.005), (other, 1e-9)):
        proof = {"LR": {"value": rate, "where": "shared when training began"}}
        assert record.in_force == proof
        assert [rank["in_force"] for rank in record.ranks] == [proof]
        assert [rank["taken"] for rank in record.ranks] == [record.taken]


@pytest.mark.slow
def test_the_scheduler_stops_both_processes_politely(shared):
    _, stopped = shared.study.trials

    assert stopped.state.name == "PRUNED"
    assert len(curve(stopped)) == 1
    record = shared.record(stopped)
    assert record.stage == "stopped"
    assert session(shared.version(stopped).folder).status == "STATUS_SUCCESS"


@pytest.mark.slow
def test_a_model_that_two_processes_trained_is_loaded(shared):
    trial = shared.study.trials[0]
    model = load(shared.paths.folder, 0)
    x = torch.randn(96, 4, generator=torch.Generator().manual_seed(0))
    y = x.sum(1) + torch.arange(96) % 2

    with torch.inference_mode():
        assert model.loss((x[64:], y[64:])).item() == pytest.approx(trial.value, abs=1e-4)


@pytest.mark.slow
def test_a_script_trains_in_two_processes(search, shared, tmp_path):
    program = write_program(tmp_path / "project", "shared")
    script = search(program, SPACE + "constants: {LR: {choice: [0.005]}}\ntrials: 1\n", shape="script")

    assert script.error is None
    (trial,) = script.study.trials
    assert curve(trial) == pytest.approx(curve(shared.study.trials[0]), abs=1e-4)
    log = script.version(trial).log.read_text()
    assert log.count("rank 0 of 2 is through") == log.count("rank 1 of 2 is through") == 2  # in the pre-flight, too


@pytest.mark.slow
def test_a_rank_that_fails_dies_or_hangs_is_no_hang_and_costs_one_trial(search, tmp_path):
    program = write_program(tmp_path / "project", "shared")
    rest = "scheduler: none\ntrials: 5\nhang_after: 15\ngive_up_after: 9\nown_folder: true\n"
    searched = search(program, f"{SPACE}{rest}constants: {{FAULT: {{choice: {FAULTS}}}}}\n")

    assert searched.error is None
    trials = {trial.user_attrs["constants"]["FAULT"]: trial for trial in searched.study.trials}
    reasons = {fault: trial.user_attrs["reason"] for fault, trial in trials.items() if trial.state.name == "FAIL"}
    raises = 1 + program.read_text().splitlines().index('        raise ValueError("not on this rank")')
    exits = 1 + program.read_text().splitlines().index("        os._exit(3)")
    assert reasons.pop("rank 1 hangs").startswith("hang: no epoch ended for ")
    assert reasons == {
        "rank 1 raises": f"ValueError: not on this rank (rank 1) (shared.py:{raises})",
        "rank 1 exits": f"the worker died: the program called os._exit(3) (shared.py:{exits})",
    }
    assert searched.version(trials["rank 1 raises"]).error.read_text().endswith("ValueError: not on this rank\n")
    attempts = {fault: trial.user_attrs.get("attempt", 1) for fault, trial in trials.items()}
    assert attempts == {"none": 1, "rank 1 raises": 1, "rank 1 exits": 2, "rank 1 is killed once": 2, "rank 1 hangs": 1}
    resumed = trials["rank 1 is killed once"]
    assert curve(resumed) == pytest.approx(curve(trials["none"]), abs=1e-6)
    assert [step for step, _ in scalars(searched.version(resumed).folder)["MSE/Val"]] == [3, 7, 11]


@pytest.mark.slow
def test_a_rank_that_is_killed_fails_its_trial_within_a_minute_and_the_search_goes_on(search, tmp_path):
    program = write_program(tmp_path / "project", "shared")
    rest = "scheduler: none\ntrials: 3\nmax_failures: 0\n"
    killed, ended = [], []

    def kill_rank_1():
        while not (records := list(tmp_path.glob("storage/exp/001*/trial.json"))):
            time.sleep(0.1)
        while '"curve": []' in (text := records[0].read_text()):
            time.sleep(0.1)
        pid = int(text.partition('"rank": 1, "pid": ')[2].partition("}")[0])
        killed.append(time.monotonic())
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_rank_1)
    killer.start()
    paces = "constants: {PACE_S: {choice: [0.0, 0.5, 0.01]}}\ntrainer: {max_epochs: 20}\n"
    searched = search(
        program,
        SPACE + rest + paces,
        on_end=lambda outcome: ended.append((outcome, time.monotonic())),
    )
    killer.join()

    by_pace = {outcome.values["PACE_S"]: (outcome, at) for outcome, at in ended}
    assert [by_pace[pace][0].state for pace in (0.0, 0.5, 0.01)] == ["complete", "failed", "complete"]
    assert by_pace[0.5][0].reason == "the worker died: rank 1 of the trial died: killed by SIGKILL"
    assert by_pace[0.5][1] - killed[0] < ENDS_S
    assert searched.error is None
