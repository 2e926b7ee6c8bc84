"""What typer makes options of is known by its name on the command line, with its default."""

import pytest

from tune.promotion.options.declared_options import find_options

HEAD = "import typer\nfrom typing import Annotated\napp = typer.Typer()\n"
COMMAND = "@app.command()\ndef train({}):\n    print(lr)\napp()\n"
SIGNATURES = {
    "a default": ("lr: float = 0.1", [(("--lr",), 0.1, "lr", None)]),
    "a name with a dash": ("batch_size: int = 8", [(("--batch-size",), 8, "batch_size", None)]),
    "an option's default": ("lr: float = typer.Option(0.1, min=0)", [(("--lr",), 0.1, "lr", None)]),
    "the same by its name": ("lr: float = typer.Option(default=0.1)", [(("--lr",), 0.1, "lr", None)]),
    "names of its own": ("lr: float = typer.Option(0.1, '-r', '--rate')", [(("--rate", "-r"), 0.1, "lr", None)]),
    "a type with notes": ("lr: Annotated[float, typer.Option('--rate')] = 0.1", [(("--rate",), 0.1, "lr", None)]),
    "a keyword alone": ("*, lr: float = 0.1", [(("--lr",), 0.1, "lr", None)]),
    "a flag": ("lr: bool = True", [(("--lr",), True, "lr", "--no-lr")]),
    "an argument": ("lr: float", []),
    "an argument with a default": ("lr: float = typer.Argument(0.1)", []),
    "a required option": ("lr: float = typer.Option()", []),
}


@pytest.mark.parametrize(("signature", "expected"), SIGNATURES.values(), ids=SIGNATURES)
@pytest.mark.parametrize("text", [COMMAND, "def train({}):\n    print(lr)\ntyper.run(train)\n"], ids=["app", "run"])
def test_parameters_of_a_command_are_options(program_of, text, signature, expected):
    options = find_options(program_of(HEAD + text.format(signature)))

    assert [(each.names, each.value, each.dest, each.off) for each in options] == expected
    assert [each.default is not None for each in options] == [True for _ in expected]


@pytest.mark.parametrize(
    ("call", "n"),
    [
        ("app()", 1),
        ("main.app()", 1),
        ("train()\napp()", 1),
        ("train()\nother.add_typer(typer_instance=app)", 1),
        ("from pkg import app as run\nrun()", 1),
        ("", 1),  # an entry point may call it
        ("train()", 0),
    ],
)
def test_where_a_program_calls_the_function_and_no_app_there_are_no_options(program_of, call, n):
    text = COMMAND.format("lr: float = 0.1").replace("app()\n", f"{call}\n")

    assert len(find_options(program_of(HEAD + text))) == n


def test_an_option_that_the_environment_may_give_has_no_certain_value(program_of):
    (option,) = find_options(program_of(HEAD + COMMAND.format("lr: float = typer.Option(0.1, envvar='LR')")))

    assert str(option.value) == "may stand in the environment"


def test_a_command_of_click_s_is_none_of_typer_s(program_of):
    text = "import click\n# no typer\n@click.command()\n@click.option('--lr', default=0.1)\ndef main(lr=1): print(lr)\n"

    assert [(each.name, each.value) for each in find_options(program_of(f"{text}main()\n"))] == [("--lr", 0.1)]
