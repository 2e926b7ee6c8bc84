"""What is done to text before it is printed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune.cli.terminal.streams import make_printable, make_printable_line, print_error

WRITTEN_OUT = {
    "\x1b[31m": "\\x1b[31m",
    "\x7f": "\\x7f",
    "\x9b": "\\x9b",
    "\r": "\\r",
    "\u202e": "\\u202e",
    "\u200e\u200f\u061c": "\\u200e\\u200f\\u061c",
    "\u2028\u2029": "\\u2028\\u2029",
    "\u200b\ufeff\u2060\u00ad": "\\u200b\\ufeff\\u2060\\xad",
    "\U000e0041": "\\U000e0041",
    "\ud800": "\\ud800",
    "L\u200dR": "L\\u200dR",
    "\u200cLR": "\\u200cLR",
    "नी\u200d\u200d\u200cल": "नी\u200d\\u200d\\u200cल",
}
ORDINARY = [
    "Accuracy/Val",
    "Größe, точность, 正解率, דיוק, الدقة",
    "می\u200cخواهم",  # noqa: RUF001
    "क्\u200dष",
    "👩\u200d💻 ❤️ 🏳️\u200d🌈",
    "two\tcolumns\nand a line",
]


@pytest.mark.parametrize("text", WRITTEN_OUT, ids=ascii)
def test_what_acts_on_a_terminal_or_hides_is_written_out(text):
    assert make_printable(text) == WRITTEN_OUT[text]


@pytest.mark.parametrize("text", ORDINARY, ids=ascii)
def test_ordinary_text_of_any_language_stays_as_it_is(text):
    assert make_printable(text) == text


def test_a_line_has_no_second_one():
    assert make_printable_line("two\tcolumns\nand a line") == "two\\tcolumns\\nand a line"


@pytest.mark.parametrize(("text", "told"), [("x" * 2001, "x" * 2000), ("\x1b" * 1_000_000, "\\x1b" * 500)])
def test_of_a_long_line_its_beginning_is_written_and_its_length(text, told):
    assert make_printable_line(text) == f"{told}... ({len(text):,} characters)"


def test_of_an_error_of_many_lines_the_first_ones_are_written_and_how_many_there_are(capsys):
    print_error("no such folder" + "\n" * 120_000 + "x\n")

    assert capsys.readouterr().err == "no such folder" + "\n" * 99 + "\n... (119,901 lines more)\n"


@given(st.text(st.characters()))
def test_any_text_is_one_line_that_every_stream_takes(text):
    told = make_printable_line(text)

    told.encode()
    assert len(told.splitlines()) <= 1
    assert {unicodedata.category(each) for each in told if each not in "\u200c\u200d"}.isdisjoint(
        {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )
    assert make_printable_line(told) == told
