"""A confirmation as its files tell it: what is still to be run, who wins, and what is handed over."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.experiments import HARDCODED, SPACE, Trial, write_experiment
from tune.cluster.resources import Resources
from tune.experiment.open import open_experiment
from tune.experiment.records import Failure, TrialRecord
from tune.experiment.trial_result import TrialResult
from tune.experiment.verdicts import read_verdicts, write_verdict
from tune.paths import VersionPaths
from tune.results.confirm.confirmation import (
    confirmation_as_json,
    describe_confirmation,
    judge_confirmation,
    read_confirmation,
)
from tune.results.confirm.error_rate import NORMAL_SHARE
from tune.results.confirm.plan import build_request, fresh_seeds, plan_confirmation
from tune.results.confirm.project import find_search_number
from tune.results.confirm.seed_noise import (
    SeedNoise,
    describe_gain_in_noise,
    find_gains_below_noise,
    measure_seed_noise,
)
from tune.results.experiments import summarise_experiment
from tune.results.report.build_report import build_page
from tune.results.results_as_json import as_object
from tune.results.retrain_results import compare_with_repetition, read_retrained
from tune.results.write_back import select_trial
from tune.retrain.confirm import plan_confirmation_runs
from tune.search.retrain import _RetrainController
from tune.space.settings import MAX_SEED, Confirm

TRIALS = [
    Trial(curve=[0.80]),
    Trial(curve=[0.90], values={"LR": 0.02}),
    Trial(curve=[0.95], values={"LR": 0.03}),
    Trial(curve=[0.85], values={"LR": 0.04}),
    Trial(curve=[0.10], values={"LR": 0.05}, state="PRUNED"),
]
TRUE = {0: 0.80, 1: 0.93, 2: 0.86, 3: 0.85, 4: 0.10}
"""What each trial is worth on average; the search took trial 2 for the best."""
NOISE = 0.005


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path, TRIALS)


def train(experiment, trial, seed, score, failure=None, others=(), seconds=None):
    """Write a run with a fresh seed, as a retraining leaves it."""
    folder = experiment.paths.retrain_folder
    folder.mkdir(exist_ok=True)
    files = VersionPaths(folder / f"{len([*folder.iterdir()]):03d},trial={trial},seed={seed}")
    files.folder.mkdir()
    replace(build_request(experiment), trial=trial, seed=seed).write_request(files)
    TrialRecord(
        number=trial,
        version=files.folder.name,
        constants={},
        seed=seed,
        stage="complete" if failure is None else "failed",
        pid=1,
        host="here",
        devices=None,
        started=0.0,
        ended=seconds,
        curve=[(1, score)] if failure is None else [],
        others=[(1, [*others])] if others else [],
        failure=failure,
    ).write_record(files)


def score_of(trial, seed, true=TRUE, noise=NOISE):
    return random.Random(1000 * trial + seed).gauss(true[trial], noise)


def confirm(experiment, shuffle=0, true=TRUE, noise=NOISE, n_runs=1000):
    """Run what is needed, in any order; return the confirmation at its end."""
    record = plan_confirmation(experiment, Confirm())
    write_verdict(experiment.paths, record)
    draw = random.Random(shuffle)
    for _ in range(n_runs):
        confirmation = judge_confirmation(experiment, record, read_retrained(experiment.paths))
        if not confirmation.needed:
            write_verdict(experiment.paths, replace(record, chosen=confirmation.chosen))
            break
        trial, seed = draw.choice(confirmation.needed)
        train(experiment, trial, seed, score_of(trial, seed, true, noise))
    return confirmation


def reopened(experiment):
    return open_experiment(experiment.paths.name, experiment.paths.folder.parent)


def test_confirmation_when_the_search_is_over_then_its_best_trials_race_over_seeds_that_it_has_not_seen(experiment):
    record = plan_confirmation(experiment, Confirm(top=3, seeds=2))

    assert record.trials == (2, 1, 3)
    assert (record.race_seeds, record.seeds) == ((1, 2), tuple(range(3, 11)))


def test_confirmation_when_the_search_was_lucky_then_the_trial_that_is_better_on_fresh_seeds_is_handed_over(experiment):
    confirmation = confirm(experiment)

    assert experiment.best.number == 2
    assert (confirmation.winner, confirmation.chosen, confirmation.verdict.finding) == (1, 1, "gain")
    assert reopened(experiment).chosen.number == 1
    assert select_trial(reopened(experiment), None).number == 1
    first, second = describe_confirmation(experiment, confirmation)
    assert first.startswith("confirmed: the gain of 0.1")
    assert first.endswith("8 fresh seeds; +0.1 in the search")
    assert second == f"the best trial on fresh seeds is {experiment.trials[1].version}, and not the search's"


def test_confirmation_when_a_seed_chose_the_winner_then_it_does_not_judge_it(experiment):
    confirmation = confirm(experiment)

    assert set(confirmation.verdict.seeds).isdisjoint(confirmation.record.race_seeds)
    assert confirmation.verdict.seeds == confirmation.record.seeds


@pytest.mark.parametrize("shuffle", [1, 2, 3])
def test_confirmation_when_runs_end_in_another_order_then_it_comes_out_the_same(tmp_path, shuffle):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    once = confirm(write_experiment(tmp_path / "one", TRIALS))
    again = confirm(write_experiment(tmp_path / "other", TRIALS), shuffle)

    assert (once.winner, once.race.dropped, once.verdict) == (again.winner, again.race.dropped, again.verdict)


def test_confirmation_when_it_goes_on_then_the_same_seeds_and_runs_count(experiment):
    begun = confirm(experiment, n_runs=5)
    assert begun.needed

    assert plan_confirmation(reopened(experiment), Confirm()) == begun.record
    assert confirm(reopened(experiment)).verdict.finding == "gain"
    assert len(read_verdicts(experiment.paths)) == 1


def test_confirmation_when_the_winner_is_worse_than_the_hardcoded_values_then_they_are_handed_over(experiment):
    confirmation = confirm(experiment, true={**TRUE, 0: 0.94})

    assert (confirmation.winner, confirmation.chosen, confirmation.verdict.finding) == (1, 0, "loss")
    assert select_trial(reopened(experiment), None).is_baseline
    assert describe_confirmation(experiment, confirmation)[1].endswith("they are kept")


def test_confirmation_when_no_seed_is_in_force_then_two_show_it(experiment):
    confirmation = confirm(experiment, noise=0.0)

    assert (confirmation.winner, confirmation.verdict.finding, len(confirmation.verdict.seeds)) == (1, "no seed", 2)


def test_confirmation_when_trials_ended_since_then_it_is_void(tmp_path):
    experiment = write_experiment(tmp_path, TRIALS)
    confirm(experiment)
    assert read_confirmation(experiment) is not None

    more = replace(experiment, trials=(*experiment.trials, replace(experiment.trials[3], number=5)))
    assert read_confirmation(more) is None
    assert more.chosen == more.best
    record = plan_confirmation(more, Confirm())
    assert record.number == 2
    assert set(record.race_seeds).isdisjoint(read_verdicts(experiment.paths)[0].seeds)


def test_confirmation_when_another_search_of_the_program_was_confirmed_then_it_is_surer(tmp_path):
    confirm(write_experiment(tmp_path, TRIALS))
    second = plan_confirmation(write_experiment(tmp_path, TRIALS, name="again"), Confirm())

    assert (second.number, len(second.seeds)) == (2, 10)
    assert second.error_rate == pytest.approx(NORMAL_SHARE * 0.05 * 6 / (3.14159265 * 2) ** 2)


@pytest.mark.parametrize("trials", [TRIALS[:1], [Trial(curve=[0.9]), Trial(curve=[0.5], values={"LR": 0.02})], []])
def test_confirmation_when_no_trial_was_better_then_there_is_none(tmp_path, trials):
    assert plan_confirmation(write_experiment(tmp_path, trials), Confirm()) is None


def test_confirmation_when_a_run_of_the_verdict_failed_then_there_is_no_verdict(experiment):
    record = plan_confirmation(experiment, Confirm(top=1))
    write_verdict(experiment.paths, record)
    for seed in record.seeds:
        train(experiment, 0, seed, 0.8)
        train(experiment, 2, seed, 0.9, Failure(kind="NaN", message="it is nan") if seed == 6 else None)

    confirmation = read_confirmation(experiment)

    assert (confirmation.needed, confirmation.verdict.finding) == ((), "incomplete")
    assert describe_confirmation(experiment, confirmation)[0] == (
        "not confirmed: no verdict: it failed with seed 6: NaN: it is nan"
    )


def test_confirmation_when_every_run_of_the_race_failed_then_nobody_is_judged(experiment):
    record = plan_confirmation(experiment, Confirm(top=2))
    write_verdict(experiment.paths, record)
    for trial in record.trials:
        train(experiment, trial, record.race_seeds[0], 0.0, Failure(kind="NaN", message="it is nan"))

    confirmation = read_confirmation(experiment)

    assert (confirmation.needed, confirmation.winner, confirmation.chosen) == ((), None, None)
    assert describe_confirmation(experiment, confirmation) == ["not confirmed: every run of the race failed"]
    assert reopened(experiment).chosen.number == 2


def test_a_confirmation_for_machines_has_the_seeds_the_finding_and_the_interval(experiment):
    confirm(experiment)
    found = confirmation_as_json(experiment)

    assert (found["winner"], found["chosen"], found["finding"]) == (1, 1, "gain")
    assert (found["trials"], found["race_seeds"], found["seeds"]) == ([2, 1, 3], [1, 2, 3], [*range(4, 12)])
    assert found["interval"][0] < found["gain"] < found["interval"][1]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"verdicts": 1}', '{"verdicts": [{"number": 1}]}', '{"verdicts": [{"trials": "x"}]}', "\0"],
)
def test_verdicts_that_are_not_ours_are_none(experiment, text):
    experiment.paths.verdicts.write_text(text)

    assert read_verdicts(experiment.paths) == ()
    assert reopened(experiment).chosen.number == 2


def test_seed_noise_when_the_hardcoded_values_ran_with_one_seed_then_it_is_not_known(experiment):
    assert measure_seed_noise(experiment) is None
    assert describe_gain_in_noise(experiment, 0.1) == ""


def test_seed_noise_when_they_ran_with_more_then_a_gain_is_told_in_its_units(experiment):
    train(experiment, 0, 1, 0.82)
    train(experiment, 0, 2, 0.78)
    train(experiment, 0, 2, 0.81)  # the last one counts
    train(experiment, 1, 1, 5.0)  # another trial's seed says nothing of it

    assert measure_seed_noise(experiment).deviation == pytest.approx(0.01)
    told = " (15 standard deviations of the seed noise, over 3 seeds)"
    assert describe_gain_in_noise(experiment, 0.15) == told


def test_seed_noise_when_no_seed_changes_anything_then_there_is_none(experiment):
    train(experiment, 0, 1, 0.80)

    assert measure_seed_noise(experiment) is None


def late_trials(scores):
    return [
        TrialResult(
            number=number,
            version=str(number),
            values={},
            state="complete",
            score=score,
            best_epoch=1,
            curve={1: score},
            measures={1: (score,)},
            reason=None,
            ended=float(number),
        )
        for number, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("scores", "n_trials"),
    [
        ([0.5, 0.8, *[0.79] * 9, 0.805], 10),
        ([0.5, 0.8, *[0.79] * 9, 0.85], None),  # the last one gained five deviations
        ([0.5, 0.8, *[0.79] * 8], None),  # too few
    ],
)
def test_trials_that_gain_less_than_the_noise_are_a_hint(scores, n_trials):
    found = find_gains_below_noise(late_trials(scores), "max", SeedNoise(deviation=0.01, n_seeds=6))

    assert (None if found is None else found.n_trials) == n_trials
    if found is not None:
        assert found.sentence == (
            "the last 10 trials looked for less than the noise: they gained 0.005, and the "
            "seed alone changes the score by 0.01; `--confirm` tells what is real"
        )


def test_trials_without_a_known_noise_give_no_hint():
    assert find_gains_below_noise(late_trials([0.5] * 20), "max", None) is None


def test_a_list_of_experiments_says_what_a_confirmation_found(experiment):
    assert summarise_experiment(experiment.paths, running=False).verdict is None
    confirm(experiment)

    summary = summarise_experiment(experiment.paths, running=False)

    assert (summary.verdict, summary.program) == ("gain", str(experiment.snapshot.program.path))


@pytest.mark.parametrize(
    ("time_budget", "n_workers", "n_trials", "n_race_seeds", "n_seeds", "n_more_seeds"),
    [
        ("820s", 1, 3, 3, 8, 8),
        ("500s", 1, 3, 3, 8, 0),
        ("450s", 1, 3, 2, 8, 0),
        ("350s", 1, 1, 0, 8, 0),
        ("420s", 2, 3, 3, 8, 8),
        ("350s", 2, 3, 3, 8, 0),
        ("200s", 1, 1, 0, 5, 0),
        ("50s", 1, 1, 0, 5, 0),
    ],
)
def test_confirmation_when_the_time_is_limited_then_its_runs_fit_into_half_of_it_those_of_the_race_into_a_fifth(
    tmp_path, time_budget, n_workers, n_trials, n_race_seeds, n_seeds, n_more_seeds
):
    experiment = write_experiment(tmp_path, TRIALS, f"{SPACE}time_budget: {time_budget}\n")
    trained = replace(experiment.trials[0], started=100.0, ended=110.0)
    experiment = replace(experiment, trials=(trained, *experiment.trials[1:]))

    record = plan_confirmation(experiment, Confirm(), n_workers)
    write_verdict(experiment.paths, record)

    assert (len(record.trials), len(record.race_seeds), len(record.seeds)) == (n_trials, n_race_seeds, n_seeds)
    assert len(record.more_seeds) == n_more_seeds
    assert record.seeds[0] == 4  # the same ones however many race: some may have run before
    assert plan_confirmation(experiment, Confirm(), 16) == record  # it goes on, also where more run at a time


@pytest.mark.parametrize(("left_s", "n_race_seeds", "n_seeds"), [(480.0, 3, 8), (200.0, 0, 8), (-60.0, 0, 5)])
def test_confirmation_when_it_is_known_how_much_time_is_left_then_it_fits_into_that(
    tmp_path, left_s, n_race_seeds, n_seeds
):
    experiment = write_experiment(tmp_path, TRIALS, f"{SPACE}time_budget: 500s\n")
    trained = replace(experiment.trials[0], started=100.0, ended=110.0)
    experiment = replace(experiment, trials=(trained, *experiment.trials[1:]))

    record = plan_confirmation(experiment, Confirm(), 1, left_s)

    assert (len(record.race_seeds), len(record.seeds)) == (n_race_seeds, n_seeds)


def test_confirmation_when_fresh_seeds_took_longer_than_the_search_then_its_time_goes_by_them(tmp_path):
    experiment = write_experiment(tmp_path, TRIALS, f"{SPACE}time_budget: 900s\n")
    trained = replace(experiment.trials[0], started=100.0, ended=110.0)
    experiment = replace(experiment, trials=(trained, *experiment.trials[1:]))
    assert len(plan_confirmation(experiment, Confirm()).seeds) == 8

    train(experiment, 0, 4, 0.8, seconds=35.0)
    train(experiment, 0, 5, 0.8, seconds=45.0)
    train(experiment, 1, 6, 0.8, seconds=1.0)

    assert len(plan_confirmation(experiment, Confirm()).seeds) == 5  # 450 s, and 80 s for each


@pytest.mark.parametrize(("attempt", "n_seeds"), [(1, 5), (2, 8)])
def test_confirmation_when_the_best_trial_trains_slowly_then_its_time_counts_unless_it_waited(
    tmp_path, attempt, n_seeds
):
    experiment = write_experiment(tmp_path, TRIALS, f"{SPACE}time_budget: 500s\n")
    trained = replace(experiment.trials[0], started=100.0, ended=110.0)
    experiment = replace(experiment, trials=(trained, *experiment.trials[1:]))
    files = experiment.paths.version(experiment.trials[2].version)
    files.folder.mkdir(exist_ok=True)
    TrialRecord(
        number=2,
        version=files.folder.name,
        constants={},
        seed=0,
        stage="complete",
        pid=1,
        host="here",
        devices=None,
        started=50.0,
        ended=90.0,
        attempt=attempt,
        curve=[(1, 0.95)],
    ).write_record(files)

    record = plan_confirmation(experiment, Confirm())

    assert len(record.seeds) == n_seeds  # of 250 s, 50 for each, or 20


def test_confirmation_when_one_trial_is_to_be_confirmed_then_it_goes_on_with_the_same_seeds(experiment):
    record = plan_confirmation(experiment, Confirm(top=1))
    write_verdict(experiment.paths, record)

    assert (record.trials, record.race_seeds, record.seeds) == ((2,), (), tuple(range(1, 9)))
    assert plan_confirmation(experiment, Confirm(top=1)) == record


def test_confirmation_when_another_search_has_a_verdict_then_its_seeds_are_not_taken_again(experiment, tmp_path):
    first = confirm(experiment).record
    other = write_experiment(tmp_path, TRIALS, name="other")

    record = plan_confirmation(other, Confirm())

    assert {*record.race_seeds, *record.seeds}.isdisjoint({*first.race_seeds, *first.seeds})


def test_searches_of_one_program_and_metric_are_counted_in_the_order_in_which_they_began(experiment, tmp_path):
    other = write_experiment(tmp_path, TRIALS, name="an-other")
    write_experiment(tmp_path, TRIALS, SPACE.replace("Score/Val", "Loss/Val"), name="of-another-metric")

    assert str(find_search_number(experiment)) == "search number 1 of this program and metric in this storage"
    assert str(find_search_number(other)) == "search number 2 of this program and metric in this storage"
    assert ("search of this program", "number 2 in this storage") in build_page(other).facts
    assert "search of this program" not in dict(build_page(experiment).facts)


def test_searches_when_a_folder_of_the_storage_cannot_be_read_then_the_others_are_counted(experiment, tmp_path):
    other = write_experiment(tmp_path, TRIALS, name="an-other")
    unreadable = experiment.paths.folder.parent / "unreadable"
    unreadable.mkdir()
    (unreadable / "source").symlink_to("x" * 300)  # no file system has such a name: an error, and not "no such file"

    assert find_search_number(other).number == 2


COUNT = """
import sys, time
from pathlib import Path
from tune.cluster.resources import Resources
from tune.experiment.open import open_experiment
from tune.results.confirm import plan
from tune.retrain.confirm import plan_confirmation_runs
from tune.space.settings import Confirm

