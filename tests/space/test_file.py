"""A space file is read as it is meant, or refused with its line and what to do."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tune.errors import SpaceError, UserError
from tune.space.dimensions import KINDS, Choice, FloatRange, IntRange
from tune.space.settings import Settings
from tune.space.space import Objective, Script, System
from tune.space.space_file import KEYS, find_space, read_space, write_space

HEAD = "system: lit/digits.py\nmetric: Accuracy/Val\nmode: max\nconstants:\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a program and an empty folder of space files; the working directory is its root."""
    (tmp_path / "lit").mkdir()
    (tmp_path / "lit" / "digits.py").write_text("LR = 1e-3\n")
    (tmp_path / "search_spaces").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text, name="s.yaml"):
    path = Path("search_spaces", name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


DIMENSIONS = [
    ("{uniform: [0, 1]}", FloatRange(low=0.0, high=1.0)),
    ("{uniform: [-.5, 1_000]}", FloatRange(low=-0.5, high=1000.0)),
    ("{quniform: [0.0, 0.3, 0.1]}", FloatRange(low=0.0, high=0.3, step=0.1)),
    ("{loguniform: [1e-4, 1E-1]}", FloatRange(low=1e-4, high=0.1, log=True)),
    ("{randint: [1, 64.0]}", IntRange(low=1, high=64)),
    ("{randint: [-3, 1e2]}", IntRange(low=-3, high=100)),
    ("{qrandint: [32, 256, 32]}", IntRange(low=32, high=256, step=32)),
    ("{lograndint: [16, 512]}", IntRange(low=16, high=512, log=True)),
    ("{choice: [1, true, no, 'x', null, [1, 2]]}", Choice(options=(1, True, "no", "x", None, [1, 2]))),
    ("\n    choice:\n      - 16\n      - 0x20", Choice(options=(16, 32))),
]


@pytest.mark.parametrize(("written", "dimension"), DIMENSIONS)
def test_a_range_is_read_as_its_kind(project, written, dimension):
    read = read_space(write(f"{HEAD}  X: {written}\n")).dimensions["X"]

    assert read == dimension
    assert repr(read) == repr(dimension)  # 1 and 1.0 and True are equal, and different


AMISS = [
    ("X: {loguniform: [1e-1, 1e-4]}", "X: low must be below high, got low=0.1 high=0.0001", "Swap them."),
    (
        "X: {uniform: [1, 1]}",
        "X: low must be below high, got low=1.0 high=1.0",
        "A single value is no range: take it out of the space and write it in the program.",
    ),
    (
        "X: {loguniform: [0, 1]}",
        "X: low of loguniform must be above 0, got low=0.0",
        "Write a low above 0, or `uniform`.",
    ),
    (
        "X: {lograndint: [0, 9]}",
        "X: low of lograndint must be at least 1, got low=0",
        "Write a low at least 1, or `randint`.",
    ),
    ("X: {uniform: [0, .inf]}", "X: high must be finite, got high=inf", "Write a number that a trial could try."),
    ("X: {uniform: [0, .nan]}", "X: high must be finite, got high=nan", "Write a number that a trial could try."),
    ("X: {uniform: [0, '1']}", "X: high of uniform must be a number, got high='1'", "Take the quotes off: 1."),
    ("X: {uniform: [0, one]}", "X: high of uniform must be a number, got high='one'", "Write `uniform: [0.0, 0.5]`."),
    ("X: {uniform: [0, true]}", "X: high of uniform must be a number, got high=True", "Write `uniform: [0.0, 0.5]`."),
    ("X: {uniform: [0]}", "X: uniform takes 2 numbers, low, high, got [0]", "Write `uniform: [0.0, 0.5]`."),
    (
        "X: {qrandint: [0, 9]}",
        "X: qrandint takes 3 numbers, low, high, q, got [0, 9]",
        "Write `qrandint: [32, 256, 32]`.",
    ),
    ("X: {uniform: 3}", "X: uniform takes a list, got 3", "Write `uniform: [0.0, 0.5]`."),
    (
        "X: {randint: [1, 2.5]}",
        "X: high of randint must be a whole number, got high=2.5",
        "Write a whole number, or `uniform` for a float.",
    ),
    (
        "X: {randint: [1, 1e30]}",
        "X: high must be at most 2**53 in size, got high=1e+30",
        "Write a smaller one.",
    ),
    ("X: {quniform: [0, 1, 0]}", "X: q must be above 0, got q=0.0", "Write the distance between two values."),
    (
        "X: {quniform: [0, 0.99, 0.1]}",
        "X: high must be low and a multiple of q, got low=0.0 high=0.99 q=0.1",
        "Write high=1.0.",
    ),
    ("X: {qrandint: [1, 64, 8]}", "X: high must be low and a multiple of q, got low=1 high=64 q=8", "Write high=65."),
    ("X: {choice: []}", "X: choice needs at least one option, got []", "Write `choice: [16, 32, 64]`."),
    ("X: {choice: [1, 1.0]}", "X: choice holds the same option twice, got 1.0", "Keep one of the two."),
    ("X: {choice: [.nan]}", "X: an option cannot be nan", "Take it out."),
    ("X: {logunifrom: [1, 2]}", "X: no such kind of range, got 'logunifrom'", "Did you mean 'loguniform'?"),
    (
        "X: {zzz: [1, 2]}",
        "X: no such kind of range, got 'zzz'",
        "Kinds: choice, lograndint, loguniform, qrandint, quniform, randint, uniform.",
    ),
    (
        "X: {uniform: [0, 1], choice: [1]}",
        "X: one kind of range at a time, got uniform and choice",
        "Keep one of them.",
    ),
    (
        "X: [1, 2]",
        "X: no range, got [1, 2]",
        "Write a kind and its arguments, such as `X: {loguniform: [1e-4, 1e-1]}`.",
    ),
    (
        "X: {when: {A: 1}}",
        "X: no range, got `when` alone",
        "Write a kind and its arguments, such as `X: {loguniform: [1e-4, 1e-1]}`.",
    ),
    ("Y: {uniform: [0, 1]}\n  Y: {uniform: [0, 1]}", "'Y' stands twice, first in line 5", "Keep one of the two."),
]


@pytest.mark.parametrize(("entry", "what", "hint"), AMISS)
def test_a_range_that_cannot_be_drawn_from_is_refused(project, entry, what, hint):
    path = write(f"{HEAD}  {entry}\n")

    with pytest.raises(SpaceError) as error:
        read_space(path)

    line = 6 if "twice, first in line" in what else 5
    assert str(error.value) == f"search_spaces/s.yaml:{line}: {what}\n  {hint}"


BODY = HEAD + "  LR: {uniform: [0, 1]}\n"
BROKEN = [
    ("", "search_spaces/s.yaml:1: the file is empty\n  Start with `system:`, `metric:`, `mode:`, `constants:`."),
    (
        "# only a comment\n",
        "search_spaces/s.yaml:1: the file is empty\n  Start with `system:`, `metric:`, `mode:`, `constants:`.",
    ),
    (
        "\n- LR\n",
        "search_spaces/s.yaml:2: a space file holds `key: value` lines, got a list\n  Start with `system:`.",
    ),
    (
        "hello",
        "search_spaces/s.yaml:1: a space file holds `key: value` lines, got 'hello'\n  Start with `system:`.",
    ),
    (
        "mode: max\nconstants:\n\tLR: 1\n",
        (
            "search_spaces/s.yaml:3: this is not YAML: found character '\\t' that cannot start any token\n"
            "  Indent with spaces; YAML takes no tabs."
        ),
    ),
    (
        "mode: [max\n",
        (
            "search_spaces/s.yaml:2: this is not YAML: expected ',' or ']', but got '<stream end>'\n"
            "  Mend the line, or the one before it."
        ),
    ),
    (
        b"mode: max\nmetric: \xff\n",
        "search_spaces/s.yaml:2: this is not UTF-8, got the byte 0xff\n  Save the file as UTF-8.",
    ),
    (
        b"mode: max\nmetric: \x07\n",
        "search_spaces/s.yaml:2: this is not YAML: the character '\\x07' is not allowed\n  Delete it.",
    ),
    (
        'mode: max\nmetric: "\\ud83d"\n',
        "search_spaces/s.yaml:2: half of a character, got '\\ud83d'\n  Write the character itself.",
    ),
    (
        'mode: max\n"\\udca9\\ud83d": 1\n',
        "search_spaces/s.yaml:2: half of a character, got '\\udca9\\ud83d'\n  Write the character itself.",
    ),
    ("mode: &m max\n", "search_spaces/s.yaml:1: anchors are not supported, got '&m'\n  Write the value out."),
    ("mode: !max 1\n", "search_spaces/s.yaml:1: tags are not supported, got '!max'\n  Write a plain value."),
    ("!max mode: 1\n", "search_spaces/s.yaml:1: tags are not supported, got '!max'\n  Write the key alone."),
    ("&m mode: 1\n", "search_spaces/s.yaml:1: anchors are not supported, got '&m'\n  Write the key alone."),
    ("? [a]\n: 1\n", "search_spaces/s.yaml:1: a key is a word, got a list\n  Write `key: value`."),
    ("mode: min\nmode: max\n", "search_spaces/s.yaml:2: 'mode' stands twice, first in line 1\n  Keep one of the two."),
    (BODY + "trails: 3\n", "search_spaces/s.yaml:6: 'trails' is not a key of a space file\n  Did you mean 'trials'?"),
    (
        BODY + "require:\n  - LR > 0\n  - 3\n",
        (
            "search_spaces/s.yaml:8: require: an expression is a string, got 3\n"
            '  Write `require: ["D_MODEL % N_HEADS == 0"]`.'
        ),
    ),
    (
        "metric: a\nmode: max\nconstants: {}\n",
        "search_spaces/s.yaml: 'system' (or 'script') is missing\n  Write a line such as `system: lit/digits.py`.",
    ),
    (
        BODY.replace("mode: max\n", ""),
        "search_spaces/s.yaml: 'mode' is missing\n  Write a line such as `mode: max`.",
    ),
    (
        BODY.replace("max", "maximum"),
        "search_spaces/s.yaml:3: mode: must be min or max, got 'maximum'\n  Write `max` where more is better.",
    ),
    (
        BODY.replace("Accuracy/Val", "[a, b]"),
        (
            "search_spaces/s.yaml:3: mode: 2 metrics need a list of as many modes, got 'max'\n"
            "  Write `mode: [max, min]`, in the order of the metrics."
        ),
    ),
    (
        BODY.replace("Accuracy/Val", "[a, a]").replace("max", "[max, min]"),
        "search_spaces/s.yaml:2: metric: one of them stands twice, got ['a', 'a']\n  Keep one.",
    ),
    (
        BODY.replace("Accuracy/Val", "[a, 3]"),
        (
            "search_spaces/s.yaml:2: metric: must be a list of names, got ['a', 3]\n"
            "  Write `metric: [Accuracy/Val, n_params]`."
        ),
    ),
    (
        BODY.replace("Accuracy/Val", "[a, b]").replace("max", "[max, more]"),
        "search_spaces/s.yaml:3: mode: must be min or max, got 'more'\n  Write `max` where more is better.",
    ),
    (
        BODY.replace("max", "[max]"),
        "search_spaces/s.yaml:3: mode: must be min or max, got ['max']\n  Write `max` where more is better.",
    ),
    (
        BODY.replace("Accuracy/Val", "[a, b]").replace("max", "[max, min]") + "sampler: cmaes\n",
        "search_spaces/s.yaml:6: sampler: cmaes follows one metric, got 2\n  Take tpe, gp, qmc, random or grid.",
    ),
    (
        BODY.replace("Accuracy/Val", "[a, b]").replace("max", "[max, min]") + "scheduler_args: {metric: b}\n",
        (
            "search_spaces/s.yaml:6: scheduler_args of asha: trials are compared by the first metric, a, "
            "got metric='b'\n  Put it first under `metric`."
        ),
    ),
    (
        BODY.replace("Accuracy/Val", "3"),
        "search_spaces/s.yaml:2: metric: must be a name, got 3\n  Write `metric: Accuracy/Val`.",
    ),
    (
        HEAD,
        (
            "search_spaces/s.yaml:4: constants: at least one constant must vary, got None\n"
            "  Write `constants: {LR: {loguniform: [1e-4, 1e-1]}}`."
        ),
    ),
    (
        BODY + "script: lit/digits.py\n",
        "search_spaces/s.yaml:6: either a system or a script, got both (the other in line 1)\n  Keep one of them.",
    ),
    (
        BODY + "args: [a]\n",
        "search_spaces/s.yaml:6: args: only a script takes arguments, got ['a']\n  Take them out, or write `script:`.",
    ),
    (
        BODY.replace("system", "script") + "args: [--lr, 3]\n",
        (
            "search_spaces/s.yaml:6: args: must be a list of strings, got ['--lr', 3]\n"
            "  Write `args: [--epochs, '5']`: quote what is a number."
        ),
    ),
    (
        BODY.replace("system", "script").replace("digits.py", "digits.py:Net"),
        (
            "search_spaces/s.yaml:1: script: a script is run whole, got the class 'Net'\n"
            "  Write the path alone, or `system:` for a class."
        ),
    ),
    (
        BODY + "trials: 0\n",
        "search_spaces/s.yaml:6: trials: must be a whole number, 1 or more, got 0\n  Write `trials: 20`.",
    ),
    (
        BODY + "time_budget: soon\n",
        "search_spaces/s.yaml:6: time_budget: must be a time above 0, got 'soon'\n  Write `30m`, `1h30m` or seconds.",
    ),
    (BODY + "sampler: TPE\n", "search_spaces/s.yaml:6: sampler: no such sampler, got 'TPE'\n  Did you mean 'tpe'?"),
    (
        BODY + "sampler: grid\n",
        (
            "search_spaces/s.yaml:6: sampler: a grid has no points on a continuous range, got LR: uniform 0 to 1\n"
            "  Write LR as a choice, an int range or `quniform: [low, high, q]`, or take another sampler."
        ),
    ),
    (
        BODY + "scheduler: ahsa\n",
        "search_spaces/s.yaml:6: scheduler: no such scheduler, got 'ahsa'\n  Did you mean 'asha'?",
    ),
    (
        BODY + "scheduler: pbt\nscheduler_args: {quantile_fraction: 0.6}\n",
        (
            "search_spaces/s.yaml:7: scheduler_args of pbt: quantile_fraction must be at most 0.5, got 0.6\n"
            "  Write a smaller number."
        ),
    ),
    (
        BODY + "gpus_per_trial: 1.5\n",
        "search_spaces/s.yaml:6: gpus_per_trial: above 1 only whole GPUs can be given out, got 1.5\n  Write 1 or 2.",
    ),
    (
        BODY + "cpus_per_trial: 0\n",
        "search_spaces/s.yaml:6: cpus_per_trial: must be a number above 0, got 0\n  Write `cpus_per_trial: 1`.",
    ),
    (
        BODY + "workers_per_trial: 0\n",
        (
            "search_spaces/s.yaml:6: workers_per_trial: must be a whole number, 1 or more, got 0\n"
            "  Write `workers_per_trial: 2`."
        ),
    ),
    (
        BODY + "holdout: 1\n",
        "search_spaces/s.yaml:6: holdout: must be a share above 0 and below 1, got 1\n  Write `holdout: 0.2`.",
    ),
    (
        BODY + "repeats: 3\n",
        "search_spaces/s.yaml:6: repeats: must be true or false, got 3\n  Write `repeats: true`.",
    ),
    (
        BODY + "seed: -1\n",
        "search_spaces/s.yaml:6: seed: must be a whole number, 0 to 4294967295, got -1\n  Write `seed: 0`.",
    ),
    (
        BODY + "trainer:\n  max_epochs: 1\n  max_epoch: 1\n",
        "search_spaces/s.yaml:8: trainer: no such argument, got 'max_epoch'\n  Did you mean 'max_epochs'?",
    ),
    (
        BODY + "trainer: {logger: false}\n",
        (
            "search_spaces/s.yaml:6: trainer: 'logger' is set by the search\n"
            "  Take it out: every trial logs into its own version."
        ),
    ),
    (
        BODY + "trainer: {max_epochs: '10'}\n",
        "search_spaces/s.yaml:6: trainer: max_epochs takes int, got '10'\n  Write a value of type int.",
    ),
    (
        BODY + "trainer: 3\n",
        "search_spaces/s.yaml:6: trainer: must be a mapping, got 3\n  Write `trainer: {max_epochs: 10}`.",
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_file_that_says_something_else_is_refused(project, text, message):
    path = write(text)

    with pytest.raises(SpaceError) as error:
        read_space(path)

    assert str(error.value) == message


def test_several_metrics_are_read_and_written_with_their_modes(project):
    text = BODY.replace("Accuracy/Val", "[Accuracy/Val, CE/Val]").replace("max", "[max, min]")
    space = read_space(write(text))
    named = read_space(write(text + "scheduler_args: {metric: Accuracy/Val}\n"))

    assert (space.metric, space.mode) == ("Accuracy/Val", "max")
    assert space.objectives == (
        Objective(metric="Accuracy/Val", mode="max"),
        Objective(metric="CE/Val", mode="min"),
    )
    assert (space.stops_early, named.stops_early) == (False, True)
    write_space(named, project / "again.yaml")
    assert read_space(project / "again.yaml").objectives == space.objectives


def test_an_emoji_that_json_wrote_as_two_halves_is_read_whole(project):
    path = write(BODY.replace("Accuracy/Val", '"\\ud83d\\udca9"'))

    assert read_space(path).metric == "\U0001f4a9"


def test_every_key_of_a_space_file_is_read(project):
    path = write(
        "script: lit/digits.py\nargs: [--fast, '3']\nmetric: CE/Val\nmode: min\n"
        "constants: {N: {randint: [1, 3]}}\ntrials: 5\ntime_budget: 1h30m\nsampler: tpe\n"
        "sampler_args: {n_ei_candidates: 1}\n"
        "scheduler: asha\nscheduler_args: {grace_period: 2}\ntrainer: {max_epochs: 10, precision: 16-mixed}\n"
        "cpus_per_trial: 2\n"
        "gpus_per_trial: 0.5\nworkers_per_trial: 3\nconcurrency: 2\nrepeats: true\nholdout: 0.2\nseed: 7\n"
    )

    space = read_space(path)

    assert space.name == "s"
    assert space.program == project / "lit" / "digits.py"
    assert space.shape == Script(args=("--fast", "3"))
    assert (space.metric, space.mode) == ("CE/Val", "min")
    assert space.settings == Settings(
        trials=5,
        time_budget_s=5400.0,
        sampler="tpe",
        sampler_args={"n_ei_candidates": 1},
        scheduler="asha",
        scheduler_args={"grace_period": 2},
        trainer={"max_epochs": 10, "precision": "16-mixed"},
        cpus_per_trial=2,
        gpus_per_trial=0.5,
        workers_per_trial=3,
        concurrency=2,
        repeats=True,
        holdout=0.2,
        seed=7,
    )
    assert space.place_of_entry("constants.N") == "search_spaces/s.yaml:5"
    assert space.place_of_entry("nowhere") == "search_spaces/s.yaml"


@pytest.mark.parametrize(
    ("written", "class_name"),
    [("lit/digits.py", None), ("lit.digits", None), ("lit/digits.py:Net", "Net"), ("lit.digits:Net", "Net")],
)
def test_a_program_is_found_by_path_or_module_from_any_folder(
    project, monkeypatch, tmp_path_factory, written, class_name
):
    path = write(BODY.replace("lit/digits.py", written)).absolute()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    space = read_space(path)

    assert (space.program, space.shape) == (project / "lit" / "digits.py", System(class_name=class_name))


def test_a_program_that_is_not_there_is_told_with_what_was_tried(project):
    path = write(BODY.replace("lit/digits.py", "lit/digit.py"))

    with pytest.raises(SpaceError) as error:
        read_space(path)

    first = "search_spaces/s.yaml:1: system: no such program, got 'lit/digit.py'; tried "
    assert str(error.value).startswith(f"{first}search_spaces/lit/digit.py, lit/digit.py, ")
    assert error.value.what.endswith(", and folders above")
    assert error.value.what.count(", ") == 5
    assert error.value.hint == "Write its path, such as `lit/digits.py`."


def test_a_space_file_that_cannot_be_opened_is_told(project):
    with pytest.raises(SpaceError) as folder:
        read_space(Path("search_spaces"))
    with pytest.raises(SpaceError) as nothing:
        read_space(Path("none.yaml"))

    assert str(folder.value) == "search_spaces: this is a folder\n  Give the path of a space file in it."
    assert (
        str(nothing.value) == "none.yaml: cannot be read: No such file or directory\n  Give the path of a space file."
    )


@pytest.mark.parametrize("name", ["s", "s.yaml", "search_spaces/s.yaml", "search_spaces/s"])
def test_find_space_looks_at_the_path_then_in_the_folders_upward(project, monkeypatch, name):
    path = write(BODY).absolute()
    assert find_space(name) == path

    (project / "lit" / "deep").mkdir()
    monkeypatch.chdir(project / "lit" / "deep")
    if "/" not in name:
        assert find_space(name) == path


def test_find_space_without_a_file_says_what_was_tried_and_what_is_near(project):
    write(BODY, "lr_bs.yaml")

    with pytest.raises(SpaceError) as error:
        find_space("lr_sb.yaml", folders=[project])

    assert str(error.value) == (
        "no space file, got 'lr_sb.yaml'; tried lr_sb.yaml, search_spaces/lr_sb.yaml\n  Did you mean 'lr_bs.yaml'?"
    )


def test_an_experiments_space_is_read_when_its_program_is_gone(project):
    space = read_space(write(BODY))
    write_space(space, project / "space.yaml")
    (project / "lit" / "digits.py").unlink()

    assert read_space(project / "space.yaml", program_is_here=False).program == space.program
    with pytest.raises(SpaceError):
        read_space(project / "space.yaml")


def test_reading_a_space_costs_little(project):
    path = write(BODY + "trainer: {max_epochs: 1}\n")
    read_space(path)

    start = time.perf_counter()
    read_space(path)

    assert time.perf_counter() - start < 0.1


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
options = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), words)
unique_options = st.lists(options, min_size=1, max_size=5, unique_by=repr).filter(
    lambda those: len({(x, isinstance(x, bool)) for x in those}) == len(those)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(constants=st.dictionaries(words.filter(bool), unique_options, min_size=1, max_size=4), low=st.floats(1e-9, 1))
def test_a_written_space_reads_back_as_it_was(project, constants, low):
    space = read_space(write(BODY))
    dimensions = {key: Choice(options=tuple(each)) for key, each in constants.items()}
    space = replace(space, dimensions={**dimensions, "LR": FloatRange(low=low, high=2.0, log=True)})

    write_space(space, project / "space.yaml")

    read = read_space(project / "space.yaml")
    assert replace(read, path=space.path, lines=space.lines) == space


def assert_read_or_refused(content):
    path = write(content)
    refused = None
    try:
        read_space(path)
    except UserError as error:
        refused = error
    if refused is not None:
        assert str(refused).startswith("search_spaces/s.yaml")
        assert refused.hint


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=80), st.text("ab:-[]{}?!&*%|>'\"#\n\t 0x._,~<", max_size=60).map(str.encode))
)
def test_any_bytes_are_read_or_refused(project, content):
    assert_read_or_refused(content)


