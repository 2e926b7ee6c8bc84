import pytest

from tune.errors import ConstantError
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.options.declared_options import find_option, find_options
from tune.promotion.options.required_words import find_required_words

PARSER = "import argparse\nparser = argparse.ArgumentParser()\n"
CLI = """
from lightning.pytorch.cli import LightningCLI
class Lit:
    def __init__(self, width, lr: float = 1e-3): ...
class Data:
    def __init__(self, batch_size=64): ...
"""

DECLARED = [
    (PARSER + "parser.add_argument('--lr', type=float, default=1e-3)", "--lr", 1e-3),
    (PARSER + "parser.add_argument('--lr', type=float, default='1e-3')", "--lr", 1e-3),
    (PARSER + "parser.add_argument('-b', '--batch-size', default=64)", "--batch-size", 64),
    (PARSER + "parser.add_argument('-b', '--batch-size', default=64)", "-b", 64),
    (PARSER + "parser.add_argument('--fast', action='store_true')", "--fast", False),
    (PARSER + "parser.add_argument('--lr', default=f())", "--lr", Unknown("f()")),
    (PARSER + "parser.add_argument('--lr')", "--lr", None),
    ("import click\n@click.command()\n@click.option('--lr', default=0.1)\ndef main(lr): ...", "--lr", 0.1),
    ("from absl import flags\nflags.DEFINE_float('lr', 1e-3, 'the rate')\n", "--lr", 1e-3),
    (
        "from absl import flags\nF = flags.DEFINE_integer(name='n', default=f(), help='')\n",
        "--n",
        Unknown("f()"),
    ),
    ("import fire\ndef main(batch_size=4): ...\nfire.Fire(main)", "--batch_size", 4),
    ("import fire\ndef main(batch_size=4): ...\nfire.Fire(main)", "--batch-size", 4),
    ("from jsonargparse import CLI\ndef main(batch_size=4): ...\nCLI(main)", "--batch_size", 4),
    ("import jsonargparse\ndef main(lr: float = 0.1): ...\njsonargparse.auto_cli(main)", "--lr", 0.1),
    (CLI + "LightningCLI(Lit, Data)", "--model.lr", 1e-3),
    (CLI + "LightningCLI(Lit, Data)", "--model.width", Unknown("required")),
    (CLI + "LightningCLI(Lit, trainer_defaults={'max_epochs': 3})", "--trainer.max_epochs", 3),
    (CLI + "LightningCLI(Lit, trainer_defaults=dict(max_epochs=3))", "--trainer.max_epochs", 3),
    (CLI + "LightningCLI(datamodule_class=Data, model_class=Lit)", "--data.batch_size", 64),
    (CLI + "class MyCLI(LightningCLI): ...\nMyCLI(Lit)", "--model.lr", 1e-3),
    (
        CLI + "class MyCLI(LightningCLI):\n    def __init__(self):\n        super().__init__(Lit, Data)\nMyCLI()",
        "--data.batch_size",
        64,
    ),
    (CLI + "class Own(LightningCLI): ...\nclass MyCLI(Own): ...\nMyCLI(Lit)", "--model.lr", 1e-3),
    ("import hydra", "optimizer.lr=", Unknown("not in the source")),
    ("import sys", "lr=", Unknown("not in the source")),
]


@pytest.mark.parametrize(("text", "name", "value"), DECLARED)
def test_an_option_is_found_with_its_default(program_of, text, name, value):
    program = program_of(text)
    assert repr(find_option(name, program, find_options(program), "x").value) == repr(value)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (
            PARSER + "parser.add_argument('--lr')",
            "--LR",
            (
                "x.yaml:3: '--LR' is no option that a source of train.py declares\n"
                "  Did you mean '--lr'?  `promotune constants train.py` lists them all."
            ),
        ),
        (
            "LR = 1",
            "lr=",
            (
                "x.yaml:3: 'lr=' is no option that a source of train.py declares\n"
                "  `promotune constants train.py` lists them all."
            ),
        ),
    ],
)
def test_an_option_that_is_not_there_is_refused(program_of, monkeypatch, tmp_path, text, name, message):
    monkeypatch.chdir(tmp_path)
    program = program_of(text)
    with pytest.raises(ConstantError) as caught:
        find_option(name, program, find_options(program), "x.yaml:3")
    assert str(caught.value) == message


