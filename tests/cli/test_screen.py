"""Tables and lines, whatever stands in them."""

from dataclasses import replace

import pytest
from rich.table import Table

from tests.recorded import Recorded
from tests.terminal import Terminal, python
from tune.cli.terminal.confirmation_lines import shorten_version
from tune.cli.terminal.console import wrap_words
from tune.cli.terminal.observer import SearchLines
from tune.cli.terminal.screen import Screen, one_line
from tune.cli.terminal.summary import show_end, show_space
from tune.cluster.resources import Resources
from tune.experiment.counted_fits import CountedFits
from tune.experiment.records import read_record
from tune.promotion.checks.program_checks import DataLoaderWorkers
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants

SIZES = "metric: Loss\nmode: min\nconstants:\n  SIZES: {choice: [[8, 8], [16, 16]]}\nsampler: grid\n"

PRINT = """
from tune.cli.terminal.screen import Screen
long = "choice " + ", ".join(["a word"] * 30)
Screen().print_table(("constant", "hardcoded", "searched"), [("NAME", "plain", long), ("LR", "0.1", "x")])
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


@pytest.mark.parametrize("heading", ["[/red]", "IoU[car]", "CFG['[/red]']", ":smile:", "[link=http://x]x[/link]"])
def test_a_heading_is_text_and_no_markup(heading, capfd):
    Screen().print_table(("constant", heading), [("LR", "0.1")])

    assert capfd.readouterr().out.splitlines()[0].rstrip() == f"constant   {heading}"


def test_a_string_that_rich_gets_anywhere_is_text_and_no_markup(capfd):
    screen = Screen()
    screen.console.print("[/red] IoU[car] :smile:")
    screen.console.print(Table("[/red]", title="[/b]", caption="[bold]"))

    told = capfd.readouterr().out
    assert "[/red] IoU[car] :smile:" in told
    assert "[/b]" in told
    assert "[bold]" in told


def test_the_best_values_are_shown_as_the_program_has_them(tmp_path, capfd):
    recorded = Recorded(tmp_path, SIZES, program="sized", source="SIZES = (8, 8)\nMAX_EPOCHS = 1\n")
    for score in (1.0, 0.5):
        recorded.trial([score])
    promoted = resolve_constants(recorded.space, find_program(recorded.space.program))

    show_end(Screen(), recorded.ledger.trial_results, recorded.space, promoted)
    row = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("SIZES"))
    assert row.rstrip() == "SIZES      (8, 8)      (16, 16)"


def test_a_value_that_no_source_tells_has_its_row_too_where_the_baseline_is_best(tmp_path, capfd):
    text = "metric: Loss\nmode: min\nconstants:\n  SIZE: {randint: [1, 9]}\n"
    source = "import os\nSIZE = 8 if os.environ else 4\nMAX_EPOCHS = 1\n"
    recorded = Recorded(tmp_path, text, program="sized", source=source)
    for score in (0.5, 1.0):
        recorded.trial([score])
    promoted = resolve_constants(recorded.space, find_program(recorded.space.program))

    show_end(Screen(), recorded.ledger.trial_results, recorded.space, promoted)
    row = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("SIZE"))
    assert row.count("8 if os.environ else 4") == 2


def test_a_failures_line_holds_nothing_of_an_escape_code():
    assert one_line("\x1b[31mred\x1b[0m is\ttoo\nmuch\x07") == "red is too much"


@pytest.mark.parametrize(
    ("said", "line"),
    [("first line\r\nsecond", "first line second"), ("progress 10%\r", "progress 10%"), ("a\rb\x0bc", "a b c")],
)
def test_a_carriage_return_in_a_message_erases_nothing(said, line):
    assert one_line(said) == line


@pytest.mark.parametrize(
    ("n", "told"), [(1, "1 trial, 1 at a time with 1 CPU"), (2, "2 trials, 1 at a time with 1 CPU")]
)
def test_one_trial_is_told_in_the_singular(n, told, tmp_path, capfd):
    text = f"metric: Loss\nmode: min\nconstants:\n  LR: {{uniform: [0.1, 1]}}\ntrials: {n}\n"
    recorded = Recorded(tmp_path, text, source="LR = 0.5\n")
    program = find_program(recorded.space.program)
    resources = Resources(n_cores=1, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=1)
    show_space(Screen(), recorded.space, resolve_constants(recorded.space, program), program, resources)

    assert f"\n{told} each; sampler" in capfd.readouterr().out


def test_a_table_in_a_file_has_no_blanks_at_the_ends_of_its_lines(capfd):
    Screen().print_table(("constant", "hardcoded", "best"), [("LR", "0.1", "0.01"), ("SIZE", "日本", "-")])

    assert capfd.readouterr().out == (
        "constant   hardcoded   best\nLR         0.1         0.01\nSIZE       日本        -\n"
    )


SENTENCE = "hint: LR is at the end of its range: write `LR: {loguniform: [0.01, 10]}`, or leave it as it is now"


@pytest.mark.parametrize("width", [20, 40, 80])
def test_sentences_break_between_words_and_not_within_what_is_to_be_copied(width):
    lines = wrap_words(SENTENCE, width)

    assert " ".join(line.strip() for line in lines) == SENTENCE
    assert sum("`LR: {loguniform: [0.01, 10]}`" in line for line in lines) == 1
    assert all(len(line) <= width for line in lines if "`" not in line)
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_hint_breaks_between_words_on_a_terminal_and_is_one_line_in_a_file(tmp_path, capfd):
    script = tmp_path / "print.py"
    script.write_text(
        f"from tune.cli.terminal.screen import Screen\nScreen().print_prose({SENTENCE!r})\nprint('done')\n"
    )
    terminal = Terminal(python(str(script)), columns=60, rows=10)
    try:
        terminal.wait_for("done")
        lines = terminal.lines
    finally:
        terminal.close()
    Screen().print_prose(SENTENCE)

    assert [line.rstrip() for line in lines[:3]] == [
        "hint: LR is at the end of its range: write",
        "  `LR: {loguniform: [0.01, 10]}`, or leave it as it is now",
        "done",
    ]
    assert capfd.readouterr().out == f"{SENTENCE}\n"


VERSION = "007,lr=0.027,batch-size=32,dropout=0.0841,CHANNELS=32,LABEL_SMOOTHING=0.692"


def test_a_version_in_a_table_of_verdicts_leaves_room_for_the_numbers_on_a_terminal_alone(tmp_path):
    script = tmp_path / "print.py"
    script.write_text(
        "from tune.cli.terminal.confirmation_lines import Screen, shorten_version\n"
        f"print(shorten_version(Screen(), {VERSION!r}))\nprint('done')\n"
    )
    terminal = Terminal(python(str(script)), columns=80, rows=10)
    try:
        terminal.wait_for("done")
        shown = terminal.lines[0].rstrip()
    finally:
        terminal.close()

    assert shown == "007,lr=0.027,batch-size=32,dropo..."
    assert shorten_version(Screen(), VERSION) == VERSION


def test_a_score_on_the_test_set_is_warned_of(capfd):
    counted = CountedFits(numbers=(1,), n_fits=1, module="Net", stage="test", max_epochs=2)
    SearchLines(Screen(), "test_loss", None).on_preflight(counted, None)

    out = " ".join(capfd.readouterr().out.split())
    assert out.startswith(
        "score: test_loss, which Trainer.test alone logs warning: test_loss is logged in Trainer.test"
    )


SHARED = "the program writes into the working directory, and all trials share it: losses.csv, out/model.pt; "
CROWDED = " DataLoader workers, and a trial has 2 CPU cores: 2 would do"
SEEN = {
    "files": ({"wrote": ["losses.csv", "out/model.pt"]}, f"warning: {SHARED}`--own-folder` keeps them apart"),
    "workers": ({"n_workers": 64}, f"warning: net.py:3: 64{CROWDED}"),
    "other workers than the source tells": ({"n_workers": 8}, f"warning: the program: 8{CROWDED}"),
    "fewer workers than the source tells": ({"n_workers": 0}, ""),
}


@pytest.mark.parametrize(("record", "told"), SEEN.values(), ids=SEEN)
def test_what_the_pre_flight_has_seen_is_told_as_it_ends(tmp_path, capfd, record, told):
    recorded = Recorded(tmp_path, "metric: Score/Val\nmode: max\nconstants:\n  LR: {uniform: [0.0, 1.0]}\n")
    recorded.trial([0.5], "running")
    version = recorded.paths.version("000,baseline")
    replace(read_record(version), **record).write_record(version)
    counted = CountedFits(numbers=(1,), n_fits=1, module="Net", stage="val", max_epochs=2)
    workers = DataLoaderWorkers(number=64, where="net.py:3")
    SearchLines(Screen(), "Score/Val", recorded.paths, workers, 2).on_preflight(counted, None)

    assert " ".join(capfd.readouterr().out.split()) == told


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((1, 2), "score: the mean of val_acc over 2 fits of Net\n"),
        ((3, 4), "score: the mean of val_acc over the fits 3 and 4 of 4 (Net)\n"),
        ((1, 2, 4), "score: the mean of val_acc over the fits 1, 2 and 4 of 4 (Net)\n"),
    ],
)
def test_which_fits_the_mean_is_of_is_told_where_others_do_not_count(capfd, numbers, told):
    counted = CountedFits(numbers=numbers, n_fits=max(numbers), module="Net", stage="val", max_epochs=2)
    SearchLines(Screen(), "val_acc", None).on_preflight(counted, None)

    assert capfd.readouterr().out == told
