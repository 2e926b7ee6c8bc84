"""Each hint is given where it holds, says what to do, and is silent elsewhere."""

import random
from dataclasses import replace
from typing import get_args

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tune.experiment.gpu_records import GpuUsage
from tune.experiment.records import Failure
from tune.results.hints.find_hints import HINT_KINDS, Hint, find_hints
from tune.results.hints.range_hints import RangeEdge, _extend_range
from tune.space.dimensions import Choice, FloatRange, IntRange
from tune.space.range_words import read_range, split_range

WIDER = "write `LR: {loguniform: [1e-4, 1.0]}` in the space file, or `LR=1e-4..1.0` on the command line"


def told(experiment):
    return [hint.sentence for hint in find_hints(experiment.trials, experiment.space, experiment.paths)]


def searched(tmp_path, n, score, seed=0, curve=lambda score: [score - 0.1, score, score - 0.05]):
    """Write a random search; the first is the baseline, the best ones come early."""
    rng = random.Random(seed)
    drawn = [
        {
            "LR": 10 ** rng.uniform(-4, -1),
            "BATCH_SIZE": rng.choice([32, 64, 128, 256, 512]),
            "DROPOUT": rng.uniform(0, 0.5),
            "OPTIMIZER": rng.choice(["adam", "sgd", "rmsprop"]),
        }
        for _ in range(n - 1)
    ]
    drawn.sort(key=score, reverse=True)
    baseline = Trial(curve=curve(-1.0))
    return write_experiment(tmp_path, [baseline, *(Trial(curve=curve(score(each)), values=each) for each in drawn)])


def test_a_best_value_on_the_edge_is_told_with_what_to_write(tmp_path):
    experiment = searched(tmp_path, 25, lambda values: values["LR"])
    best = experiment.best.values["LR"]

    assert told(experiment) == [f"the best LR, {best:.4g}, is at the upper end of its range: {WIDER}"]


def test_a_best_value_in_the_middle_is_no_hint(tmp_path):
    assert told(searched(tmp_path, 25, lambda values: -abs(values["LR"] - 0.003) - abs(values["DROPOUT"] - 0.2))) == []


def test_few_trials_are_no_ground_for_a_hint(tmp_path):
    assert told(searched(tmp_path, 9, lambda values: values["LR"])) == []


@pytest.mark.parametrize(
    ("dimension", "upper", "instead"),
    [
        (FloatRange(low=1e-4, high=1e-1, log=True), True, FloatRange(low=1e-4, high=1.0, log=True)),
        (FloatRange(low=1e-4, high=1e-1, log=True), False, FloatRange(low=1e-5, high=1e-1, log=True)),
        (FloatRange(low=1.0, high=4.0, log=True), True, FloatRange(low=1.0, high=8.0, log=True)),
        (IntRange(low=16, high=512, log=True), True, IntRange(low=16, high=1024, log=True)),
        (IntRange(low=16, high=512, log=True), False, IntRange(low=8, high=512, log=True)),
        (IntRange(low=1, high=512, log=True), False, None),
        (FloatRange(low=0.0, high=0.5), True, FloatRange(low=0.0, high=0.75)),
        (FloatRange(low=0.0, high=0.8), True, FloatRange(low=0.0, high=0.95)),
        (FloatRange(low=0.0, high=0.99), True, None),
        (FloatRange(low=0.0, high=0.5), False, None),
        (FloatRange(low=0.2, high=0.8), False, FloatRange(low=0.0, high=0.8)),
        (FloatRange(low=-1.0, high=3.0), False, FloatRange(low=-3.0, high=3.0)),
        (FloatRange(low=0.0, high=0.5, step=0.1), True, FloatRange(low=0.0, high=0.7, step=0.1)),
        (FloatRange(low=0.1, high=0.7, step=0.2), True, FloatRange(low=0.1, high=0.9, step=0.2)),
        (IntRange(low=1, high=4), True, IntRange(low=1, high=6)),
        (IntRange(low=1, high=4), False, None),
        (IntRange(low=5, high=9), False, IntRange(low=3, high=9)),
        (IntRange(low=64, high=256, step=32), False, IntRange(low=32, high=256, step=32)),
        (IntRange(low=32, high=256, step=32), False, None),
        (Choice(options=(256, 512, 1024)), True, Choice(options=(256, 512, 1024, 2048))),
        (Choice(options=(16, 32, 64)), False, Choice(options=(8, 16, 32, 64))),
        (Choice(options=(1, 2, 4)), False, None),
        (Choice(options=(10, 20, 30)), True, Choice(options=(10, 20, 30, 40))),
        (Choice(options=(1e-3, 1e-2, 1e-1)), True, Choice(options=(1e-3, 1e-2, 1e-1, 1.0))),
        (Choice(options=(1, 5, 7)), True, None),
        (Choice(options=("a", "b", "c")), True, None),
    ],
    ids=str,
)
def test_a_range_is_drawn_out_as_people_would(dimension, upper, instead):
    assert _extend_range(dimension, upper=upper) == instead


