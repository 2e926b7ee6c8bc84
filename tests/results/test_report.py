"""The report: what it says of every kind of experiment, and that it says it safely."""

import base64
import gzip
import json
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.recorded import Recorded, learnt, searched
from tune.cli import main
from tune.errors import ExperimentError
from tune.experiment.open import open_experiment
from tune.experiment.trial_result import TrialResult
from tune.results.report.build_report import build_page, write_report
from tune.results.report.plot import build_clock, format_duration
from tune.results.report.trial_plots import TrialSpan, assign_lanes, draw_curves, name_lanes
from tune.space.space import Objective

ONE = """
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
sampler: random
"""
HOSTILE = "</script><img src=x onerror=alert(1)>"
UNTIDY = f"""
OPTIMIZER = "adam"
MOMENTUM = 0.9
KIND = "{HOSTILE}"
SIZES = [64, 64]
LR = 1e-3


def use():
    return OPTIMIZER, MOMENTUM, KIND, SIZES, LR
"""
SEVERAL = f"""
metric: [Score/Val, "n<b>{HOSTILE}"]
mode: [max, min]
constants:
  LR: {{loguniform: [1e-2, 1e-1]}}
  OPTIMIZER: {{choice: [adam, sgd]}}
  MOMENTUM: {{uniform: [0.0, 0.99], when: {{OPTIMIZER: sgd}}}}
  KIND: {{choice: ["{HOSTILE}", "b & <i>", null, "1"]}}
  SIZES: {{choice: [[64, 64], [128], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]}}
sampler: random
"""


def page(paths):
    return build_page(open_experiment(str(paths.folder), paths.folder))


def html(paths):
    return write_report(open_experiment(str(paths.folder), paths.folder)).read_text()


def figures(text):
    """Return what the page draws, by the places' names."""
    packed = re.search(r'<script type="text/plain" id="figures"[^>]*>([^<]*)</script>', text).group(1)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def several(folder):
    """Return an experiment of two metrics, a condition, odd choices, failures, a pause and a trial that waits."""
    rng = random.Random(0)
    recorded = Recorded(folder, SEVERAL, program="untidy_choices", source=UNTIDY)
    for number in range(40):
        complete = number % 3 == 0
        recorded.trial(
            learnt(rng.uniform(0.7, 0.95), 5 if complete else 2, rng),
            "complete" if complete else "pruned",
            others=lambda values, epoch: [1000.0 + rng.random()],
            pause_s=86_400 if number == 20 else 0,
        )
    recorded.trial([0.5], "failed", reason=HOSTILE, others=lambda values, epoch: [float("inf")])
    recorded.trial([0.6, 0.7], "waiting", others=lambda values, epoch: [3.0])
    recorded.ledger.suspend_trials()
    return recorded.finish()


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    """Sixty trials of three constants."""
    return searched(tmp_path_factory.mktemp("ordinary"), 60)


def test_the_page_of_a_search_when_it_is_through_then_says_all_of_it(ordinary):
    found = page(ordinary)
    experiment = open_experiment(str(ordinary.folder), ordinary.folder)

    assert found.goal == "maximise Score/Val"
    assert (found.best, found.is_better) == (f"{experiment.best.score:.5g}", True)
    assert found.gain.startswith("better than the hardcoded values by 0.0")
    assert [(row.name, row.hardcoded, row.place) for row in found.rows] == [
        ("LR", "0.01", "scripted.py:10"),
        ("BATCH_SIZE", "8", "scripted.py:11"),
        ("HIDDEN", "8", "scripted.py:12"),
    ]
    assert f"\n+BATCH_SIZE = {experiment.best.values['BATCH_SIZE']}\n" in found.diff
    assert next(iter(found.shares)).name == "LR"
    assert sum(share.percent for share in found.shares) == pytest.approx(100)
    assert [plot.name for plot in found.plots] == [
        *("history", "curves"),
        *("parallel", "contours"),
        *("slice-0", "slice-1", "slice-2"),
        "timeline",
    ]
    assert found.lines[0].number == experiment.best.number
    assert len(found.lines) == 60
    assert found.commands == ("python run_search.py --space space.yaml",)
    assert found.loads.endswith(f'model = load("{ordinary.folder}")')
    assert found.next == tuple(
        f"promotune {each}" for each in (f"retrain {ordinary.folder} --seeds 5", f"apply {ordinary.folder}")
    )
    assert [(each.cause, each.count) for each in found.failures] == [
        ("out of memory", sum(line.state == "failed" for line in found.lines))
    ]


