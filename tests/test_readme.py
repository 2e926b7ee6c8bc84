"""The README says what is so: its options, its space files, its commands."""

import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tune.cli import main
from tune.cli.parser import COMMANDS, SEARCH, import_command, split_command
from tune.experiment.records import PARTS
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.space.dimensions import KINDS
from tune.space.settings import CHECKS, DURATIONS, Settings, check_setting
from tune.space.space_file import KEYS, read_space

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = re.findall(r"(?:<!-- ([^\n]+) -->\n)?```(\w+)\n(.*?)```", README, re.DOTALL)
"""Marker, language and text of each code block."""

NOT_YET_RUN: set[str] = set()
"""Keys that a space file may hold and a search cannot do yet: not advertised."""

DEFAULTS = Settings()


def rows(first_header):
    """Return the cells of the table whose first column has this header."""
    table = re.search(rf"^\| {first_header} \|.*?\n\n", README, re.DOTALL | re.MULTILINE).group()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def options_of(name):
    return set(import_command(name).parser().option_spellings)


LINES = [
    shlex.split(command.partition("run_search.py")[2])
    for _, language, text in BLOCKS
    if language == "bash"
    for command in re.split(r"&&|\n", text)
    if "run_search.py" in command
]


def test_the_table_when_compared_with_the_space_file_then_has_every_key_and_no_other():
    assert {key for row in rows("key") for key in quoted(row[0])} == KEYS - NOT_YET_RUN


def test_the_table_of_a_profile_names_its_parts_and_what_they_are():
    assert {quoted(name)[0]: what for name, what in rows("part")} == PARTS


def test_the_table_when_compared_with_the_command_line_then_has_every_option_and_no_other():
    options = {option for row in rows("key") for option in quoted(row[1])}
    assert options == options_of(SEARCH) | options_of("resume")


def test_the_table_of_commands_when_compared_with_them_then_has_every_option_and_no_other():
    told: dict[str, set[str]] = {}
    for command, option, _ in rows("command"):
        names = quoted(command)
        told.setdefault(names[0] if names else list(told)[-1], {"-h", "--help"}).update(quoted(option))
    assert told == {name: options_of(name) for name in COMMANDS if name != "resume"}


@pytest.mark.parametrize("row", [row for row in rows("key") if row[0].strip("`") in CHECKS], ids=lambda row: row[0])
def test_a_setting_when_the_readme_tells_its_default_then_that_is_the_default(row):
    (name,) = quoted(row[0])
    default = getattr(DEFAULTS, f"{name}_s" if name in DURATIONS else name)
    told = [YAML(typ="safe").load(text) for text in quoted(row[2])]
    assert [check_setting(name, value, None) for value in told] == ([] if default is None else [default])


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
    elif name == "main.lr":
        code = ["def main():", *(f"    {each}" for each in code)]
    (tmp_path / f"{module}.py").write_text("\n".join([*lines, *code]) + "\n")

    program = find_program(tmp_path / "program.py")
    found = find_constant(name, program, find_constants(program), "here")
    assert line in (None, found.sites[0].span.line)


@pytest.mark.parametrize("text", [text for marker, _, text in BLOCKS if marker == "space"])
def test_a_space_file_when_it_stands_in_the_readme_then_it_is_read_and_its_constants_exist(text, tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(text.replace("system: ", f"system: {ROOT}/"))
    space = read_space(path)
    assert len(resolve_constants(space, find_program(space.program))) == len(space.dimensions)


def test_the_space_file_that_ships_when_compared_with_the_readme_then_stands_there():
    shipped = (ROOT / "search_spaces" / "lr_bs.yaml").read_text(encoding="utf-8")
    assert shipped in [text for marker, _, text in BLOCKS if marker == "space"]


@pytest.mark.parametrize("argv", LINES, ids=" ".join)
def test_a_command_when_it_stands_in_the_readme_then_it_is_understood(argv):
    name, words = split_command(argv)
    given = import_command(name).parser().parse_words(words)
    targets = {
        SEARCH: "space",
        "constants": "program",
        "promote": "program",
        "compare": "experiments",
        "list": "storage",
    }
    target = getattr(given, targets.get(name, "experiment"))
    assert target in ("lr_bs.yaml", "lr_bs", "lr_bs-2", ["lr_bs"], ["lr_bs", "lr_bs-2"], "lit/digits.py", None)


def test_what_the_readme_says_of_the_constants_is_what_is_printed(capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["run_search.py"])
    assert main(["constants", "lit/digits.py"]) == 0
    told = next(text for marker, _, text in BLOCKS if marker.startswith("output of") and "constants" in marker)
    assert capfd.readouterr().out == told


def test_what_the_readme_says_of_a_promoted_file_is_what_is_written(tmp_path):
    path = tmp_path / "lr_batch_size.yaml"
    assert main(["promote", str(ROOT / "lit" / "digits.py"), "LR", "BATCH_SIZE", "-o", str(path)]) == 0
    assert path.read_text().replace(f"{ROOT}/", "") in [text for marker, _, text in BLOCKS if marker == "space"]


def test_the_commands_when_they_are_compared_then_search_retrain_and_rehearsal_are_among_them():
    assert [argv[0] for argv in LINES] == [
        *("--space", "constants", "promote", "dashboards", "results", "report", "retrain", "apply"),
        *("--space", "resume", "resume", "--space", "list", "compare", "delete", "--space", "--space", "--space"),
    ]


def test_a_block_of_commands_when_it_stands_there_then_ci_or_a_test_runs_it():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for marker, language, text in BLOCKS:
        kind, _, name = marker.partition(": ")
        if language in ("bash", "python"):
            assert kind in ("ci", "test", "source"), f"no marker before: {text}"
        if kind == "ci":
            assert re.search(rf"\b{name}\b", script), f".ci/run does not run {name}"
        if kind == "test":
            assert (ROOT / name).is_file(), f"there is no {name}"
        if kind == "source":
            assert text in (ROOT / name).read_text(encoding="utf-8")