def test_a_constant_without_effect_is_told_with_how_that_was_judged(tmp_path):
    experiment = searched(tmp_path, 60, lambda values: -abs(values["LR"] - 0.003) * 10, seed=3)
    told_of = [sentence for sentence in told(experiment) if "made no difference" in sentence]

    assert told_of
    for sentence in told_of:
        assert sentence.startswith(("BATCH_SIZE", "DROPOUT", "OPTIMIZER"))
        assert "made no difference that 60 trials could show (" in sentence
        assert sentence.endswith("by PED-ANOVA, no more than chance gives): take it out of the space")


CONDITIONAL = SPACE.replace("DROPOUT: {uniform: [0.0, 0.5]}", "DROPOUT: {uniform: [0.0, 0.5], when: {OPTIMIZER: sgd}}")


def conditional(tmp_path, n, n_sgd, dropout):
    """Write a search in which DROPOUT varies in the trials with sgd alone, and only LR tells the score."""
    rng = random.Random(0)
    drawn = [{"LR": 10 ** rng.uniform(-4, -1), "BATCH_SIZE": 64, "OPTIMIZER": "adam"} for _ in range(n)]
    best = sorted(drawn, key=lambda values: abs(values["LR"] - 0.003))
    for each in best[4:5] if n_sgd == 1 else rng.sample(drawn, n_sgd):
        each |= {"OPTIMIZER": "sgd", "DROPOUT": dropout(rng)}
    trials = [Trial(curve=[1 - abs(each["LR"] - 0.003) * 10, 0.0], values=each, only=True) for each in drawn]
    return told(write_experiment(tmp_path, [Trial(curve=[0.1]), *trials], space=CONDITIONAL))


@pytest.mark.parametrize(
    ("n_sgd", "words"), [(20, []), (40, ["DROPOUT made no difference that 41 trials could show"])]
)  # the baseline has one, too
def test_a_constant_that_varied_in_few_trials_is_not_said_to_make_no_difference(tmp_path, n_sgd, words):
    found = conditional(tmp_path, 60, n_sgd, lambda rng: rng.uniform(0, 0.5))

    assert [each.partition(" (")[0] for each in found if "DROPOUT" in each] == words


def test_a_constant_on_the_edge_in_one_of_the_best_trials_is_no_hint(tmp_path):
    assert not [each for each in conditional(tmp_path, 60, 1, lambda rng: 0.5) if "DROPOUT" in each]


def test_constants_when_none_has_an_effect_are_not_told_of_one_by_one(tmp_path):
    rng = random.Random(0)
    assert not [each for each in told(searched(tmp_path, 60, lambda values: rng.random())) if "no difference" in each]


def improving(tmp_path, scores, space=None):
    trials = [Trial(curve=[score, score - 0.01], values={"LR": 0.003, "DROPOUT": 0.2}) for score in scores]
    return told(write_experiment(tmp_path, trials, **({"space": space} if space else {})))


