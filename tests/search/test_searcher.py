"""Configurations are drawn where their conditions hold, whoever draws them."""

import pytest
from optuna.trial import TrialState

from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.samplers.searcher import Searcher
from tune.space.space_file import read_space

PROGRAM = "OPT = 'adam'\nMOMENTUM = 0.5\nNESTEROV = False\nDEPTH = 2\nSIZES = (1, 2)\n"
CONDITIONAL = """
  NESTEROV: {choice: [true, false], when: {MOMENTUM: [0.5, 0.9]}}
  MOMENTUM: {choice: [0.0, 0.5, 0.9], when: {OPT: [sgd, rms]}}
  OPT: {choice: [adam, sgd, rms]}
"""


@pytest.fixture
def searcher(tmp_path):
    def create(constants=CONDITIONAL, rest="", program=PROGRAM, **arguments):
        (tmp_path / "p.py").write_text(program)
        text = f"system: p.py\nmetric: m\nmode: max\nconstants:{constants}\n{rest}\n"
        (tmp_path / "s.yaml").write_text(text)
        space = read_space(tmp_path / "s.yaml")
        return Searcher(space, resolve_constants(space, find_program(space.program)), **arguments)

    return create


def run(searcher, n, score=lambda values: 0.5):
    """Return the values of n trials, the baseline first; each completes with its score, or fails where it has none."""
    drawn = []
    for number in range(n):
        if searcher.is_exhausted:
            break
        draw = searcher.suggest_config() if number else searcher.suggest_baseline()
        searcher.register_trial(number, draw)
        drawn.append(draw.values)
        value = score(draw.values)
        if value is None:
            searcher.tell_trial(number, TrialState.FAIL, {}, None)
            continue
        searcher.record_value(number, value)
        searcher.tell_trial(number, TrialState.COMPLETE, {1: (value,)}, (value,))
    return drawn


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "qmc", "random", "grid"])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_constant_is_drawn_where_its_condition_holds_and_nowhere_else(searcher, sampler):
    drawn = run(searcher(rest=f"sampler: {sampler}"), 25)

    assert drawn[0] == {"OPT": "adam"}
    for values in drawn:
        assert ("MOMENTUM" in values) == (values["OPT"] != "adam")
        assert ("NESTEROV" in values) == (values.get("MOMENTUM") in (0.5, 0.9))
    assert {len(values) for values in drawn} == {1, 2, 3}
    assert list(max(drawn, key=len)) == ["NESTEROV", "MOMENTUM", "OPT"]


def test_a_grid_visits_what_differs_only_in_values_that_do_not_count_once(searcher):
    drawn = run(searcher(rest="sampler: grid"), 99)

    assert len(drawn) == len({repr(values) for values in drawn}) == 1 + 2 * (1 + 2 * 2)


def test_perturbations_keep_to_the_conditions_and_change_branches(searcher):
    drawn = run(searcher(), 150, lambda values: 1.0 if values["OPT"] == "sgd" else 0.0)

    for values in drawn[30:]:
        assert ("MOMENTUM" in values) == (values["OPT"] != "adam")
    assert {values["OPT"] for values in drawn[30:]} == {"adam", "sgd", "rms"}


@pytest.mark.parametrize(
    ("sampler", "n"), [("tpe", 90), pytest.param("gp", 45, marks=pytest.mark.slow)], ids=["tpe", "gp"]
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_where_every_trial_fails_few_are_drawn(searcher, sampler, n):
    constants = "\n  MOMENTUM: {uniform: [0.0, 1.0]}\n  OPT: {choice: [adam, sgd, rms, adagrad]}\n"

    def score(values):
        return None if values["OPT"] == "rms" else values["MOMENTUM"]

    drawn = run(searcher(constants, f"sampler: {sampler}"), n, score)[30:]

    assert sum(values["OPT"] == "rms" for values in drawn) < len(drawn) / 4  # more than half, were they forgotten


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("rest", ["", "sampler: gp"])
def test_a_trial_that_failed_is_known_again_when_a_search_goes_on(searcher, rest):
    went_on = searcher("\n  DEPTH: {randint: [1, 60]}\n", rest)
    went_on.add_finished_trial({"DEPTH": 2}, TrialState.COMPLETE, {1: (0.5,)}, (0.5,))
    went_on.add_finished_trial({"DEPTH": 3}, TrialState.COMPLETE, {1: (0.1,)}, (0.1,))
    went_on.add_finished_trial({"DEPTH": 50}, TrialState.FAIL, {1: (0.9,)}, None)

    trials = went_on._memory._study.get_trials(deepcopy=False)
    assert [(trial.state.name, trial.value) for trial in trials[2:]] == [
        ("COMPLETE", 0.1) if rest else ("PRUNED", None)
    ]
    assert went_on._best.find_best() == (0.5, {"DEPTH": 2})


def test_a_trial_that_led_and_then_failed_is_not_perturbed(searcher):
    new = searcher("\n  DEPTH: {randint: [1, 60]}\n")
    for number, value, state in ((0, 0.5, TrialState.COMPLETE), (1, 0.9, TrialState.FAIL)):
        drawn = new.suggest_config() if number else new.suggest_baseline()
        new.register_trial(number, drawn)
        new.record_value(number, value)
        led = new._best.find_best()
        new.tell_trial(number, state, {1: (value,)}, None if number else (value,))

    assert led == (0.9, drawn.values)
    assert new._best.find_best() == (0.5, {"DEPTH": 2})


def test_a_baseline_of_whose_parent_only_the_program_knows_the_value_varies_nothing_below_it(searcher):
    assert searcher(program=PROGRAM.replace("'adam'", "str('sgd')")).suggest_baseline().values == {}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_sequence_of_qmcs_goes_on_behind_what_another_experiment_had(searcher):
    constants = "\n  DEPTH: {randint: [1, 60]}\n  OPT: {choice: [adam, sgd]}\n"
    known = run(searcher(constants, "sampler: qmc"), 20)
    new = searcher(constants, "sampler: qmc")
    for values in known[1:]:
        new.add_prior_trial(new.to_labels(values), TrialState.COMPLETE, {1: (0.5,)}, (0.5,))
    drawn = run(new, 20)

    assert not {repr(values) for values in drawn[1:]} & {repr(values) for values in known[1:]}


REQUIRED = """
  D: {randint: [1, 64]}
  N: {randint: [2, 16]}
  OPT: {choice: [adam, sgd]}
require:
  - D % N == 0
  - OPT == 'sgd' or N > 3
"""


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "qmc", "random", "grid"])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_draw_but_the_baseline_meets_what_is_required(searcher, sampler):
    program = "D = 7\nN = 3\nOPT = 'adam'\n"
    drawn = run(searcher(REQUIRED, f"sampler: {sampler}", program), 12 if sampler == "gp" else 80, lambda v: v["D"])

    assert drawn[0] == {"D": 7, "N": 3, "OPT": "adam"}
    assert len(drawn) >= 12
    for values in drawn[1:]:
        assert values["D"] % values["N"] == 0
        assert values["OPT"] == "sgd" or values["N"] > 3


def test_what_is_required_of_a_constant_that_does_not_vary_counts_its_hardcoded_value(searcher):
    constants = "\n  OPT: {choice: [adam, sgd]}\n  DEPTH: {randint: [1, 9], when: {OPT: sgd}}\nrequire: DEPTH > 2"
    drawn = run(searcher(constants), 40)[1:]

    assert {values["OPT"] for values in drawn} == {"sgd"}  # beside adam DEPTH is 2
    assert min(values["DEPTH"] for values in drawn) == 3
