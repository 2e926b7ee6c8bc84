"""Tables and lines, whatever stands in them."""

import pytest

from tests.terminal import Terminal, python
from tune.cli.screen import one_line

PRINT = """
from tune.cli.screen import Screen
long = "choice " + ", ".join(["a word"] * 30)
Screen().table(("constant", "hardcoded", "searched"), [("NAME", "plain", long), ("LR", "0.1", "x")])
print("done")
"""


@pytest.mark.parametrize("columns", [40, 80])
def test_a_table_with_long_cells_keeps_its_first_column_and_every_word(columns, tmp_path):
    script = tmp_path / "print.py"
    script.write_text(PRINT)
    terminal = Terminal(python(str(script)), columns=columns, rows=40)
    try:
        terminal.wait_for("done")
        lines = terminal.lines
    finally:
        terminal.close()

    header, first, *_ = lines
    assert header.split() == ["constant", "hardcoded", "searched"]
    assert first.startswith("NAME       plain")
    assert any(line.startswith("LR         0.1") for line in lines)
    assert sum(line.count("word") for line in lines) >= 25  # a few are broken in two


def test_a_failures_line_holds_nothing_of_an_escape_code():
    assert one_line("\x1b[31mred\x1b[0m is\ttoo\nmuch\x07") == "red is too much"