def test_a_search_that_was_still_improving_is_told_with_how_to_go_on(tmp_path):
    assert improving(tmp_path, [0.0, 0.5, *[0.3] * 13, 0.4, 0.6, 0.2, 0.8, 0.3]) == [
        (
            "the search was still improving: the last 5 trials brought 38% of the gain; "
            f"`promotune resume {tmp_path}/storage/exp --trials +10` continues it"
        )
    ]


@pytest.mark.parametrize(
    "scores",
    [
        [0.0, 0.8, *[0.3] * 18],  # all was gained early
        [0.0, 0.8, *[0.3] * 17, 0.801],  # as good as all
        [0.9, *[0.3] * 19],  # nothing was
        [0.0, 0.2, 0.4, 0.6],  # too few to tell
    ],
)
def test_a_search_that_had_settled_is_no_hint(tmp_path, scores):
    assert improving(tmp_path, scores) == []


@pytest.mark.parametrize(
    ("scores", "mode"),
    [([0.5, *[0.3] * 18, 1.0], "max"), ([50.0, *[30.0] * 18, 100.0], "max"), ([0.5, *[0.3] * 18, 0.0], "min")],
)
def test_a_score_that_cannot_be_better_asks_for_no_more_trials(tmp_path, scores, mode):
    trials = [
        Trial(curve=[0.4, 0.4, score], values={"LR": 10 ** -(1 + i / 7), "DROPOUT": 0.2})
        for i, score in enumerate(reversed(scores))
    ]
    experiment = write_experiment(tmp_path, trials, space=SPACE.replace("mode: max", f"mode: {mode}"))

    assert told(experiment) == []


def test_a_score_that_may_still_be_better_asks_for_more_trials(tmp_path):
    assert improving(tmp_path, [0.5, *[0.3] * 17, 1.2, 1.0])


def test_best_trials_that_end_in_their_best_epoch_are_told_with_how_to_train_longer(tmp_path):
    trials = [Trial(curve=[0.1, 0.2, 0.3 + number / 100], values={"LR": 0.003}) for number in (3, 2, 1)]
    (sentence,) = told(write_experiment(tmp_path, trials))
    assert sentence == (
        "the 3 best trials are best in their last epoch: "
        f"`promotune retrain {tmp_path}/storage/exp --trainer.max_epochs 6` shows what longer training gives"
    )


def test_trials_that_are_all_worth_the_same_are_told(tmp_path):
    trials = [Trial(curve=[0.5, 0.4], values={"LR": number / 100}) for number in range(1, 7)]
    assert told(write_experiment(tmp_path, trials)) == [
        "all 6 trials have Score/Val = 0.5: look whether the metric depends on what is searched"
    ]


def test_each_hint_has_a_name_for_machines_that_does_not_change_with_its_class():
    assert set(HINT_KINDS) == set(get_args(Hint))
    assert sorted(HINT_KINDS.values()) == [
        "BelowNoise",
        "DeviceFault",
        "Edge",
        "FailedBetter",
        "Flat",
        "Idle",
        "IdleGpu",
        "Improving",
        "LongerTraining",
        "OtherSamples",
        "OutgrownShare",
        "StoppedBest",
        "TrainedAlike",
    ]


def test_a_best_trial_that_was_stopped_early_is_told_with_what_trains_it_whole(tmp_path):
    experiment = write_experiment(
        tmp_path, [Trial(curve=[0.1, 0.2, 0.3, 0.4]), Trial(curve=[0.5], values={"LR": 0.02}, state="PRUNED")]
    )

    assert told(experiment) == [
        f"the best trial was stopped after 1 of 4 epochs: `promotune retrain {tmp_path}/storage/exp` trains it whole"
    ]


def test_a_best_trial_that_ran_whole_is_not_said_to_be_stopped(tmp_path):
    experiment = write_experiment(
        tmp_path, [Trial(curve=[0.1, 0.2]), Trial(curve=[0.3, 0.5]), Trial(curve=[0.4], state="PRUNED")]
    )

    assert told(experiment) == []