values = st.recursive(
    st.one_of(options, st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(words | st.sampled_from(sorted(KINDS)), inner, max_size=2)
    ),
    max_leaves=6,
)
entry = st.one_of(
    values, st.dictionaries(st.sampled_from(sorted(KINDS)), st.lists(values, max_size=3), min_size=1, max_size=1)
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extra=st.dictionaries(st.sampled_from(sorted(KEYS)), values, max_size=3),
    constants=st.dictionaries(words, entry, min_size=1, max_size=2),
)
def test_any_values_are_read_or_refused(project, extra, constants):
    document = {"system": "lit/digits.py", "metric": "m", "mode": "max", "constants": constants, **extra}
    yaml = YAML(typ="safe", pure=True)
    yaml.representer.ignore_aliases = lambda *_: True
    with Path("search_spaces/s.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(document, file)
    assert_read_or_refused(Path("search_spaces/s.yaml").read_bytes())


@pytest.mark.parametrize(
    "text", ["a: !!int foo\n", "%YAML 9.x\n---\na: 1\n", "[" * 1200, "a: " + "9" * 6000, "%TAG ! !\n", "a: !<> 1"]
)
def test_what_makes_a_loader_slip_is_refused(project, text):
    assert_read_or_refused(text.encode())


def test_reading_imports_nothing_heavy():
    code = "import sys, tune.space.space_file, tune.promotion.checks.space_checks, tune.promotion.resolve\n"
    code += "print([module for module in sys.argv[1:] if module in sys.modules])"
    heavy = ["torch", "ray", "lightning", "pytorch_lightning", "optuna", "pandas", "numpy"]
    out = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True, env=os.environ
    )

    assert out.stdout == "[]\n"


def test_a_space_file_that_is_none_is_refused_before_it_is_read_whole(project):
    with pytest.raises(SpaceError) as raised:
        read_space(write(HEAD + "  LR: {choice: [" + "0.1, " * 30_000 + "0.2]}\n"))
    assert str(raised.value) == (
        "search_spaces/s.yaml: a space file has 100 kB at most, got more\n"
        "  Give another file, or write a long choice as a range."
    )


def test_a_file_that_is_not_there_is_told_with_the_places_nearby(tmp_path, monkeypatch):
    deep = tmp_path.joinpath(*"abcdefgh")
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)

    with pytest.raises(SpaceError) as caught:
        find_space("s")

    assert caught.value.what == (
        "no space file, got 's'; tried s, s.yaml, s.yml, search_spaces/s, search_spaces/s.yaml, search_spaces/s.yml, "
        "and search_spaces/ of the folders above"
    )
