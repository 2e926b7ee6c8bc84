"""Keep order among experiments: list, compare, delete."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ledgers import write_experiment
from tests.terminal import Terminal, python
from tune import load
from tune.cli import main
from tune.errors import ExperimentError
from tune.experiment.lock import lock_experiment
from tune.experiment.open import open_experiment
from tune.invocation import this_command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def storage(tmp_path):
    return tmp_path / "storage"


@pytest.fixture
def run(storage, capfd):
    def command(*words):
        capfd.readouterr()
        status = main([*words, "--storage", str(storage)])
        return status, *capfd.readouterr()

    return command


def test_a_list_has_a_line_for_each_the_last_written_first(run, storage):
    write_experiment(storage, "one", [[0.1, 0.4], [0.2, 0.5], None])
    other = write_experiment(storage, "two", [[0.3]], trials=5)
    two_hours_ago = time.time() - 2 * 3600 - 60
    os.utime(other.journal, (two_hours_ago, two_hours_ago))
    (storage / "no experiment").mkdir()
    status, out, err = run("list")

    lines = [[cell for cell in line.split("  ") if cell.strip()] for line in out.splitlines()]
    cells = [[cell.strip() for cell in line][:-1] for line in lines[1:3]]
    assert (status, err) == (0, "")
    assert cells == [
        ["one", "finished", "3 of 3, 1 failed", "0.5", "0.4", "Score/Val", "just now"],
        ["two", "interrupted", "1 of 5", "0.3", "0.3", "Score/Val", "2 hours ago"],
    ]


def test_a_grid_is_finished_when_each_of_its_points_was_asked_for(run, storage):
    write_experiment(storage, "ended", [[0.1], [0.2], [0.3]], trials=9, grid=[0.5, 0.6, 0.7])
    write_experiment(storage, "cut", [[0.1], [0.2]], trials=9, grid=[0.5, 0.6, 0.7])  # by its time budget
    _, out, _ = run("list", "--json")

    assert {each["name"]: each["state"] for each in json.loads(out)} == {"ended": "finished", "cut": "interrupted"}


LISTED = {
    100: """\
experiment        state         trials             best      hardcoded   metric      written
digits_lr_bs-12   finished      3 of 3, 1 failed   0.98333   0.94722     Score/Val   5 min
two               interrupted   1 of 25            0.3       0.3         Score/Val   2 h

more columns need a wider terminal, or --json: size""",
    80: """\
experiment        state         trials             best      metric      written
digits_lr_bs-12   finished      3 of 3, 1 failed   0.98333   Score/Val   5 min
two               interrupted   1 of 25            0.3       Score/Val   2 h

more columns need a wider terminal, or --json: size, hardcoded""",
    60: """\
experiment        state         trials   best      written
digits_lr_bs-12   finished      3/3      0.98333   5 min
two               interrupted   1/25     0.3       2 h

more columns need a wider terminal, or --json""",
    32: """\
experiment    state         best
digi...s-12   finished      0.98
two           interrupted   0.3""",
}


@pytest.mark.parametrize("columns", LISTED)
def test_a_list_on_a_narrow_terminal_has_one_line_for_each_and_breaks_no_word(columns, storage):
    best = 0.98 if columns == 32 else 0.98333
    one = write_experiment(storage, "digits_lr_bs-12", [[0.1, 0.94722], [0.2, best], None])
    two = write_experiment(storage, "two", [[0.3]], trials=25)
    for paths, age_s in ((one, 5 * 60 + 20), (two, 2 * 3600 + 60)):
        written = time.time() - age_s
        os.utime(paths.journal, (written, written))
    words = ["list", "--storage", storage]
    terminal = Terminal(python(ROOT / "run_search.py", *words), columns=columns, rows=20, cwd=ROOT)
    assert terminal.end() == 0
    shown = terminal.text
    terminal.close()

    assert shown.startswith(LISTED[columns])


def test_one_whose_driver_was_killed_as_it_began_is_listed_and_deleted(run, storage):
    paths = write_experiment(storage, "one", [[0.1]])
    paths.journal.unlink()
    paths.lock.touch()
    for version in paths.folder.glob("0*"):
        shutil.rmtree(version)

    line = [cell.strip() for cell in run("list")[1].splitlines()[1].split("  ") if cell.strip()]
    assert line[:6] == ["one", "never began", "-", "-", "-", "-"]
    assert run("delete", "one", "--yes")[0] == 0
    assert not paths.folder.exists()


def test_a_list_for_machines_says_all(run, storage):
    write_experiment(storage, "one", [[0.1, 0.4]])
    _, out, _ = run("list", "--json")

    (one,) = json.loads(out)
    assert one.pop("n_bytes") > 1000
    assert one.pop("program").endswith("/p.py")
    assert one.pop("changed") == pytest.approx(time.time(), abs=600)
    assert one == {
        "name": "one",
        "state": "finished",
        "n_trials": 1,
        "n_wanted": 1,
        "n_failed": 0,
        "metric": "Score/Val",
        "best": 0.4,
        "baseline": 0.4,
        "verdict": None,
        "error": None,
        "project": {
            "search": 1,
            "n_searches": 1,
            "n_verdicts": 0,
            "error_rate_left": 1.0,
            "n_next_seeds": 8,
        },
    }


HOLD = """
import sys
from pathlib import Path
from tune.paths import ExperimentPaths
from tune.experiment.lock import lock_experiment
with lock_experiment(ExperimentPaths(Path(sys.argv[1]))):
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held():
    """Return what lets another process hold an experiment."""
    processes = []

    def hold(folder):
        process = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        processes.append(process)
        return process

    yield hold
    for process in processes:
        process.communicate()


