"""What an edited space file may say of a search that goes on with it, and what it may not."""

from dataclasses import replace
from pathlib import Path

import pytest

from tune.errors import SpaceError
from tune.space.edit import describe_changes, edited_space
from tune.space.space_file import read_space

SPACE = """system: lit/p.py
metric: Score
mode: max
constants:
  LR: {uniform: [0.0, 1.0]}
"""


@pytest.fixture
def read(tmp_path):
    def space(text, name="s.yaml"):
        (tmp_path / name).write_text(text)
        return read_space(tmp_path / name, program_is_here=False)

    return space


@pytest.fixture
def before(read):
    """A search as it was run: its program where it lay then, and settings of the command line."""
    space = read(
        SPACE + "trials: 50\nsampler: tpe\nsampler_args: {n_startup_trials: 3}\ntrainer: {max_epochs: 2}\nseed: 3\n"
    )
    return replace(space, program=Path("/elsewhere/project/lit/p.py"))


def test_what_the_file_does_not_name_stays(before, read):
    space = edited_space(read(SPACE.replace("1.0]", "2.0]"), "e.yaml"), before)

    assert space.settings == before.settings
    assert space.program == before.program
    assert space.dimensions != before.dimensions


def test_what_the_file_names_is_the_files_and_arguments_of_another_sampler_do_not_stay(before, read):
    text = SPACE + "trials: 60\nsampler: random\ntrainer: {max_epochs: 4}\ntime_budget: 30m\nscheduler: none\n"
    space = edited_space(read(text, "e.yaml"), before)

    assert describe_changes(before.settings, space.settings) == [
        "trials 50 -> 60",
        "time_budget None -> 1800.0",
        "sampler tpe -> random",
        "sampler_args.n_startup_trials 3 -> unset",
        "scheduler asha -> none",
        "trainer.max_epochs 2 -> 4",
    ]


@pytest.mark.parametrize("written", ["lit/p.py", "lit.p", "../lit/p.py", "p.py", "/elsewhere/project/lit/p.py"])
def test_the_program_is_told_by_the_end_of_its_path(written, before, read):
    assert edited_space(read(SPACE.replace("lit/p.py", written), "e.yaml"), before).program == before.program


ANEW = "Its trials could not be compared; start a new search, or change it back."
REFUSED = [
    (("lit/p.py", "lit/q.py"), "1: system: the search ran /elsewhere/project/lit/p.py, got lit/q.py", None),
    (("lit/p.py", "lit/p.py:Net"), "1: system: the search ran the class None, got Net", ANEW),
    (("system:", "script:"), "1: script: the search ran /elsewhere/project/lit/p.py, got lit/p.py", None),
    (("Score", "Loss"), "2: metric: the search was judged by Score, got Loss", ANEW),
    (("max", "min"), "3: mode: the search was judged by max, got min", ANEW),
    (
        ("metric: Score\nmode: max", "metric: [Score, n]\nmode: [max, min]"),
        "2: metric: the search was judged by Score, got Score and n",
        ANEW,
    ),
    (("constants:", "seed: 4\nconstants:"), "4: seed: the trials had 3, got 4", ANEW),
    (("constants:", "holdout: 0.2\nconstants:"), "4: holdout: the trials had None, got 0.2", ANEW),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "message", "hint"), REFUSED)
def test_another_program_metric_mode_or_seed_is_refused(edit, message, hint, before, read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpaceError) as refused:
        edited_space(read(SPACE.replace(*edit), "e.yaml"), before)

    assert str(refused.value) == f"e.yaml:{message}\n  {hint or 'Start a new search for another program.'}"