def test_learning_curves_when_they_are_drawn_then_every_trial_is_there_by_its_state(ordinary):
    experiment = open_experiment(str(ordinary.folder), ordinary.folder)
    (figure,) = figures(html(ordinary))["curves"]["figures"]
    drawn = {trace["name"]: {*trace["customdata"]} - {None} for trace in figure["data"]}

    for state in ("complete", "pruned", "failed"):
        assert drawn[state] == {trial.number for trial in experiment.trials if trial.state == state}
    assert drawn["best"] == {experiment.best.number}
    assert drawn["hardcoded values"] == {0}


def test_the_file_when_it_is_written_then_it_needs_nothing_else_and_is_small(ordinary):
    text = html(ordinary)
    without_code = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)

    assert not re.search(r'(?:src|href)="(?!data:)', without_code)
    assert "url(" not in without_code
    assert "default-src 'none'" in without_code
    assert len(text) < 6e6


def test_a_search_of_two_metrics_with_odd_values_when_it_is_reported_then_everything_is_shown(tmp_path):
    paths = several(tmp_path)
    found = page(paths)

    assert found.waiting == 1
    assert dict(found.facts)["trials"] == "42: 14 complete, 26 pruned, 1 failed, 1 waiting"
    assert "Pareto front" in dict(found.facts)
    assert [plot.name for plot in found.overview] == ["history", "curves", "front"]
    assert list(found.overview[0].figures) == ["Score/Val", f"n<b>{HOSTILE}"]
    assert {plot.title for plot in found.slices} == {"LR", "OPTIMIZER", "MOMENTUM", "KIND", "SIZES"}


def test_what_a_program_says_when_it_is_hostile_then_none_of_it_is_html(tmp_path):
    text = html(several(tmp_path))

    assert HOSTILE not in text
    assert text.count("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;") > 5
    assert HOSTILE not in json.dumps(figures(text))
    assert text.count("<script") == 3


def test_what_a_program_says_when_it_holds_control_characters_then_the_page_has_none(tmp_path):
    recorded = Recorded(tmp_path, ONE)
    recorded.trial([0.1, 0.2], "complete")
    recorded.trial([], "failed", reason="no \x1b[31m\x9b\r disk")
    text = html(recorded.finish())

    assert "no \ufffd[31m\ufffd\ufffd disk" in text
    assert [letter for letter in text if (letter < " " and letter not in "\t\n") or "\x7f" <= letter < "\xa0"] == []


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ([], "no trial has begun"),
        ([([0.1, 0.2], "running"), ([], "running")], "still running when the report was made: 2 trials had not ended"),
        ([([float("nan")], "failed")] * 3, "no trial has ended"),
        ([([0.1, 0.2], "complete")], "the hardcoded values; no trial was better"),
        ([([], "failed"), ([0.1, 0.2], "complete")], "the hardcoded values have no score"),
    ],
    ids=["none", "running", "all failed", "baseline alone", "baseline failed"],
)
def test_a_search_that_has_little_to_show_when_it_is_reported_then_says_so(trials, words, tmp_path):
    recorded = Recorded(tmp_path, ONE)
    for curve, state in trials:
        recorded.trial(curve, state, reason="it broke" if state == "failed" else None)
    text = html(recorded.finish())

    assert words in text
    assert "Too few trials have a score to tell, or all scores are equal: it takes 20 trials." in text


def test_long_curves_when_they_are_drawn_then_are_thinned_out_and_keep_their_ends():
    curve = {epoch: epoch / 20_000 for epoch in range(1, 20_001)}
    trial = TrialResult(
        number=1,
        version="001",
        values={},
        state="complete",
        score=1.0,
        best_epoch=20_000,
        curve=curve,
        measures={epoch: (value,) for epoch, value in curve.items()},
        reason=None,
    )
    trials = [replace(trial, number=number) for number in range(1, 4)]
    drawn = draw_curves(trials, 0, Objective(metric="Score/Val", mode="max"), None)["data"]

    assert sum(len(trace["x"]) for trace in drawn) < 40_000
    assert (drawn[0]["x"][0], max(filter(None, drawn[0]["x"]))) == (1, 20_000)


