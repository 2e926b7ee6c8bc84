"""Every command and option is a decision: the set of them is written here."""

from tune.cli.arguments import COMMANDS, parse, resume_parser, retrain_parser, search_parser
from tune.space.settings import Settings


def options_of(parser):
    return {option for action in parser._actions for option in action.option_strings}


def test_the_commands_and_options_are_these():
    assert set(COMMANDS) == {"resume", "retrain"}
    assert options_of(search_parser()) == {
        "-h",
        "--help",
        "--version",
        "--space",
        "--trials",
        "--time-budget",
        "--seed",
        "--sampler",
        "--scheduler",
        "--concurrency",
        "--cpus-per-trial",
        "--gpus-per-trial",
        "--max-failures",
        "-g",
        "--gpu",
        "--storage",
        "--trainer.ARGUMENT",
        "--name",
        "--fast-dev-run",
    }
    assert options_of(resume_parser()) == {
        "-h",
        "--help",
        "--trials",
        "--time-budget",
        "--concurrency",
        "--cpus-per-trial",
        "--gpus-per-trial",
        "--max-failures",
        "-g",
        "--gpu",
        "--storage",
    }
    assert options_of(retrain_parser()) == {"-h", "--help", "-g", "--gpu", "--storage", "--trainer.ARGUMENT"}


def test_an_option_wins_over_the_space_file():
    words = (
        "--trials 5 --time-budget 1h30m --seed 3 --sampler random --scheduler none --concurrency 2 --cpus-per-trial 2"
    )
    arguments = parse(["--space", "s.yaml", *words.split(), "--gpus-per-trial", "0.5", "-g", "1", "3"])

    settings = arguments.settings(Settings(trials=9, trainer={"max_epochs": 4, "precision": 32}))
    assert settings == Settings(
        trials=5,
        time_budget_s=5400.0,
        seed=3,
        sampler="random",
        scheduler="none",
        concurrency=2,
        cpus_per_trial=2,
        gpus_per_trial=0.5,
        trainer={"max_epochs": 4, "precision": 32},
    )
    assert arguments.gpus == (1, 3)


def test_trainer_arguments_are_read_with_and_without_an_equals_sign():
    words = ["--trainer.max_epochs=3", "--trainer.deterministic", "true", "--trainer.precision", "16-mixed"]
    settings = parse(["--space", "s", *words, "--trainer.accelerator", "None"]).settings(Settings())

    assert settings.trainer == {"max_epochs": 3, "deterministic": True, "precision": "16-mixed", "accelerator": None}


def test_what_is_left_out_keeps_what_the_file_says():
    arguments = parse(["--space", "s.yaml"])

    assert arguments.settings(Settings(trials=9, sampler="gp")) == Settings(trials=9, sampler="gp")
    assert (arguments.command, arguments.target, arguments.name, arguments.storage) == ("search", "s.yaml", None, None)
    assert arguments.fast_dev_run is False
