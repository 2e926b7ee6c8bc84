"""The arithmetic of ``benchmarks.overhead``; what it measures takes minutes, and is no test."""

import subprocess
import sys

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from benchmarks.overhead.measure import EPOCHS, HARDCODED_LR, Window, fixed_list, slope_ms
from benchmarks.overhead.table import show
from benchmarks.peers.assignment import Assignment
from benchmarks.peers.events import curves
from benchmarks.peers.limit import every_combination
from benchmarks.peers.ours import space_of
from benchmarks.peers.tree_cpu import TreeCpu
from benchmarks.results_file import ResultsFile
from benchmarks.spread import ratios, spread


@pytest.mark.parametrize("n_trials", [8, 20, 40, 120])
def test_fixed_list_when_asked_for_n_then_it_has_n_configurations_and_the_hardcoded_one(n_trials):
    points = every_combination(fixed_list(n_trials))
    assert len({tuple(point.values()) for point in points}) == len(points) == n_trials
    assert {"LR": HARDCODED_LR, "DROPOUT": 0.2} in points


def test_slope_when_trials_end_in_any_order_then_it_is_that_between_two_ends():
    ends = [100.0, 3.0, 1.0, 2.0, 3.5, 4.0]  # a slow last trial does not count, nor does the start
    assert slope_ms(ends, Window(2, 5)) == pytest.approx(1000 * (4.0 - 2.0) / 3)


def test_cpu_when_asked_between_looks_then_it_is_in_proportion():
    cpu = TreeCpu([(10.0, 1.0), (12.0, 3.0), (14.0, 3.5)])
    assert cpu.between_s(11.0, 13.0) == pytest.approx(1.25)
    assert cpu.between_s(10.0, 14.0) == pytest.approx(2.5)


def test_cpu_when_a_process_works_below_another_then_it_counts(tmp_path):
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        cpu = TreeCpu()
        assert not cpu.look(process.pid, tmp_path)
        process.stdin.write(b"\n")
    cpu.marks[0] = (cpu.marks[0][0] - 10, cpu.marks[0][1])  # as if it were long ago
    assert not cpu.look(process.pid, tmp_path)
    (_, before), (_, after) = cpu.marks
    assert after == before >= 0.25  # it has ended, and counts on; the kernel counts in ticks of 10 ms


def test_cpu_when_processes_live_between_two_looks_then_it_counts_once(tmp_path):
    burn = "import time\nwhile time.process_time() < 0.1: pass"
    code = (
        "import subprocess, sys\n"
        f"run = lambda: subprocess.run([sys.executable, '-c', {burn!r}])\n"
        "run()\nprint(flush=True); input()\n[run() for _ in range(3)]\nprint(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        cpu = TreeCpu()
        for _ in range(2):
            process.stdout.readline()
            cpu.look(process.pid, tmp_path)
            cpu.marks[-1] = (cpu.marks[-1][0] - 10, cpu.marks[-1][1])  # as if it were long ago
            process.stdin.write(b"\n")
            process.stdin.flush()
    (_, before), (_, after) = cpu.marks
    assert 0.27 <= after - before < 0.6


def test_ratios_when_a_round_lacks_one_then_it_has_none():
    assert ratios({1: 3.0, 2: 8.0, 3: 5.0}, {2: 4.0, 1: 2.0}) == [1.5, 2.0]
    assert spread([2.0, 1.0, 4.0]) == "2.00 (1.00 to 4.00)"
    assert spread([]) == "-"


def test_curves_when_there_are_other_event_files_then_only_the_metric_counts(tmp_path):
    for version, tags in {"a/0": ["score", "other"], "b": ["ray/score"]}.items():
        writer = EventFileWriter(str(tmp_path / version))
        for step in range(3):
            values = [Summary.Value(tag=tag, simple_value=step / 2) for tag in tags]
            writer.add_event(Event(step=step, wall_time=1000.0 + step, summary=Summary(value=values)))
        writer.close()
    assert curves(tmp_path, "score") == {"a/0": [(1000.0, 0.0), (1001.0, 0.5), (1002.0, 1.0)]}


def test_our_space_when_the_list_is_fixed_then_nobody_stops_a_trial():
    space = space_of(fixed_list(20))
    assert (space["sampler"], space["scheduler"], space["trials"]) == ("grid", "none", 20)
    assert space["trainer"]["max_epochs"] == EPOCHS


def test_assignment_when_written_then_it_is_read_back(tmp_path):
    fixed_list(8).write(tmp_path / "a.json")
    assert Assignment.read(str(tmp_path / "a.json")) == fixed_list(8)


def test_results_when_a_run_was_interrupted_then_what_is_there_is_known(tmp_path, capsys):
    path = tmp_path / "overhead.jsonl"
    for number, slope in enumerate((100.0, 200.0), start=1):
        for who, times in {"limit": 1, "ours": 1.5, "Optuna": 2, "Ray's tutorial": 12}.items():
            measured = {"slope_ms": times * slope, "cpu_ms": 2 * times * slope, "start_s": 8.0, "end_s": 1.0}
            ResultsFile(path).add(measured, who=who, round=number)
        ResultsFile(path).add({"import_s": 3.0, "ray_s": 5.0}, who="floor", round=number)
    results = ResultsFile(path)
    assert results.has(who="ours", round=2)
    assert not results.has(who="ours", round=3)
    assert not results.mixed
    show(results, Window(20, 120), {})
    said = " ".join(capsys.readouterr().out.split())
    assert "ours 225 (150 to 300) 1.50 (1.50 to 1.50) 1.50 (1.50 to 1.50)" in said
    assert "slope over Optuna 0.75 (0.75 to 0.75)" in said
    assert "Ray's tutorial over ours 8.00 (8.00 to 8.00)" in said
    assert "start over import + ray.init 1.00 (1.00 to 1.00)" in said