def test_a_report_when_the_experiment_cannot_be_written_then_says_what_to_do(ordinary):
    experiment = open_experiment(str(ordinary.folder), ordinary.folder)
    with pytest.raises(ExperimentError) as raised:
        write_report(experiment, ordinary.folder / "none" / "report.html")

    assert str(raised.value) == (
        f"{ordinary.folder}/none/report.html: the report cannot be written: No such file or directory\n"
        "  Give another file with -o."
    )


def test_the_command_when_it_is_given_a_file_then_writes_it_there(ordinary, tmp_path, capfd):
    assert main(["report", str(ordinary.folder), "-o", str(tmp_path / "mine.html")]) == 0

    assert capfd.readouterr().out == f"report: {tmp_path}/mine.html (2.0 MB)\n"
    assert (tmp_path / "mine.html").read_text().startswith("<!doctype html>")


def test_the_command_when_there_is_no_such_experiment_then_says_so(tmp_path, capfd):
    assert main(["report", "nix", "--storage", str(tmp_path)]) == 2
    assert capfd.readouterr().err == f"{tmp_path}: no experiment 'nix'\n  Experiments: none.\n"


def test_the_command_when_it_runs_then_imports_neither_torch_nor_ray(ordinary, tmp_path):
    code = (
        "import sys\nfrom tune.cli import main\n"
        f"assert main(['report', {str(ordinary.folder)!r}, '-o', {str(tmp_path / 'r.html')!r}]) == 0\n"
        "sys.exit(f'imported {found}' if (found := {'torch', 'ray', 'pytorch_lightning'} & set(sys.modules)) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_clock_when_a_search_was_interrupted_then_stands_still():
    clock = build_clock([(0, 100), (50, 160), (10_000, 10_040)])

    assert clock.total_s == 200
    assert clock.elapsed_at(5_000) == 160
    assert clock.elapsed_at(10_020) == 180
    assert clock.pause_times == (160,)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.26, "0.3 s"), (29, "29 s"), (250, "4 min 10 s"), (7_500, "2 h 05 min")]
)
def test_a_duration_is_said_as_people_say_it(seconds, words):
    assert format_duration(seconds) == words


def test_a_worker_that_replaces_a_dead_one_takes_over_its_lane():
    runs = [
        TrialSpan(trial=None, worker=worker, start=start, end=end)
        for worker, start, end in [("a:1", 0, 5), ("a:2", 0, 9), ("a:1", 5, 6), ("a:3", 7, 8), ("b:4", 7, 8)]
    ]

    assert assign_lanes(runs) == {"a:1": 0, "a:2": 1, "a:3": 0, "b:4": 2}


LANES = {
    "GPUs": ([("a:1", "0"), ("a:2", "1")], ["GPU 0", "GPU 1"]),
    "two places on a GPU": ([("a:1", "0"), ("a:2", "0"), ("a:3", "1")], ["GPU 0", "GPU 0, place 2", "GPU 1"]),
    "several GPUs each": ([("a:1", "0,1"), ("a:2", "2,3")], ["GPU 0,1", "GPU 2,3"]),
    "the CPU": ([("a:1", ""), ("a:2", "")], ["worker 1", "worker 2"]),
    "a place that had one GPU and then another": ([("a:1", "0"), ("a:1", "1")], ["worker 1"]),
    "two hosts": ([("a:1", "0"), ("b:2", "0"), ("b:3", "")], ["a GPU 0", "b GPU 0", "b 3"]),
}


@pytest.mark.parametrize(("ran", "names"), LANES.values(), ids=LANES)
def test_a_lane_is_called_after_its_gpu(ran, names):
    runs = [TrialSpan(trial=None, worker=worker, devices=devices, start=0, end=1) for worker, devices in ran]
    several = len({worker.partition(":")[0] for worker, _ in ran}) > 1

    assert [*name_lanes(runs, assign_lanes(runs), several_hosts=several).values()] == names
