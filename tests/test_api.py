"""The Python API: what a notebook uses."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import tune
from tests.ledgers import write_experiment
from tests.projects import write_program
from tune import Experiment
from tune.cli import main
from tune.errors import ConstantError, ExperimentError, OptionError, SearchError, SpaceError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def storage(tmp_path):
    return tmp_path / "storage"


@pytest.fixture
def experiment(storage):
    write_experiment(storage, "one", [[0.1, 0.4], [0.2, 0.6, 0.5], None])
    return Experiment("one", storage=storage)


def test_an_experiment_is_opened_by_its_name_and_by_its_folder(experiment, storage):
    again = Experiment(storage / "one")

    assert experiment.name == again.name == "one"
    assert experiment.trials == again.trials
    assert [trial.number for trial in experiment.trials] == [0, 1, 2]
    assert (experiment.baseline.score, experiment.best.score, experiment.best.best_epoch) == (0.4, 0.6, 2)


def test_a_program_in_a_folder_that_is_not_utf8_is_refused_before_anything_starts(tmp_path, monkeypatch):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    program = write_program(folder, "scripted")
    (tmp_path / "link.py").symlink_to(program)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(OptionError) as error:
        tune.search(system="link.py", metric="m", mode="max", constants={"LR": {"uniform": [0, 1]}}, storage="s")
    assert error.value.what == f"this is not UTF-8, got {str(program)!r}"
    assert not (tmp_path / "s").exists()


def test_an_experiment_has_curves_and_failures(experiment):
    assert experiment.curves == {0: {1: 0.1, 2: 0.4}, 1: {1: 0.2, 2: 0.6, 3: 0.5}}
    assert [(trial.number, trial.reason) for trial in experiment.failures] == [(2, "ValueError: no")]


def test_the_trials_are_a_table(experiment):
    frame = experiment.frame()

    assert frame.index.tolist() == [0, 1, 2]
    assert frame.index.name == "trial"
    assert frame.columns.tolist() == [
        "version",
        "LR",
        "Score/Val",
        "state",
        "best_epoch",
        "n_epochs",
        "reason",
    ]
    assert frame["LR"].tolist() == [trial.values["LR"] for trial in experiment.trials]
    assert frame["Score/Val"].tolist()[:2] == [0.4, 0.6]
    assert math.isnan(frame["Score/Val"][2])
    assert frame["state"].tolist() == ["complete", "complete", "failed"]


def test_an_experiment_that_is_not_there_is_told(storage, experiment):
    with pytest.raises(ExperimentError) as caught:
        Experiment("on", storage=storage)

    assert str(caught.value) == f"{storage}: no experiment 'on'\n  Did you mean 'one'?"


def test_the_api_is_these_names_and_no_others():
    assert tune.__all__ == ["Experiment", "__version__", "load", "search"]
    assert all(callable(getattr(tune, name)) for name in ("Experiment", "load", "search"))


def test_a_search_can_be_called_before_and_after_its_package_was_imported():
    code = (
        "import tune\nassert callable(tune.search)\nfrom tune import search\n"
        "import tune.search.run\nassert callable(tune.search)\nfrom tune import search\n"
        "from tune.errors import SpaceError\n"
        "try: search(sistem='p.py')\n"
        "except SpaceError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "search(): 'sistem' is not a key of a space file\n  Did you mean 'system'?\n"


def test_a_key_that_is_no_setting_is_told(tmp_path, storage):
    write_experiment(storage, "one", [[0.1]])

    with pytest.raises(SpaceError) as caught:
        tune.search(tmp_path / "s.yaml", trails=3)

    assert str(caught.value) == "search(): 'trails' is not a setting of a space file\n  Did you mean 'trials'?"


def test_a_key_of_the_file_that_no_call_can_change_is_told_as_such(tmp_path):
    program = write_program(tmp_path, "scripted")
    (tmp_path / "s.yaml").write_text(
        f"system: {program.name}\nmetric: Score/Val\nmode: max\nconstants:\n  LR: {{loguniform: [1e-4, 1e-1]}}\n"
    )

    with pytest.raises(SpaceError) as caught:
        tune.search(tmp_path / "s.yaml", metric="acc")

    assert str(caught.value) == (
        "search(): 'metric' stands in the space file, and is no setting that a call can change\n"
        "  Change it in s.yaml, or leave the file out and give all keys."
    )


def test_an_experiment_and_a_trial_are_shown_in_one_line(storage, experiment):
    version = experiment.best.version
    assert repr(experiment) == f"<Experiment one: 3 of 3 trials, best Score/Val = 0.6 in epoch 2 of {version}>"
    assert repr(experiment.best) == f"<trial 1: complete, 0.6 in epoch 2, LR={experiment.best.values['LR']!r}>"
    assert repr(experiment.trials[2]).startswith("<trial 2: failed, ValueError: no, LR=")

    write_experiment(storage, "none", [None])
    assert repr(Experiment("none", storage=storage)) == "<Experiment none: 1 of 1 trials, no trial has a score>"


def test_the_status_and_the_events_of_an_experiment_are_those_of_the_command(storage, experiment, capfd):
    assert main(["status", "one", "--json", "--storage", str(storage)]) == 0
    status = json.loads(capfd.readouterr().out)
    assert main(["status", "one", "--follow", "--storage", str(storage)]) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]

    assert experiment.status() == status
    assert list(experiment.events()) == events
    assert [each["event"] for each in events] == ["status", "finished"]


def test_a_proposal_and_a_stop_of_an_experiment_that_does_not_run_are_those_of_the_commands(experiment):
    kept = experiment.propose({"LR": 0.25}, why="a hunch")

    assert (kept.taken, kept.trial, kept.what) == (True, None, "no search runs: it is kept")
    with pytest.raises(ConstantError, match="'LRR' is no constant of this search"):
        experiment.propose({"LRR": 0.25})
    with pytest.raises(ExperimentError, match="no search runs here"):
        experiment.stop([1])


def test_a_notebook_shows_an_experiment_as_a_table_whose_texts_are_no_markup(storage):
    write_experiment(storage, "<b>", [[0.1, 0.4], [0.2, 0.6, 0.5], None])
    found = Experiment("<b>", storage=storage)
    page = found._repr_html_()

    assert page.startswith("<p>&lt;Experiment &lt;b&gt;: 3 of 3 trials, best Score/Val = 0.6 in epoch 2 of ")
    assert "<th>trial</th><th>state</th><th>epochs</th><th>Score/Val</th><th>LR</th>" in page
    assert page.count("<tr>") == 3  # the heading, and the trials that have a score
    assert "<td>1</td><td>complete</td><td>3</td><td>0.6</td>" in page
    assert "<b>" not in page


def test_a_wrong_constant_is_told_as_one_of_the_call_for_no_file_holds_it(tmp_path, storage):
    program = write_program(tmp_path, "scripted")
    varied = {"LRR": {"loguniform": [1e-4, 1e-1]}}

    with pytest.raises(ConstantError) as caught:
        tune.search(system=str(program), metric="Score/Val", mode="max", storage=storage, constants=varied)

    assert str(caught.value).startswith("search(): 'LRR' is not a constant of scripted.py\n  Did you mean 'LR' (")
    assert not storage.exists()


def test_gpus_cannot_be_chosen_where_ray_runs_already(monkeypatch, tmp_path, storage):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: True))
    (tmp_path / "p.py").touch()
    varied = {"LR": {"choice": [1, 2]}}

    with pytest.raises(OptionError) as caught:
        tune.search(system=str(tmp_path / "p.py"), metric="M", mode="max", storage=storage, gpus=[0], constants=varied)

    assert str(caught.value) == (
        "--gpu: Ray runs already in this process, and has its GPUs\n"
        "  Call `ray.shutdown()` first, or start Ray with CUDA_VISIBLE_DEVICES set, and leave `gpus` out."
    )
    assert not storage.exists()


@pytest.mark.usefixtures("ray")
def test_a_search_is_run_from_keywords_and_gives_its_experiment(tmp_path, storage, monkeypatch, capfd):
    monkeypatch.chdir(write_program(tmp_path / "project", "scripted").parent)
    heard = []
    found = tune.search(
        system="scripted.py",
        metric="Score/Val",
        mode="max",
        constants={"LR": {"loguniform": [1e-4, 1e-1]}, "HIDDEN": {"choice": [4, 16]}},
        trials=3,
        concurrency=1,
        storage=storage,
        on_trial=lambda outcome: (heard.append(outcome), sys.stdout.write(f"{outcome.number}\n")),
    )

    assert capfd.readouterr().out == "0\n1\n2\n"
    assert found.paths.folder == storage / "scripted"
    assert [trial.number for trial in heard] == [0, 1, 2]
    assert found.trials == tuple(heard)
    assert [found.load(trial.number).net[0].out_features for trial in found.trials] == [
        trial.values["HIDDEN"] for trial in found.trials
    ]


@pytest.mark.usefixtures("ray")
def test_a_search_with_progress_rewrites_one_line_and_ends_it(tmp_path, storage, monkeypatch, capfd):
    monkeypatch.chdir(write_program(tmp_path / "project", "scripted").parent)
    found = tune.search(
        system="scripted.py",
        metric="Score/Val",
        mode="max",
        constants={"LR": {"loguniform": [1e-4, 1e-1]}},
        trials=2,
        concurrency=1,
        storage=storage,
        progress=True,
    )

    told = capfd.readouterr().out
    first, *lines = told.rstrip(" \n").split("\r")
    assert first == ""
    assert told.count("\n") == 1
    assert lines[0].startswith("0/2 trials, ")
    assert [line for line in lines if "/2 trials, " not in line] == []
    best = found.best
    last = f"2/2 trials, best Score/Val = {best.score:.5g} in epoch {best.best_epoch} of {best.version}, "
    assert lines[-1].startswith(last)
    assert lines[-1].endswith(" so far")


SEARCHES = """
import sys
import tune