BROKE = Failure(kind="ValueError", message="too wide")


def test_a_trial_that_was_the_best_until_it_failed_is_told(tmp_path):
    trials = [
        Trial(curve=[0.1, 0.2]),
        Trial(curve=[0.4], values={"LR": 0.02}, state="FAIL", failure=BROKE),
        Trial(curve=[0.9, 0.8], values={"LR": 0.03}, state="FAIL", failure=BROKE),
    ]
    experiment = write_experiment(tmp_path, trials)

    assert told(experiment) == [
        (
            f"{experiment.trials[2].version} had Score/Val = 0.9 in epoch 1 before it failed, and no trial was better: "
            "look why it failed"
        )
    ]


def test_a_failed_trial_that_was_no_better_is_no_hint(tmp_path):
    trials = [Trial(curve=[0.1, 0.2]), Trial(curve=[0.15], values={"LR": 0.02}, state="FAIL", failure=BROKE)]

    assert told(write_experiment(tmp_path, trials)) == []


GIB = 2**30


def on_gpus(tmp_path, *trials):
    """Return an experiment whose trials have these fields."""
    experiment = write_experiment(tmp_path, [Trial(curve=[0.1 * n]) for n in range(len(trials))])
    return replace(
        experiment, trials=tuple(replace(each, **more) for each, more in zip(experiment.trials, trials, strict=True))
    )


def gpu(busy):
    return {"gpu": GpuUsage(name="NVIDIA T4", total_bytes=16 * GIB, peak_bytes=GIB, utilization=busy)}


def test_gpus_that_are_idle_for_most_of_the_time_are_told(tmp_path):
    (sentence,) = told(on_gpus(tmp_path, gpu(0.05), gpu(0.07), gpu(0.06), gpu(None)))

    assert sentence == (
        "the GPUs were busy 6% of the time while trials ran: more trials on each (`--gpus-per-trial auto`), "
        "or more `num_workers` of the DataLoaders, would use them"
    )


@pytest.mark.parametrize("trials", [(gpu(0.05), gpu(0.05), gpu(None)), (gpu(0.2), gpu(0.9), gpu(0.3)), ({}, {}, {})])
def test_gpus_that_are_used_or_that_nobody_measured_are_no_hint(tmp_path, trials):
    assert told(on_gpus(tmp_path, *trials)) == []


def test_a_share_that_was_too_small_is_told(tmp_path):
    outgrown = {"outgrown_shares": (0.25,)}
    failed = {**outgrown, "state": "failed"}

    sentence, _ = told(on_gpus(tmp_path, {}, outgrown, failed))  # the other one: a failed trial was better

    assert sentence == (
        "2 trials ran out of memory on 0.25 of a GPU and ran again on a larger share; 1 of them failed there, too: "
        "a larger `gpus_per_trial` saves the time"
    )


@pytest.mark.parametrize(
    ("instead", "word"),
    [
        (Choice(options=(4, 8, 16)), "C=4,8,16"),
        (IntRange(low=1, high=9), "C=1..9"),
        (FloatRange(low=0.0, high=0.5), "C=0.0..0.5"),
        (FloatRange(low=0.0, high=0.5, step=0.1), None),
    ],
)
def test_a_range_that_is_drawn_out_is_told_as_a_word_where_one_says_it(instead, word):
    edge = RangeEdge(constant="C", value=1, end="upper", instead=instead)

    assert edge.word == word
    if word is not None:
        assert read_range(split_range(word), None, instead) == instead


def other_samples(tmp_path, *samples):
    """Return the hints about trials with such records, which tell nothing else."""
    curves = [[0.9 - 0.1 * number] for number in range(len(samples))]
    trials = [Trial(curve=curve, validated_on=each) for curve, each in zip(curves, samples, strict=True)]
    return [sentence for sentence in told(write_experiment(tmp_path, trials)) if "other samples" in sentence]


