"""`results`: tables for people, JSON and CSV for machines, whoever writes the experiment meanwhile."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tests.recorded import Recorded
from tests.terminal import Terminal, python
from tune.cli import main
from tune.experiment.records import Failure

ROOT = Path(__file__).parents[2]
GIB = 2**30
TWO = "metric: [Accuracy, Size]\nmode: [max, min]\nconstants: {LR: {loguniform: [1e-4, 1e-1]}}\n"
TRIALS = [
    Trial(curve=[0.1, 0.2]),
    Trial(curve=[0.25, 0.5], values={"LR": 0.05, "OPTIMIZER": "sgd"}),
    Trial(curve=[0.15], values={"LR": 0.0123456789, "BATCH_SIZE": 32}, state="PRUNED"),
    Trial(
        values={"BATCH_SIZE": 512},
        state="FAIL",
        failure=Failure(kind="ValueError", message="too\nwide", place="program.py:3", code="x = net(x)"),
    ),
]


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path, TRIALS)


@pytest.fixture
def show(tmp_path, capfd):
    """Return what runs `results` in this process: its status, and what it wrote."""

    def run(*words):
        status = main(["results", *words, "--storage", str(tmp_path / "storage")])
        return status, *capfd.readouterr()

    return run


def lines_of(text):
    return [line.rstrip() for line in text.splitlines()]


def test_an_experiment_is_shown_with_its_trials_the_best_first(experiment, show):
    status, out, err = show("exp")

    folder = experiment.paths.folder
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert "\r" not in out
    assert (
        lines_of(out)
        == f"""\
exp: maximise Score/Val
4 of 20 trials: 2 complete, 1 pruned, 1 failed

trial   state      epochs   Score/Val   best in   LR          BATCH_SIZE   DROPOUT   OPTIMIZER
001 *   complete   2        0.5         2         0.05        64           0.1       sgd
000     complete   2        0.2         2         0.01        64           0.1       adam
002     pruned     1        0.15        1         0.0123457   32           0.1       adam
003     failed     0        -           -         0.01        512          0.1       adam

best: Score/Val = 0.5 in epoch 2 of 001,LR=0.05,BATCH_SIZE=64,DROPOUT=0.1,OPTIMIZER=sgd
the hardcoded values: 0.2; better by 0.3

one failed:
  ValueError: too wide
    at program.py:3: x = net(x)
    such as LR=0.01, BATCH_SIZE=512, DROPOUT=0.1, OPTIMIZER=adam
    its log: {folder}/003,LR=0.01,BATCH_SIZE=512,DROPOUT=0.1,OPTIMIZER=adam/log.txt

