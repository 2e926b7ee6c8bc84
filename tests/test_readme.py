"""The README says what is so: its options, its space files, its commands."""

import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tune.cli import arguments
from tune.cli.arguments import Parser, parse
from tune.promotion.constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve
from tune.space.dimensions import KINDS
from tune.space.file import KEYS, read_space
from tune.space.settings import CHECKS, Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = re.findall(r"(?:<!-- ([^\n]+) -->\n)?```(\w+)\n(.*?)```", README, re.DOTALL)
"""Marker, language and text of each code block."""

NOT_YET_RUN = {"script", "args"}
"""Keys that a space file may hold and a search cannot do yet: not advertised."""

DEFAULTS = Settings()


def rows(first_header):
    """Return the cells of the table whose first column has this header."""
    table = re.search(rf"^\| {first_header} \|.*?\n\n", README, re.DOTALL | re.MULTILINE).group()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def options_of(parser):
    return {text for action in parser._actions for text in action.option_strings}


PARSERS = [getattr(arguments, name) for name in vars(arguments) if name.endswith("_parser")]
COMMANDS = [
    shlex.split(command.partition("run_search.py")[2])
    for _, language, text in BLOCKS
    if language == "bash"
    for command in re.split(r"&&|\n", text)
    if "run_search.py" in command
]


def test_the_table_when_compared_with_the_space_file_then_has_every_key_and_no_other():
    assert {key for row in rows("key") for key in quoted(row[0])} == KEYS - NOT_YET_RUN


def test_the_table_when_compared_with_the_command_line_then_has_every_option_and_no_other():
    parsers = [parser() for parser in PARSERS]
    assert all(isinstance(parser, Parser) for parser in parsers)
    assert len(parsers) == len(arguments.COMMANDS) + 1
    assert {option for row in rows("key") for option in quoted(row[1])} == set().union(*map(options_of, parsers))


@pytest.mark.parametrize("row", [row for row in rows("key") if row[0].strip("`") in CHECKS], ids=lambda row: row[0])
def test_a_setting_when_the_readme_tells_its_default_then_that_is_the_default(row):
    (name,) = quoted(row[0])
    default = getattr(DEFAULTS, "time_budget_s" if name == "time_budget" else name)
    told = [YAML(typ="safe").load(text) for text in quoted(row[2])]
    assert told == ([] if default is None else [default])


def test_the_kinds_when_compared_with_the_code_then_are_all_there_and_their_examples_are_read(tmp_path):
    kinds = {quoted(row[0])[0]: quoted(row[2])[0] for row in rows("kind")}
    assert list(kinds) == list(KINDS)
    lines = [f"  C{number}: {example}" for number, example in enumerate(kinds.values())]
    head = f"system: {ROOT}/lit/digits.py\nmetric: m\nmode: max\nconstants:\n"
    (tmp_path / "kinds.yaml").write_text(head + "\n".join(lines))
    read = read_space(tmp_path / "kinds.yaml").dimensions.values()
    assert [type(dimension) for dimension in read] == list(KINDS.values())


@pytest.mark.parametrize("row", rows("name"), ids=lambda row: row[0])
def test_a_name_when_the_readme_explains_it_then_it_leads_to_a_constant(row, tmp_path):
    (name,), code = quoted(row[0]), quoted(row[1])[:1]
    lines = [
        "from functools import partial",
        "import torch",
        "from torch import nn",
        "from torch.utils.data import DataLoader",
    ]
    module, line = "program", None
    if name == "config.LR":
        module, code = "config", ["LR = 1e-3"]
        (tmp_path / "program.py").write_text("import config\n")
    elif name == "Adam.lr@42":
        code = ["a = torch.optim.Adam(net.parameters(), lr=1e-3)"]
        lines += [*code, *[""] * 36]
        line = 42
    elif name == "Net.width":
        code = ["class Net(nn.Module):", *(f"    {each}" for each in code)]
    (tmp_path / f"{module}.py").write_text("\n".join([*lines, *code]) + "\n")

    program = find_program(tmp_path / "program.py")
    found = find_constant(name, program, find_constants(program), "here")
    assert line in (None, found.sites[0].span.line)


@pytest.mark.parametrize("text", [text for marker, _, text in BLOCKS if marker == "space"])
def test_a_space_file_when_it_stands_in_the_readme_then_it_is_read_and_its_constants_exist(text, tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(text.replace("system: ", f"system: {ROOT}/"))
    space = read_space(path)
    assert len(resolve(space, find_program(space.program))) == len(space.dimensions)


def test_the_first_space_file_when_compared_with_the_one_that_ships_then_is_the_same():
    first = next(text for marker, _, text in BLOCKS if marker == "space")
    assert first == (ROOT / "search_spaces" / "lr_bs.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_a_command_when_it_stands_in_the_readme_then_it_is_understood(argv):
    assert parse(argv).target in ("lr_bs.yaml", "lr_bs")


def test_the_commands_when_they_are_compared_then_each_is_among_them():
    assert [argv[0] for argv in COMMANDS] == ["--space", "resume", "--space", "retrain"]


def test_a_block_of_commands_when_ci_does_not_run_it_then_it_says_why():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for marker, language, text in BLOCKS:
        kind, _, name = marker.partition(": ")
        if language == "bash":
            assert kind in ("ci", "not run"), f"no marker before: {text}"
        if kind == "ci":
            assert re.search(rf"\b{name}\b", script), f".ci/run does not run {name}"
