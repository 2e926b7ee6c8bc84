"""What an agent's verbs answer, of experiments that were not trained."""

import json
from types import SimpleNamespace

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tests.projects import write_program
from tests.results.test_confirmation import NOISE, TRUE, confirm
from tests.results.test_confirmation import TRIALS as CONFIRMED
from tune.agents.processes import CommandError, CommandOutput
from tune.agents.verbs import MOST_CHARACTERS, MOST_ITEMS, WAIT, AgentVerbs, limit_answer
from tune.experiment.lock import lock_experiment

TRIALS = [Trial(curve=[0.5, 0.6]), Trial(curve=[0.7], values={"LR": 0.05}), Trial(curve=[0.4], values={"LR": 0.06})]
ALL_ENDED = SPACE.replace("trials: 20", f"trials: {len(CONFIRMED)}")
ENDED = SPACE.replace("trials: 20", "trials: 3")


@pytest.fixture
def verbs(tmp_path):
    return AgentVerbs(str(tmp_path / "storage"))


def test_constants_are_those_that_are_promising_and_every_one_where_asked(tmp_path, verbs):
    write_experiment(tmp_path, TRIALS)
    program = str(tmp_path / "project" / "program.py")
    found, every = verbs.list_constants(program), verbs.list_constants(program, every=True)

    assert {each["name"] for each in every["constants"]} == {"LR", "BATCH_SIZE", "DROPOUT", "OPTIMIZER"}
    assert every["n_left_out"] == 0
    assert found["n_left_out"] == 4 - len(found["constants"])
    assert every["constants"][0] == {"name": "LR", "text": "0.01", "type": "float", "where": "program.py:1"}


def test_a_status_is_that_of_the_command(tmp_path, verbs):
    write_experiment(tmp_path, TRIALS, ENDED)

    assert (verbs.read_status("exp")["state"], verbs.read_status("exp")["best"]["number"]) == ("finished", 1)


def test_results_are_the_best_trials_without_their_curves(tmp_path, verbs):
    write_experiment(tmp_path, TRIALS)
    found = verbs.read_results("exp", n_best=2)

    assert [each["number"] for each in found["trials"]] == [1, 0]
    assert found["n_left_out"] == 1
    assert found["note"] == WAIT
    assert all("curve" not in each for each in found["trials"])


def test_a_diff_without_a_verdict_says_so_and_changes_nothing(tmp_path, verbs):
    write_experiment(tmp_path, TRIALS, ENDED)
    source = tmp_path / "project" / "program.py"
    before = source.read_text()
    found = verbs.show_diff("exp")

    assert "-LR = 0.01\n+LR = 0.05\n" in found["diff"]
    assert (found["finding"], found["note"]) == (None, WAIT)
    assert source.read_text() == before


def test_a_verdict_is_not_asked_for_where_nothing_was_better(tmp_path, verbs):
    write_experiment(tmp_path, [Trial(curve=[0.9]), *TRIALS[1:]], ENDED)
    found = verbs.ask_verdict("exp")

    assert (found["finding"], found["state"]) == ("nothing better", "finished")


@pytest.mark.parametrize(
    ("hardcoded", "noise", "finding", "outcome"),
    [
        (TRUE[0], NOISE, "gain", "better"),
        pytest.param(0.929, 0.02, "noise", "nothing better", marks=pytest.mark.slow),
        pytest.param(0.99, NOISE, "loss", "nothing better", marks=pytest.mark.slow),
    ],
)
def test_a_verdict_is_told_with_its_interval_and_decides_what_status_and_apply_say(
    tmp_path, verbs, hardcoded, noise, finding, outcome
):
    confirm(write_experiment(tmp_path, CONFIRMED, ALL_ENDED), true={**TRUE, 0: hardcoded}, noise=noise)
    told, status, diff = verbs.ask_verdict("exp"), verbs.read_status("exp"), verbs.show_diff("exp")

    assert (told["finding"], told["state"], told["verdict_number"]) == (finding, "finished", 1)
    assert told["interval"][0] < told["gain"] < told["interval"][1]
    assert (status["verdict"], status["outcome"], status["chosen"]) == (finding, outcome, told["chosen"])
    assert (diff["finding"], "note" in diff) == (finding, finding != "gain")
    assert ("note" in verbs.read_results("exp")) is False


def test_a_verdict_on_a_search_that_runs_is_to_be_asked_for_again(tmp_path, verbs):
    experiment = write_experiment(tmp_path, TRIALS)
    with lock_experiment(experiment.paths):
        found = verbs.ask_verdict("exp")

    assert (found["finding"], found["state"], found["next"]) == (
        None,
        "running",
        "Ask again: the search or its confirmation runs.",
    )


