"""Settings may be given on the command line, and win there."""

from tune.cli.arguments import Arguments
from tune.cli.command_parsers import build_parser
from tune.cli.parser import split_command
from tune.space.settings import Settings


def parse(argv):
    name, words = split_command(argv)
    return build_parser(name).parse_words(words)


def test_an_option_wins_over_the_space_file():
    words = (
        "--trials 5 --time-budget 1h30m --seed 3 --sampler random --scheduler none --concurrency 2 --cpus-per-trial 2 "
        "--gpus-per-trial 0.5 --workers-per-trial 2 --repeats --hang-after 5 -g 1 3"
    )
    arguments = Arguments.from_namespace(parse(["--space", "s.yaml", *words.split()]))

    settings = arguments.apply_settings(Settings(trials=9, trainer={"max_epochs": 4, "precision": 32}))
    assert settings == Settings(
        trials=5,
        time_budget_s=5400.0,
        seed=3,
        sampler="random",
        scheduler="none",
        concurrency=2,
        cpus_per_trial=2,
        gpus_per_trial=0.5,
        workers_per_trial=2,
        repeats=True,
        hang_after_s=5.0,
        trainer={"max_epochs": 4, "precision": 32},
    )
    assert arguments.gpus == (1, 3)


def test_trainer_arguments_are_read_with_and_without_an_equals_sign():
    words = ["--trainer.max_epochs=3", "--trainer.deterministic", "true", "--trainer.precision", "16-mixed"]
    given = parse(["--space", "s", *words, "--trainer.accelerator", "None"])
    settings = Arguments.from_namespace(given).apply_settings(Settings())

    assert settings.trainer == {"max_epochs": 3, "deterministic": True, "precision": "16-mixed", "accelerator": None}


def test_what_is_left_out_keeps_what_the_file_says():
    given = parse(["--space", "s.yaml"])

    base = Settings(trials=9, sampler="gp")
    assert Arguments.from_namespace(given).apply_settings(base) == base
    assert (given.space, given.name, given.storage, given.gpu) == ("s.yaml", None, None, None)
    assert given.fast_dev_run is False
