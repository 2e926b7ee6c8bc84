"""What follows a confirmation: verdicts on trials that are named, what is proposed next, and what is applied."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.experiments import write_experiment
from tests.results.test_confirmation import TRIALS, TRUE, confirm, train
from tune.cli import main
from tune.cli.commands.retrain import _describe_few_seeds
from tune.cli.search_end import show_next
from tune.cli.terminal.confirmation_lines import show_verdict_number
from tune.cli.terminal.screen import Screen
from tune.experiment.records import Failure
from tune.experiment.verdicts import read_verdicts, write_verdict
from tune.results.confirm.error_rate import error_rate_of_verdict
from tune.results.confirm.plan import build_request, choose_seeds, new_verdict, plan_confirmation
from tune.results.confirm.project import find_search_number
from tune.retrain.plan import plan_verdict
from tune.space.settings import Confirm


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path, TRIALS)


def test_choose_seeds_when_a_confirmation_was_then_none_of_its_seeds_judges_a_trial_that_is_named(experiment):
    record = confirm(experiment).record

    seeds = choose_seeds(experiment, (1,), 5)

    assert set(seeds).isdisjoint({0, *record.race_seeds, *record.seeds})
    assert len(set(seeds)) == 5


def test_choose_seeds_when_trials_were_compared_then_the_best_of_them_is_judged_on_other_seeds(experiment):
    write_verdict(experiment.paths, new_verdict(experiment, (1, 2), seeds=(1, 2, 3)))

    assert choose_seeds(experiment, (1,), 3) == (4, 5, 6)
    assert choose_seeds(experiment, (1, 2), 4) == (1, 2, 3, 4)


def test_choose_seeds_when_a_trial_was_judged_then_its_seeds_serve_again_with_more(experiment):
    write_verdict(experiment.paths, new_verdict(experiment, (1,), seeds=(1, 2)))
    assert choose_seeds(experiment, (2,), 2) == (1, 2)

    record = confirm(experiment).record
    more = choose_seeds(experiment, (1,), 4)

    assert more[:2] == (1, 2)
    assert set(more[2:]).isdisjoint({1, 2, *record.race_seeds, *record.seeds})


def test_plan_verdict_when_runs_differ_from_the_search_then_it_is_a_further_verdict(experiment):
    request, trials = build_request(experiment), experiment.trials[1:2]

    planned = [
        plan_verdict(experiment, each, trials, (1, 2))
        for each in (
            replace(request, trial=1, seed=2),
            replace(request, trainer={"max_epochs": 30}),
            replace(request, digest="0"),
            replace(request, trainer={"max_epochs": 30}),
        )
    ]

    assert [each.number for each in planned] == [1, 2, 3, 2]


def test_plan_verdict_when_there_is_one_seed_then_it_is_not_counted(experiment):
    plan_verdict(experiment, build_request(experiment), experiment.trials[1:2], (1,))

    assert read_verdicts(experiment.paths) == ()


def test_chosen_by_when_a_gain_is_not_real_or_not_known_then_nothing_is_called_confirmed(tmp_path):
    assert confirm(write_experiment(tmp_path, TRIALS)).chosen_by == "confirmed"
    begun = confirm(write_experiment(tmp_path, TRIALS, name="begun"), n_runs=5)
    assert begun.chosen_by == "best"
    noisy = confirm(write_experiment(tmp_path, TRIALS, name="noise"), true={**TRUE, 0: 0.929}, noise=0.02)
    assert (noisy.verdict.finding, noisy.chosen_by) == ("noise", "best on fresh seeds")
    kept = confirm(write_experiment(tmp_path, TRIALS, name="kept"), true={**TRUE, 0: 0.99})
    assert (kept.verdict.finding, kept.chosen_by) == ("loss", "best on fresh seeds")


def show_next_commands(experiment, capfd):
    space = replace(experiment.space, settings=replace(experiment.space.settings, confirm=Confirm(), trials=5))
    search = SimpleNamespace(paths=experiment.paths, space=space)
    finished = SimpleNamespace(outcomes=experiment.trials, exhausted=False, n_wanted=5)
    show_next(Screen(), finished, search, experiment.best)
    return capfd.readouterr().out.splitlines()


def test_show_next_when_the_hardcoded_values_are_kept_then_apply_is_not_proposed_and_says_so(experiment, capfd):
    assert any("apply exp" in line for line in show_next_commands(experiment, capfd))
    confirm(experiment, true={**TRUE, 0: 0.94})

    assert show_next_commands(experiment, capfd) == []
    assert main(["apply", "exp", "--storage", str(experiment.paths.folder.parent)]) == 0
    kept = "the confirmation kept the hardcoded values: the winner of the race was not better on fresh seeds"
    assert kept in capfd.readouterr().out.splitlines()


def test_show_next_when_a_run_failed_then_there_is_nothing_to_go_on_with(experiment, capfd):
    confirm(experiment, n_runs=3)
    (only,) = show_next_commands(experiment, capfd)
    assert only.startswith("to go on: ")

    record = read_verdicts(experiment.paths)[0]
    for trial in record.trials:
        train(experiment, trial, record.race_seeds[0], 0.0, Failure(kind="NaN", message="it is nan"))
    assert not any(line.startswith("to go on: ") for line in show_next_commands(experiment, capfd))


def test_show_verdict_number_when_it_is_not_the_first_search_then_it_says_which(experiment, tmp_path, capfd):
    confirm(experiment)
    other = write_experiment(tmp_path, TRIALS, name="other")
    record = plan_confirmation(other, Confirm())

    show_verdict_number(Screen(), record, find_search_number(other))

    search, verdict = capfd.readouterr().out.splitlines()
    assert search == "search number 2 of this program and metric in this storage"
    assert verdict.startswith("verdict 2 on it: its interval may miss a normal mean in 0.25% of cases, ")


@pytest.mark.parametrize(
    ("number", "n_seeds", "words"),
    [
        (1, 5, "a verdict takes 8 seeds to find a gain of three standard deviations; fewer find larger ones alone"),
        (1, 8, "None"),
        (7, 2, "verdict 7 on this program and metric takes 13 seeds "),
    ],
)
def test_few_seeds_of_a_retraining_are_told_with_how_many_its_verdict_takes(experiment, number, n_seeds, words):
    error_rate = error_rate_of_verdict(number)
    record = replace(new_verdict(experiment, (1,)), number=number, error_rate=error_rate)

    assert str(_describe_few_seeds(SimpleNamespace(seeds=tuple(range(n_seeds))), record)).startswith(words)
