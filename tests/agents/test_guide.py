"""What `promotune agents` prints: commands that there are, and no other text than the documentation has."""

import re
import shlex

from tests.documentation import PAGES, ROOT, rows
from tune.agents.guide import GUIDE
from tune.cli import main
from tune.cli.command_parsers import build_parser
from tune.cli.parser import split_command


def test_it_is_printed_as_the_documentation_shows_it_and_is_short(capfd):
    assert main(["agents"]) == 0
    assert capfd.readouterr().out == GUIDE
    assert GUIDE in PAGES["docs/agents.md"]
    assert len(GUIDE.splitlines()) < 60
    assert max(map(len, GUIDE.splitlines())) < 80


def test_each_command_that_it_names_is_understood():
    commands = [" ".join(text.split()) for text in re.findall(r"`promotune ([^`]+)`", GUIDE)]
    words = [shlex.split(text) for text in commands]

    assert len(words) > 10
    for each in words:
        name, rest = split_command(each)
        build_parser(name).parse_words(rest)


def test_the_table_of_tools_has_those_of_the_server_in_their_order():
    source = (ROOT / "tune" / "agents" / "server.py").read_text(encoding="utf-8")  # its import needs the extra
    named = re.findall(r'^    "(\w+)": AgentTool', source, re.MULTILINE)

    assert [name.strip("`") for name, _ in rows("tool")] == named
    assert len(named) == 9