@pytest.mark.parametrize(
    ("verb", "words", "told"),
    [
        ("read_status", ["exq"], "no experiment 'exq'\n  Did you mean 'exp'?"),
        ("read_results", ["exq"], "no experiment 'exq'"),
        ("ask_verdict", ["exq"], "no experiment 'exq'"),
        ("show_diff", ["exp", 7], "no trial 7\n  The trials are 0 to 2."),
        ("list_constants", ["none.py"], "none.py"),
        ("start_search", ["none.py", ["LR"]], "none.py"),
        ("show_diff", ["--write"], "does not begin with '-', and is not empty, got '--write'"),
        ("read_status", ["--help"], "does not begin with '-'"),
        ("read_status", [""], "is not empty, got ''"),
        ("start_search", ["p.py", ["--storage=/"]], "does not begin with '-'"),
        ("propose_trial", ["exp", {"--storage": "/"}], "an option of the command, got '--storage'"),
        ("propose_trial", ["exp", {"-q": 1}], "does not begin with '-'"),
        ("propose_trial", ["exp", {"LRR": 1}], "'LRR' is no constant of this search\n  Did you mean 'LR'?"),
        ("propose_trial", ["exp", {"LR": 7.0}], "LR: outside of"),
        ("stop_trials", ["exp"], "no search runs here"),
        ("stop_trials", ["exp", [1]], "no search runs here"),
        ("read_status", ["x" * 200_000], "`status` cannot be given these words: "),
        ("propose_trial", ["exp", {"LR": "\0"}], "`propose` cannot be given these words: "),
        ("propose_trial", ["exp", {"LR": 0.05}, "\ud800"], "`propose` cannot be given these words: "),
        ("start_search", ["p.py", ["LR"], None, None, None, None, "\0"], "`p.py` cannot be given these words: "),
    ],
)
def test_a_bad_call_is_told_as_on_the_command_line(tmp_path, verbs, verb, words, told):
    write_experiment(tmp_path, TRIALS)
    with pytest.raises(CommandError) as caught:
        getattr(verbs, verb)(*words)

    assert told in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_proposal_to_a_search_that_does_not_run_is_kept(tmp_path, verbs):
    write_experiment(tmp_path, TRIALS)
    answer = verbs.propose_trial("exp", {"LR": 0.03, "OPTIMIZER": "sgd"}, why="a hunch")

    assert answer == {
        "taken": True,
        "trial": None,
        "what": "no search runs: it is kept",
        "hint": f"To run it: python -m tune resume {tmp_path / 'storage' / 'exp'}",
    }


def test_a_search_that_cannot_begin_is_told_with_what_it_said(tmp_path, verbs, monkeypatch):
    monkeypatch.chdir(write_program(tmp_path / "project", "chance").parent)
    with pytest.raises(CommandError, match=r"'EFEKT' is not a constant of chance\.py"):
        verbs.start_search("chance.py", ["EFEKT=1..2"], metric="Score/Val", mode="max")


def test_resume_goes_on_with_a_search_that_was_interrupted_and_asks_one_that_runs(tmp_path, verbs, monkeypatch):
    paths = write_experiment(tmp_path, TRIALS).paths
    started = []
    going_on = SimpleNamespace(wait_for_experiment=lambda storage: paths, pid=17, has_ended=False)
    monkeypatch.setattr("tune.agents.verbs.StartedCommand", lambda words: started.append(words) or going_on)
    answer = verbs.resume_search("exp", more_trials=5)

    assert started == [["resume", "exp", "--trials=+5", f"--storage={tmp_path / 'storage'}"]]
    assert (answer["experiment"], answer["state"], answer["process"]) == ("exp", "running", 17)
    monkeypatch.setattr("tune.agents.verbs.run_command", answer_as_a_driver)
    assert verbs.resume_search("exp")["what"] == "the search goes on"
    assert len(started) == 1


def answer_as_a_driver(words, good=(0,)):
    text = '{"experiment": "exp", "state": "running"}' if words[0] == "status" else "the search goes on\n"
    return CommandOutput(0, text, "")


def test_an_answer_is_cut_where_it_is_too_long():
    long = {"trials": [{"reason": "x" * 5000, "list": list(range(100))} for _ in range(200)], "best": 3}
    cut = limit_answer(long)

    assert len(json.dumps(cut)) <= MOST_CHARACTERS
    assert cut["best"] == 3
    assert cut["trials"][-1].startswith("... ")
    assert cut["trials"][0]["reason"].endswith("... (5000 characters)")
    assert limit_answer({"trials": [1] * MOST_ITEMS}) == {"trials": [1] * MOST_ITEMS}
    with pytest.raises(CommandError, match="ask for less"):
        limit_answer({str(number): "x" * 1000 for number in range(100)})