everything is in {folder}""".split("\n")
    )


def test_of_several_metrics_the_pareto_front_is_shown(tmp_path, show):
    recorded = Recorded(tmp_path, TWO, program="two", source="LR = 0.01\nMAX_EPOCHS = 1\n", name="two")
    for accuracy, size in ((0.5, 30.0), (0.9, 50.0), (0.7, 40.0), (0.6, 60.0)):
        recorded.trial([accuracy], others=lambda values, epoch, size=size: [size])
    recorded.finish()

    _, out, _ = show("two")
    front = out[out.index("Pareto front") :].splitlines()[:6]
    assert [line.split(",")[0].split() for line in front] == [
        ["Pareto", "front:", "3", "of", "4", "trials"],
        ["Accuracy", "(max)", "Size", "(min)", "epoch", "version"],
        ["0.9", "50", "1", "001"],
        ["0.7", "40", "1", "002"],
        ["0.5", "30", "1", "000"],
        [],
    ]


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("score", [1, 0, 2, 3]),
        ("number", [0, 1, 2, 3]),
        ("state", [0, 1, 2, 3]),
        ("epochs", [0, 1, 2, 3]),
        ("LR", [0, 3, 2, 1]),
        ("OPTIMIZER", [0, 2, 3, 1]),
        ("Score/Val", [1, 0, 2, 3]),
    ],
)
def test_sort_orders_what_is_shown_and_written(experiment, show, column, order):
    _, out, _ = show("exp", "--sort", column, "--json")
    assert [trial["number"] for trial in json.loads(out)["experiments"][0]["trials"]] == order


def test_a_column_that_is_not_there_is_told(experiment, show):
    assert show("exp", "--sort", "scor") == (2, "", "--sort: there is no column 'scor'\n  Did you mean 'score'?\n")


def test_several_experiments_stand_side_by_side(experiment, show, tmp_path):
    write_experiment(tmp_path, [Trial(curve=[0.3])], name="two")
    status, out, _ = show("exp", "two")

    assert status == 0
    assert [re.split(" {2,}", line) for line in lines_of(out)] == [
        ["", "exp", "two"],
        ["searched for", "maximise Score/Val", "maximise Score/Val"],
        ["trials", "4 of 20 trials: 2 complete, 1 pruned, 1 failed", "1 of 20 trials: 1 complete"],
        ["hardcoded values", "0.2", "0.3"],
        ["best", "0.5", "0.3"],
        ["gain", "better by 0.3", "no trial was better"],
        ["in trial", "001", "000"],
        ["LR", "0.05", "0.01"],
        ["BATCH_SIZE", "64", "64"],
        ["DROPOUT", "0.1", "0.1"],
        ["OPTIMIZER", "sgd", "adam"],
    ]


def test_one_trial_of_one_is_told_in_the_singular(tmp_path, show):
    write_experiment(tmp_path, TRIALS[:1], SPACE.replace("trials: 20", "trials: 1"))
    _, out, _ = show("exp")
    assert lines_of(out)[1] == "1 of 1 trial: 1 complete"


def test_json_is_strict_and_holds_both_experiments(experiment, show, tmp_path):
    write_experiment(tmp_path, [Trial(curve=[float("nan")], state="FAIL")], name="two")
    status, out, _ = show("exp", "two", "--json")

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(out, parse_constant=refuse)["experiments"]
    assert status == 0
    assert [(each["experiment"], each["best"], len(each["trials"])) for each in found] == [
        ("exp", 1, 4),
        ("two", None, 1),
    ]
    assert found[0]["trials"][2]["constants"]["LR"] == 0.0123456789


def test_csv_has_a_row_a_trial_and_floats_unrounded(experiment, show):
    status, out, _ = show("exp", "--csv", "--sort", "number")

    header, *rows = csv.reader(io.StringIO(out))
    assert status == 0
    assert "\r" not in out
    assert header[:5] == ["experiment", "number", "version", "state", "score"]
    assert [row[3] for row in rows] == ["complete", "complete", "pruned", "failed"]
    assert rows[2][header.index("constants.LR")] == "0.0123456789"
    assert rows[3][header.index("reason")] == "ValueError: too\nwide (program.py:3)"


def test_results_needs_no_torch_and_no_ray(experiment, tmp_path):
    code = (
        "import sys\nfrom tune.cli import main\n"
        f"main(['results', 'exp', '--storage', {str(tmp_path / 'storage')!r}])\n"
        "heavy = {'torch', 'ray', 'pytorch_lightning', 'lightning', 'tensorboard', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_experiment_that_is_not_there_is_told(experiment, show, tmp_path):
    assert show("expp") == (2, "", f"{tmp_path / 'storage'}: no experiment 'expp'\n  Did you mean 'exp'?\n")


NARROW = {
    110: """\
trial   state      epochs   Score/Val   best in   LR          BATCH_SIZE   DROPOUT   OPTIMIZER
001 *   complete   2        0.5         2         0.05        64           0.1       sgd
000     complete   2        0.2         2         0.01        64           0.1       adam
002     pruned     1        0.15        1         0.0123457   32           0.1       adam
003     failed     0        -           -         0.01        512          0.1       adam

best: """,
    80: """\
trial   state      Score/Val   LR          BATCH_SIZE   DROPOUT   OPTIMIZER
001 *   complete   0.5         0.05        64           0.1       sgd
000     complete   0.2         0.01        64           0.1       adam
002     pruned     0.15        0.0123457   32           0.1       adam
003     failed     -           0.01        512          0.1       adam