def test_one_that_runs_is_listed_so_and_not_deleted(run, storage, held):
    paths = write_experiment(storage, "one", [[0.1]], trials=5)
    process = held(paths.folder)

    assert run("list")[1].splitlines()[1].split()[1] == "running"
    status, _, err = run("delete", "one", "--yes")
    assert status == 2
    assert err.startswith(f"{paths.folder}: this search is running (process {process.pid} on ")
    assert paths.journal.is_file()


def test_one_whose_retraining_runs_is_not_deleted(run, storage, held):
    paths = write_experiment(storage, "one", [[0.1]])
    paths.retrain_folder.mkdir()
    held(paths.retrain_folder)

    assert run("delete", "one", "--yes")[0] == 2
    assert paths.journal.is_file()


def test_a_storage_without_experiments_is_told(run, storage):
    assert run("list") == (0, f"no experiments in {storage}\n", "")


NEED_EXPERIMENT = ["results", "apply", "resume", "retrain", "report", "dashboards", "compare", "delete"]


@pytest.mark.parametrize("command", NEED_EXPERIMENT)
def test_a_command_without_an_experiment_names_those_that_are_there_the_last_first(command, run, storage):
    for age_s, name in enumerate(("two", "one")):
        paths = write_experiment(storage, name, [[0.1]])
        os.utime(paths.journal, (time.time() - age_s, time.time() - age_s))

    assert run(command) == (2, "", "no experiment was named\n  Experiments, the last first: two, one.\n")


def test_of_many_experiments_five_are_named(run, storage):
    for age_s, name in enumerate("abcdefg"):
        paths = write_experiment(storage, name, [[0.1]])
        os.utime(paths.journal, (time.time() - age_s, time.time() - age_s))

    assert run("results")[2].split("\n")[1] == (
        f"  Experiments, the last first: a, b, c, d, e, and 2 more: `{this_command()} list --storage {storage}`."
    )


def test_a_command_without_an_experiment_where_there_is_none_says_so(run, storage):
    assert run("results") == (2, "", f"no experiment was named\n  There are no experiments in {storage}.\n")


def test_what_cannot_be_read_is_listed_with_why(run, storage):
    paths = write_experiment(storage, "one", [[0.1]])
    paths.space.write_text("metric: [")
    status, out, _ = run("list")

    assert status == 0
    assert out.splitlines()[1].split()[:3] == ["one", "unreadable", "-"]
    assert "space.yaml" in out.splitlines()[2]


def test_two_of_the_same_metric_are_compared_and_their_histories_overlaid(run, storage):
    one = write_experiment(storage, "one", [[0.1, 0.4], None, [0.2, 0.6]])
    two = write_experiment(storage, "two", [[0.2], [0.5]])
    status, out, err = run("compare", "one", "two")
    lines = [line.rstrip() for line in out.splitlines()]

    assert (status, err) == (0, "")
    best = [open_experiment(str(each.folder), storage).best for each in (one, two)]
    assert lines[0] == "Score/Val (max)"
    assert [line.split() for line in lines[1:4]] == [
        ["experiment", "trials", "epochs", "hardcoded", "best", "in", "trial"],
        ["A", "one", "3", "4", "0.4", "0.6", "002"],
        ["B", "two", "2", "2", "0.2", "0.5", "001"],
    ]
    assert lines[6].split() == ["LR", *(f"{each.values['LR']:.6g}" for each in best)]
    assert lines[8:] == [
        "the best score so far, by trials",
        "0.6 |  A",
        "    |",
        "    |",
        "    | B",
        "    |",
        "    |AA",
        *["    |"] * 5,
        "0.2 |B",
        "    +---",
        "     1 3",
    ]


def test_those_of_other_metrics_are_not_compared(run, storage):
    write_experiment(storage, "one", [[0.1]])
    write_experiment(storage, "two", [[0.1]], metric="CE/Val", mode="min")

    assert run("compare", "one", "two") == (
        2,
        "",
        (
            "compare: one was to maximise Score/Val, two to minimise CE/Val\n"
            "  Compare experiments of the same metric and mode.\n"
        ),
    )


def test_an_experiment_is_deleted_whole(run, storage):
    paths = write_experiment(storage, "one", [[0.1], [0.2]])
    status, out, err = run("delete", "one", "--yes")

    assert (status, out, err) == (0, f"to be deleted: {paths.folder}\ndeleted\n", "")
    assert list(storage.iterdir()) == []