def tell(outcome):
    print("ended", outcome.number)
    sys.stderr.write("to the errors\\n")
    1 / 0

print("begun")
try:
    tune.search(
        system="scripted.py", metric="Score/Val", mode="max", constants={"LR": {"loguniform": [1e-4, 1e-1]}},
        trials=20, concurrency=1, storage="storage", name="s", trainer={"max_epochs": 2}, on_trial=tell,
    )
except ZeroDivisionError as error:
    print("raised", error)
print("over")
"""


def test_a_search_that_gives_up_raises_what_it_says_on_the_command_line(tmp_path, monkeypatch):
    program = write_program(tmp_path / "project", "faults")
    program.write_text(program.read_text().replace('FAULT == "raises" and epoch == 2', 'FAULT != "none"'))
    monkeypatch.chdir(program.parent)
    given = {"sampler": "grid", "scheduler": "none", "concurrency": 1, "trials": 20, "give_up_after": 2}
    constants = {"FAULT": {"choice": ["none", *"abcdef"]}}

    with pytest.raises(SearchError, match="2 trials in a row failed with one cause: RuntimeError: no second epoch"):
        tune.search(
            system="faults.py", metric="Score/Val", mode="max", constants=constants, storage="s", name="e", **given
        )
    assert [trial.state for trial in Experiment("e", storage="s").trials][:3] == ["complete", "failed", "failed"]


def test_an_exception_of_on_trial_ends_the_search_and_what_it_prints_goes_where_the_program_prints(tmp_path):
    write_program(tmp_path, "scripted")
    (tmp_path / "searches.py").write_text(SEARCHES)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "searches.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    told = "begun\nended 0\nraised division by zero\nover\n"
    assert (done.stdout, done.stderr) == (told, "to the errors\n")
    assert "ended" not in (tmp_path / "storage" / "s" / "driver.log").read_text()
    found = Experiment("s", storage=tmp_path / "storage")
    assert [trial.state for trial in found.trials][:1] == ["complete"]
    assert len(found.trials) <= 2
    assert found.doubts == ()