PARSED = PARSER + "parser.add_argument('--lr', type=float, default=1e-3)\n"
CHANGED = {
    "a literal": ("parser.set_defaults(lr=0.3)", 0.3),
    "for another option": ("parser.set_defaults(depth=3)", 1e-3),
    "an expression": ("parser.set_defaults(lr=rate())", Unknown("rate()")),
    "under a condition": ("if big:\n    parser.set_defaults(lr=0.3)", Unknown("0.3")),
    "under the guard": ("if __name__ == '__main__':\n    parser.set_defaults(lr=0.3)", 0.3),
    "twice": ("parser.set_defaults(lr=0.3)\nparser.set_defaults(lr=0.4)", Unknown("0.4")),
    "a whole file": ("parser.set_defaults(**config)", Unknown("config")),
}


@pytest.mark.parametrize(("text", "value"), CHANGED.values(), ids=CHANGED)
def test_a_default_that_is_set_later_counts(program_of, text, value):
    program = program_of(PARSED + text)
    assert repr(find_option("--lr", program, find_options(program), "x").value) == repr(value)


EARLIER = "import argparse\nparser = argparse.ArgumentParser()\nparser.set_defaults(lr=0.3)\n"


@pytest.mark.parametrize(("given", "value"), [("default=0.01", 0.01), ("type=float", 0.3)])
def test_a_default_that_is_set_earlier_counts_where_the_option_has_none(program_of, given, value):
    program = program_of(f"{EARLIER}parser.add_argument('--lr', {given})\nprint(parser.parse_args().lr)\n")

    assert find_option("--lr", program, find_options(program), "x").value == value


def test_a_default_of_another_parser_is_not_written(program_of):
    text = "other = parser.add_subparsers().add_parser('other')\nparser.add_argument('--lr', type=float)\n"
    program = program_of(f"{EARLIER}{text}print(parser.parse_args().lr)\n")

    assert find_option("--lr", program, find_options(program), "x").default is None


def test_an_option_with_two_defaults_has_none_that_is_certain(program_of):
    program = program_of(PARSED + "other = argparse.ArgumentParser()\nother.add_argument('--lr', default=0.5)")
    assert find_option("--lr", program, find_options(program), "x").value == Unknown("declared more than once")


@pytest.mark.parametrize(
    "name",
    [
        "--optimizer.init_args.lr",
        "--trainer.max_epochs",
        "--early_stopping.patience",
        "--model.net.init_args.width",
        "--model.depth",
        "--seed_everything",
    ],
)
def test_options_that_only_the_help_of_lightning_cli_lists_are_taken_at_their_name(program_of, name):
    program = program_of(CLI + "LightningCLI(Lit)")
    assert find_option(name, program, find_options(program), "x").value == Unknown("not in the source")


def test_a_misspelt_parameter_of_lightning_cli_is_refused(program_of):
    program = program_of(CLI + "LightningCLI(Lit)")
    with pytest.raises(ConstantError, match=r"Did you mean '--model\.width'"):
        find_option("--model.widht", program, find_options(program), "x")


NEVER = (
    "class Net:\n    @staticmethod\n    def add_options(parser):\n        parser.add_argument('--lr', required=True)\n"
)
REACHED = {
    "a static method that nothing names": (NEVER, []),
    "one that is called": (NEVER + "Net.add_options(parser)\n", ["--lr"]),
    "one that another of its name calls, which nothing names": (
        NEVER + "class Wide(Net):\n    @staticmethod\n    def add_options(parser):\n        Net.add_options(parser)\n",
        [],
    ),
    "one of a class of which no method is called, beside one that has such a method": (
        NEVER + NEVER.replace("Net", "Wide").replace("lr", "depth") + "Wide.add_options(parser)\n",
        ["--depth"],
    ),
    "one that a class below inherits": (NEVER + "class Wide(Net): pass\nWide.add_options(parser)\n", ["--lr"]),
    "one that a class below calls": (
        NEVER
        + "class Wide(Net):\n    @staticmethod\n    def add_options(parser):\n        Net.add_options(parser)\n"
        + "Wide.add_options(parser)\n",
        ["--lr"],
    ),
    "one of a class that a name holds": (NEVER + "for kind in (Net,):\n    kind.add_options(parser)\n", ["--lr"]),
    "a function that is imported under another name": ("from more import build as make\nmake()\n", ["--depth"]),
    "a function that is only imported": ("from more import build\n", []),
    "a function that is looked up by its name": ("import more\ngetattr(more, 'build')()\n", ["--depth"]),
    "a method, which a base class may call": (NEVER.replace("    @staticmethod\n", ""), ["--lr"]),
    "a function with a decorator, which may call it": (
        "import atexit\n@atexit.register\ndef build():\n    parser.add_argument('--lr', required=True)\n",
        ["--lr"],
    ),
}