def test_a_version_is_deleted_and_the_ledger_stays(run, storage):
    paths = write_experiment(storage, "one", [[0.1], [0.2]])
    name = open_experiment("one", storage).best.version
    assert run("delete", "one", name, "--yes")[0] == 0

    experiment = open_experiment("one", storage)
    assert not paths.version(name).folder.exists()
    assert (experiment.best.version, experiment.best.score) == (name, 0.2)
    with pytest.raises(ExperimentError) as caught:
        load(paths.folder)
    assert str(caught.value) == (
        f"{paths.folder / name}: this version was deleted\n"
        f"  To train it again: promotune retrain {paths.folder} --trial 1"
    )


def test_without_a_terminal_nothing_is_deleted_that_was_not_agreed_to(run, storage, monkeypatch):
    paths = write_experiment(storage, "one", [[0.1]])
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    status, _, err = run("delete", "one")

    assert (status, err) == (2, "there is no terminal to ask whether to delete\n  Write `--yes` if you are sure.\n")
    assert paths.journal.is_file()


@pytest.mark.parametrize(("answer", "left"), [("y\n", False), ("\n", True), ("n\n", True)])
def test_on_a_terminal_it_asks(run, storage, monkeypatch, answer, left):
    class Terminal:
        def isatty(self):
            return True

        def readline(self):
            return answer

    paths = write_experiment(storage, "one", [[0.1]])
    monkeypatch.setattr("sys.stdin", Terminal())
    status, out, _ = run("delete", "one")

    assert status == 0
    assert "Delete? [y/N] " in out
    assert paths.journal.is_file() == left


WHERE = "  Give the name of its folder, without a path.\n"


@pytest.mark.parametrize("name", ["", ".", "..", "../storage", "a/../one", "one/.", "/etc", "..\\one"])
def test_a_name_that_could_lead_elsewhere_is_refused(run, storage, name):
    paths = write_experiment(storage, "one", [[0.1]])

    assert run("delete", name, "--yes") == (2, "", f"not the name of an experiment, got {name!r}\n{WHERE}")
    assert run("delete", "one", name, "--yes") == (2, "", f"not the name of a version, got {name!r}\n{WHERE}")
    assert paths.journal.is_file()


def test_an_absolute_path_of_an_experiment_is_refused(run, storage):
    paths = write_experiment(storage, "one", [[0.1]])

    assert run("delete", str(paths.folder), "--yes")[0] == 2
    assert paths.journal.is_file()


def test_links_are_not_followed(run, storage, tmp_path):
    elsewhere = write_experiment(tmp_path / "elsewhere", "real", [[0.1], [0.2]])
    paths = write_experiment(storage, "one", [[0.1]])
    (storage / "link").symlink_to(elsewhere.folder)
    (paths.folder / "001,link").symlink_to(elsewhere.version("000,baseline").folder)
    (paths.version("000,baseline").folder / "data").symlink_to(elsewhere.folder)
    stays = "  Delete the link yourself; what it leads to is not touched.\n"

    link = run("delete", "link", "--yes")
    version = run("delete", "one", "001,link", "--yes")
    whole = run("delete", "one", "--yes")

    assert link == (2, "", f"{storage}: 'link' is a link, to {elsewhere.folder}\n{stays}")
    assert version == (2, "", f"{paths.folder}: '001,link' is a link, or lies behind one\n{stays}")
    assert whole[0] == 0
    assert not paths.folder.exists()
    assert elsewhere.version("000,baseline").record.is_file()
    assert elsewhere.journal.is_file()


@pytest.mark.parametrize("number", ["1", "001"])
def test_a_version_is_deleted_by_its_number(run, storage, number):
    paths = write_experiment(storage, "one", [[0.1], [0.2], [0.3]])
    names = sorted(each.name for each in paths.folder.iterdir() if each.name[0].isdecimal())
    status, out, err = run("delete", "one", number, "--yes")

    assert (status, err) == (0, "")
    assert out.startswith(f"to be deleted: {paths.folder / names[1]}\n")
    assert sorted(each.name for each in paths.folder.iterdir() if each.name[0].isdecimal()) == [names[0], names[2]]


def test_a_number_that_no_version_has_is_told_with_those_that_there_are(run, storage):
    paths = write_experiment(storage, "one", [[0.1], [0.2]])

    assert run("delete", "one", "77", "--yes") == (
        2,
        "",
        f"{paths.folder}: no version '77'\n  Versions: 000, 001.\n",
    )


@pytest.mark.parametrize("name", ["source", "retrain", "study.journal", "007,LR=1"])
def test_what_is_no_version_is_not_deleted(run, storage, name):
    paths = write_experiment(storage, "one", [[0.1]])
    paths.retrain_folder.mkdir()
    status, _, err = run("delete", "one", name, "--yes")

    assert status == 2
    assert err.startswith(f"{paths.folder}: no version {name!r}\n")
    assert paths.source.is_dir()


def test_a_second_one_may_begin_where_one_was_deleted(run, storage):
    write_experiment(storage, "one", [[0.1]])
    run("delete", "one", "--yes")
    paths = write_experiment(storage, "one", [[0.2]])

    with lock_experiment(paths):
        assert run("list")[1].splitlines()[1].split()[1] == "running"