next_number = plan.next_verdict_number
def slowly(*words):
    found = next_number(*words)
    time.sleep(1.0)
    return found
plan.next_verdict_number = slowly
experiment = open_experiment(sys.argv[1], Path(sys.argv[2]))
experiment.paths.retrain_folder.mkdir()
resources = Resources(n_cores=1, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=1)
plan_confirmation_runs(experiment, resources, Confirm())
"""


def test_verdicts_of_two_searches_that_end_at_once_have_numbers_and_seeds_of_their_own(experiment, tmp_path):
    other = write_experiment(tmp_path, TRIALS, name="other")
    words = [sys.executable, "-c", COUNT]
    started = [
        subprocess.Popen([*words, each.paths.name, each.paths.folder.parent], cwd=Path.cwd())
        for each in (experiment, other)
    ]
    assert [each.wait(120) for each in started] == [0, 0]

    (one,), (another,) = read_verdicts(experiment.paths), read_verdicts(other.paths)
    assert {one.number, another.number} == {1, 2}
    assert set(one.seeds).isdisjoint(another.seeds)


def test_confirmation_when_pbt_changed_constants_then_it_is_of_those_of_the_best_epoch_and_that_is_told(tmp_path):
    mutation = {"epoch": 1, "donor": 1, "constants": {**HARDCODED, "LR": 0.05}}
    late = {**mutation, "epoch": 3}  # after the best epoch of trial 1
    trials = [
        Trial(curve=[0.80, 0.81, 0.81]),
        Trial(curve=[0.90, 0.91, 0.90, 0.85], values={"LR": 0.02}, more={"mutations": [late]}),
        Trial(curve=[0.85, 0.95], values={"LR": 0.03}, more={"mutations": [mutation]}),
    ]
    experiment = write_experiment(tmp_path, trials)
    assert [each.n_changes for each in experiment.trials] == [0, 0, 1]
    assert experiment.trials[2].values["LR"] == 0.05

    confirmation = confirm(experiment, true={0: 0.8, 1: 0.85, 2: 0.9})

    assert confirmation.winner == 2
    told = (
        f"`pbt` changed the constants of {experiment.trials[2].version} while it trained: trained again, it has those "
        "of its best epoch from the start, as a source has that they are applied to"
    )
    assert describe_confirmation(experiment, confirmation)[-1] == told
    assert confirmation_as_json(experiment)["changed_while_training"] == [2]
    by_number = {each["number"]: each for each in as_object(experiment, experiment.trials)["trials"]}
    assert [each.get("n_changes") for _, each in sorted(by_number.items())] == [None, None, 1]
    run = next(each for each in read_retrained(experiment.paths) if each.request.trial == 2)
    differences = compare_with_repetition(experiment, experiment.trials[2], run).differences
    assert "`pbt` changed the constants while the trial trained" in map(str, differences)


TWO_METRICS = SPACE.replace("metric: Score/Val\nmode: max", "metric: [Score/Val, Cost/Val]\nmode: [max, min]")


def test_confirmation_of_several_metrics_tells_each_trial_of_the_front_in_each_metric(tmp_path):
    cost = {0: 1.0, 1: 2.0, 2: 3.0, 3: 0.5}
    trials = [replace(each, more={"others in epoch 1": [cost.get(n, 9.0)]}) for n, each in enumerate(TRIALS)]
    experiment = write_experiment(tmp_path, trials, TWO_METRICS)
    record = plan_confirmation(experiment, Confirm(top=3))
    write_verdict(experiment.paths, record)
    assert (record.trials, record.race_seeds, len(record.seeds)) == ((2, 1, 3), (), 10)

    draw = random.Random(0)
    while needed := judge_confirmation(experiment, record, read_retrained(experiment.paths)).needed:
        trial, seed = draw.choice(needed)
        train(experiment, trial, seed, score_of(trial, seed), others=[draw.gauss(cost[trial], 0.01)])
    found = judge_confirmation(experiment, record, read_retrained(experiment.paths))

    told = {(each.trial, each.metric): each.verdict.finding for each in found.members}
    assert told == {
        (1, "Score/Val"): "gain",
        (2, "Score/Val"): "gain",
        (3, "Score/Val"): "gain",
        (1, "Cost/Val"): "loss",
        (2, "Cost/Val"): "loss",
        (3, "Cost/Val"): "gain",
    }
    assert (found.winner, found.chosen) == (1, 1)
    lines = describe_confirmation(experiment, found)
    assert len(lines) == 2 + 6
    assert lines[-1].startswith(f"{experiment.trials[3].version}, Cost/Val: the gain of 0.")
    assert len(confirmation_as_json(experiment)["members"]) == 6
    assert plan_confirmation(experiment, Confirm(top=3)) == record


def test_confirmation_of_several_metrics_when_a_trial_is_better_in_the_second_alone_then_it_is_confirmed(tmp_path):
    trials = [Trial(curve=[0.80], more={"others in epoch 1": [1.0]})]
    trials += [Trial(curve=[0.70], values={"LR": 0.02}, more={"others in epoch 1": [0.5]})]

    record = plan_confirmation(write_experiment(tmp_path, trials, TWO_METRICS), Confirm())

    assert record.trials == (1,)


def test_seeds_when_the_largest_was_used_then_the_first_ones_that_are_free_follow():
    assert fresh_seeds(3, [0, 2, MAX_SEED]) == (1, 3, 4)
    assert fresh_seeds(3, [0, MAX_SEED - 1]) == (MAX_SEED, 1, 2)


def test_verdicts_when_a_number_is_none_that_we_write_then_they_do_not_count(experiment):
    record = plan_confirmation(experiment, Confirm())
    write_verdict(experiment.paths, replace(record, number=10**300))

    assert read_verdicts(experiment.paths) == ()
    assert plan_confirmation(experiment, Confirm()).number == 1


@pytest.mark.parametrize("death", [None, "killed"])
def test_confirmation_when_it_is_interrupted_then_the_runs_that_ran_are_still_to_be_run(experiment, monkeypatch, death):
    def interrupt(retraining):
        controller = _RetrainController(retraining, experiment.space.dimensions)
        running = [name for name in ("first", "second") if controller.next_task(name) is not None]
        assert running == ["first", "second"]
        controller.request_end()
        for name in running:
            controller.on_trial_end(name, death=death)
        assert controller.has_finished
        return False

    monkeypatch.setattr("tune.retrain.confirm.run_retraining", interrupt)
    experiment.paths.retrain_folder.mkdir()
    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    plan = plan_confirmation_runs(experiment, resources, Confirm())
    found = plan.run(lambda run, version: None)

    assert found.needed == plan.confirmation.needed
    assert not any(found.runs.values())