@pytest.mark.parametrize(("text", "names"), REACHED.values(), ids=REACHED)
def test_options_of_a_parser_that_never_runs_are_none(program_of, text, names):
    more = "def build():\n    parser.add_argument('--depth', required=True)\n"
    program = program_of(PARSER + text, {"more.py": more})

    assert [option.name for option in find_options(program)] == names
    assert [word.name for word in find_required_words(program)] == names


MAIN = "def main(data: str, lr: float, epochs=2): ...\n"
NEEDED = {
    "jsonargparse": ("from jsonargparse import CLI\n", "CLI(main)", ["--epochs"], ["DATA", "LR"]),
    "its newer name": ("import jsonargparse\n", "jsonargparse.auto_cli(main)", ["--epochs"], ["DATA", "LR"]),
    "options alone": (
        "from jsonargparse import CLI\n",
        "CLI(main, as_positional=False)",
        ["--data", "--lr", "--epochs"],
        ["--data DATA", "--lr LR"],
    ),
    "fire": ("import fire\n", "fire.Fire(main)", ["--data", "--lr", "--epochs"], ["--data DATA", "--lr LR"]),
}


@pytest.mark.parametrize(("imports", "call", "options", "words"), NEEDED.values(), ids=NEEDED)
def test_a_parameter_without_a_default_has_to_be_given(program_of, imports, call, options, words):
    program = program_of(f"{imports}{MAIN}{call}\n")

    assert [option.name for option in find_options(program)] == options
    assert [word.example for word in find_required_words(program)] == words


def test_a_name_of_a_word_without_a_name_is_answered_with_the_option_that_gives_it(program_of):
    program = program_of(f"from jsonargparse import CLI\n{MAIN}CLI(main)\n")

    with pytest.raises(ConstantError) as raised:
        find_constant("lr", program, find_constants(program), "")

    assert "lr is a word of the command line, without a name (train.py:2): only --args gives it." in str(raised.value)


def test_a_name_of_what_a_config_file_holds_is_answered_with_its_option_and_a_command_that_runs(
    program_of, monkeypatch, tmp_path
):
    config = "optimizer:\n  class_path: torch.optim.Adam\n  init_args: {lr: 0.001}\n"
    program = program_of(CLI + "LightningCLI(Lit, Data)", {"c.yaml": config}, main="train/main.py")
    monkeypatch.chdir(tmp_path)
    args = ("fit", "--config", "c.yaml")

    with pytest.raises(ConstantError) as caught:
        find_constant("Adam.lr", program, find_constants(program), "", args)

    listing = "`promotune constants train/main.py --args 'fit --config c.yaml'` lists them all."
    assert (
        str(caught.value).partition("\n")[2] == f"  Did you mean '--model.lr' or 'optimizer.init_args.lr='?  {listing}"
    )


@pytest.mark.parametrize(
    ("rest", "is_read"),
    [
        ("flags.FLAGS.lr", True),
        ("flags.FLAGS['lr'].value", True),
        ("flags.FLAGS.flag_values_dict()", True),
        ("1", False),
    ],
)
def test_a_flag_of_absl_s_is_read_where_the_program_names_it_again(program_of, rest, is_read):
    program = program_of(f"from absl import flags\nflags.DEFINE_float('lr', 1e-3, '')\nprint({rest})\n")

    (option,) = find_options(program)

    assert option.is_read == is_read


def test_a_flag_of_absl_s_has_the_choices_and_the_place_of_its_default(program_of):
    (option,) = find_options(program_of("from absl import flags\nX = flags.DEFINE_enum('loss', 'a', ['a', 'b'], '')\n"))

    assert (option.choices, option.is_read, option.default.span.column) == (("a", "b"), True, 30)