def test_trials_that_were_validated_on_other_samples_than_the_first_are_counted(tmp_path):
    (sentence,) = other_samples(tmp_path, ["a"], ["b"], ["a"], ["c"])

    assert sentence == (
        "2 of 4 trials were validated on other samples than 000,baseline, so their scores cannot be compared with its: "
        "the split changes with the constants; a random one needs a generator of its own "
        "(`generator=torch.Generator().manual_seed(0)` of `random_split`)"
    )


@pytest.mark.parametrize(
    "samples",
    [
        (["a"], ["a"]),
        (["a", "b", "c"], ["a"], ["a", "b"]),  # stopped after some folds
        (["a", "", "c"], ["a", "b", "c"]),  # a fit that was not validated
        (["a"], None, []),  # nothing is known of the others
        ([], ["a"]),
        (None, None),
    ],
)
def test_one_split_in_all_trials_is_no_hint(tmp_path, samples):
    assert other_samples(tmp_path, *samples) == []


def test_another_split_in_one_of_several_fits_is_told(tmp_path):
    assert len(other_samples(tmp_path, ["a", "b"], ["a", "x"])) == 1


def test_where_the_record_of_the_first_trial_is_lost_the_next_one_stands_for_it(tmp_path):
    (sentence,) = other_samples(tmp_path, None, ["a"], ["b"])

    assert sentence.startswith("1 of 2 trials were validated on other samples than 001,")


EQUAL = "ended with the same weights and scores, to the last bit, though"


def alike(tmp_path, *trials):
    """Return the hint about trials that trained alike, of trials with these weights, values and last scores."""
    written = [
        Trial(curve=[0.5, score], weights=weights, values=values, state=state)
        for weights, values, score, state in trials
    ]
    return [sentence for sentence in told(write_experiment(tmp_path, written)) if EQUAL in sentence]


def test_trials_that_all_trained_alike_are_told_and_nothing_else_of_their_scores(tmp_path):
    trials = [Trial(curve=[0.5, 0.7], weights="a", values={"LR": 0.1 * number}) for number in range(1, 7)]

    assert told(write_experiment(tmp_path, trials)) == [
        f"all 6 trials {EQUAL} LR differs: what the program trains with comes from elsewhere"
    ]


def test_of_trials_that_trained_alike_each_constant_that_differs_is_named(tmp_path):
    (sentence,) = alike(
        tmp_path,
        ("a", {"LR": 0.1}, 0.7, "COMPLETE"),
        ("b", {"LR": 0.2}, 0.8, "COMPLETE"),
        ("a", {"LR": 0.1, "DROPOUT": 0.2, "BATCH_SIZE": 32}, 0.7, "COMPLETE"),
    )

    assert sentence == (
        f"000,baseline and 002,LR=0.1,BATCH_SIZE=32,DROPOUT=0.2,OPTIMIZER=adam {EQUAL} BATCH_SIZE, DROPOUT differ: "
        "2 of 3 trials are such, and it had no effect there"
    )


NOT_ALIKE = {
    "other weights": [("a", {"LR": 0.1}, 0.7, "COMPLETE"), ("b", {"LR": 0.2}, 0.7, "COMPLETE")],
    "other scores, by a threshold say": [("a", {"LR": 0.1}, 0.7, "COMPLETE"), ("a", {"LR": 0.2}, 0.8, "COMPLETE")],
    "the same constants": [("a", {"LR": 0.1}, 0.7, "COMPLETE"), ("a", {"LR": 0.1}, 0.7, "COMPLETE")],
    "weights that are not known": [("", {"LR": 0.1}, 0.7, "COMPLETE"), ("", {"LR": 0.2}, 0.7, "COMPLETE")],
    "one that was stopped": [("a", {"LR": 0.1}, 0.7, "COMPLETE"), ("a", {"LR": 0.2}, 0.7, "PRUNED")],
}


@pytest.mark.parametrize("trials", NOT_ALIKE.values(), ids=NOT_ALIKE)
def test_trials_that_did_not_train_alike_are_no_hint(tmp_path, trials):
    assert alike(tmp_path, *trials) == []