more columns need a wider terminal, or --csv: best in, epochs

best: """,
    68: """\
trial   state      Score/Val   LR          BATCH_SIZE   DROPOUT
001 *   complete   0.5         0.05        64           0.1
000     complete   0.2         0.01        64           0.1
002     pruned     0.15        0.0123457   32           0.1
003     failed     -           0.01        512          0.1

more columns need a wider terminal, or --csv: OPTIMIZER, and 2 more

best: """,
}


@pytest.mark.parametrize("columns", NARROW)
def test_a_narrow_terminal_shows_as_many_constants_as_fit(experiment, tmp_path, columns):
    words = ["results", "exp", "--storage", tmp_path / "storage"]
    terminal = Terminal(python(ROOT / "run_search.py", *words), columns=columns, rows=40, cwd=ROOT)
    assert terminal.end() == 0
    shown = terminal.text
    terminal.close()

    assert shown.partition("\n\n")[2].startswith(NARROW[columns])


@pytest.mark.parametrize(("columns", "has_constants"), [(200, True), (40, False)])
def test_the_table_on_a_terminal_breaks_no_line(experiment, tmp_path, columns, has_constants):
    words = ["results", "exp", "--storage", tmp_path / "storage"]
    terminal = Terminal(python(ROOT / "run_search.py", *words), columns=columns, rows=40, cwd=ROOT)
    assert terminal.end() == 0
    shown = terminal.lines
    terminal.close()

    head = next(number for number, line in enumerate(shown) if line.startswith("trial "))
    assert ("OPTIMIZER" in shown[head]) == has_constants
    assert [line[:5].strip() for line in shown[head + 1 : head + 5]] == ["001 *", "000", "002", "003"]


def piped(tmp_path, shell, **options):
    line = f"{sys.executable} {ROOT}/run_search.py results exp --storage {tmp_path / 'storage'} {shell}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize(
    "shell", ["| true", "--json | true", "--csv | head -1 > /dev/null", ">&-", ">&- 2>&-", "<&- >&- 2>&-"]
)
def test_a_reader_that_is_gone_and_a_closed_stream_are_no_error(experiment, tmp_path, shell):
    done = piped(tmp_path, f"{shell}; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_when_standard_error_is_closed_has_its_status(experiment, tmp_path):
    assert piped(tmp_path, "--sort none 2>&-").returncode == 2


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}], ids=str)
def test_a_plain_locale_is_no_error(experiment, tmp_path, locale):
    kept = {name: value for name, value in os.environ.items() if name not in ("LANG", "LC_ALL", "LC_CTYPE")}
    done = piped(tmp_path, "", env={**kept, **locale})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("exp: maximise Score/Val\n")


def test_what_trials_used_of_their_gpus_has_columns_in_each_table(tmp_path, show):
    usage = {"uuid": "GPU-1", "name": "NVIDIA T4", "total_bytes": 16 * GIB, "peak_bytes": 3 * GIB, "utilization": 0.25}
    write_experiment(tmp_path, [Trial(curve=[0.1], more={"gpu": usage}), Trial(curve=[0.2], values={"LR": 0.05})])

    lines = lines_of(show("exp")[1])
    assert lines[3].endswith("   OPTIMIZER   GPU GiB   GPU busy")
    assert lines[4].endswith("   adam        -         -")
    assert lines[5].endswith("   adam        3.00      25%")
    first, second = json.loads(show("exp", "--json")[1])["experiments"][0]["trials"]
    assert "gpu" not in first
    assert second["gpu"] == {**usage, "taken_bytes": 0, "outgrown_shares": []}
    header, *rows = csv.reader(io.StringIO(show("exp", "--csv")[1]))
    assert header[-4:] == ["gpu.name", "gpu.total_bytes", "gpu.peak_bytes", "gpu.utilization"]
    assert [row[-4:] for row in rows] == [[""] * 4, ["NVIDIA T4", str(16 * GIB), str(3 * GIB), "0.25"]]
