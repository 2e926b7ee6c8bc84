"""Files that are not ours: exit status 2 and a clear error; nothing of them runs, nothing is written elsewhere."""

import copy
import json
import os
import shutil
import unicodedata

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from tests.experiments import SPACE, Trial, write_experiment
from tune import load
from tune.cli import main
from tune.cli.parser import COMMANDS
from tune.errors import ExperimentError, PromotuneError
from tune.experiment.records import Failure
from tune.paths import ExperimentPaths

TRIALS = [
    Trial(curve=[0.5, 0.6]),
    Trial(curve=[0.4, 0.9], values={"LR": 0.02}),
    Trial(curve=[0.2], values={"DROPOUT": 0.3}, state="PRUNED"),
]
READERS = [["results"], ["results", "--json"], ["apply"], ["report"], ["resume", "--trials", "1"]]
TEXT = st.text(st.characters(), max_size=8)  # lone surrogates, too: JSON has them, and no output takes them
NO_FLOAT = 10**400
"""An int that JSON has and no float can be."""
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["../../etc", "\ud800", NO_FLOAT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
CANARY = "import pathlib\npathlib.Path({file!r}).write_text('run')\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    write_experiment(folder, TRIALS, SPACE.replace("trials: 20", "trials: 3"))
    return folder


@pytest.fixture
def experiment(original, tmp_path, monkeypatch):
    """A copy of the experiment, whose program would leave a trace if anybody ran it."""
    shutil.copytree(original, tmp_path / "a")
    program = tmp_path / "a" / "storage" / "exp" / "source" / "program.py"
    program.write_text(program.read_text() + CANARY.format(file=str(tmp_path / "canary")))
    monkeypatch.chdir(tmp_path / "a" / "project")
    return ExperimentPaths(tmp_path / "a" / "storage" / "exp")


def outside(paths):
    """Return all files that are not the experiment's, with their times."""
    top = paths.folder.parents[2]
    return {
        str(file): file.stat().st_mtime_ns
        for file in top.rglob("*")
        if file.is_file() and not file.is_relative_to(paths.folder)
    }


def read(paths, words, capfd):
    """Run a command; return its exit status and its error, once it was seen to have touched nothing else."""
    before = outside(paths)
    status = main([words[0], "exp", *words[1:], "--storage", str(paths.folder.parent)])
    told = capfd.readouterr().err
    assert outside(paths) == before
    assert "Traceback" not in told
    assert status in (0, 2), told
    assert status == 0 or len(told.rstrip("\n").splitlines()) >= 2, told
    return status, told


def places(value, path=()):
    """Yield the path to every part of a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


def put(value, path, junk):
    if not path:
        return junk
    changed = copy.copy(value)
    changed[path[0]] = put(value[path[0]], path[1:], junk)
    return changed


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_ledger_that_is_not_ours_is_refused_or_read_as_data(experiment, capfd, original, data):
    records = [json.loads(line) for line in (original / "storage/exp/study.journal").read_text().splitlines()]
    number = data.draw(st.integers(0, len(records) - 1))
    path = data.draw(st.sampled_from(list(places(records[number]))))
    records[number] = put(records[number], path, data.draw(JUNK))
    experiment.journal.write_text("".join(json.dumps(each) + "\n" for each in records))
    for left in experiment.folder.glob("study.journal.lock*"):
        left.unlink()
    read(experiment, data.draw(st.sampled_from(READERS)), capfd)


FILES = [
    "space.yaml",
    "study.journal",
    "source/snapshot.json",
    "applied.json",
    "000,baseline/trial.json",
    "source/program.py",
    "surroundings.json",
    "retrain/000,baseline/retrain.json",
    ".lock.holder",
]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_file_that_is_garbage_is_refused_or_left_aside(experiment, original, capfd, data):
    name = data.draw(st.sampled_from(FILES))
    file = experiment.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    held = (
        (original / "storage" / "exp" / name).read_bytes() if (original / "storage" / "exp" / name).exists() else b"{}"
    )
    at = data.draw(st.integers(0, len(held) - 1))
    flipped = held[:at] + bytes([held[at] ^ 1 << data.draw(st.integers(0, 7))]) + held[at + 1 :]
    tail = data.draw(st.binary(max_size=30) | st.just(b"!!python/object/apply:os.system [id]"))
    file.write_bytes(data.draw(st.sampled_from([held[:at], held[:at] + tail, flipped])))
    try:
        may_train = name == "study.journal"  # a ledger that is cut off has trials left, and `resume` trains them
        read(experiment, data.draw(st.sampled_from(READERS[:-1] if may_train else READERS)), capfd)
    finally:
        shutil.rmtree(experiment.folder)
        shutil.copytree(original / "storage" / "exp", experiment.folder)


@pytest.mark.parametrize("version", ["../../other", "/etc", "..", "", "a/b", 7])
@pytest.mark.parametrize("words", [*READERS, ["retrain"]], ids=" ".join)
def test_a_version_that_leads_out_of_the_experiment_is_refused(experiment, capfd, version, words):
    text = experiment.journal.read_text()
    changed = text.replace('"version":"000,baseline"', f'"version":{json.dumps(version)}')
    assert changed != text
    experiment.journal.write_text(changed)

    assert read(experiment, words, capfd) == (
        2,
        (
            f"{experiment.journal}: trial 0: a version is the name of a folder in the experiment, got {version!r}\n"
            "  If Promotune wrote this file, take it from a backup.\n"
        ),
    )


def test_a_version_that_is_a_link_out_of_the_experiment_is_refused(experiment, capfd, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (experiment.folder / "000,baseline").symlink_to(tmp_path / "elsewhere")

    assert read(experiment, ["results"], capfd) == (
        2,
        (
            f"{experiment.journal}: trial 0: its version '000,baseline' is a link that leads out of the experiment\n"
            "  If Promotune wrote this file, take it from a backup.\n"
        ),
    )


@pytest.mark.parametrize("program", ["../project/program.py", "/etc/passwd"])
def test_a_snapshot_whose_program_lies_outside_is_refused(experiment, capfd, program):
    manifest = experiment.source / "snapshot.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "program": program}))

    assert read(experiment, ["apply"], capfd) == (
        2,
        (
            f"{experiment.source}: no snapshot of a program: its program lies outside of it, got {program!r}\n"
            "  Take what is missing from a backup, or search again.\n"
        ),
    )


DEEP = "[" * 100_000
"""Nested deeper than Python reads."""
ATTRIBUTES = {
    "mutations": [5, "x", None, [5], [{"epoch": 1}], [{"epoch": 1, "donor": "../../x", "constants": {}}]],
    "attempt": ["x", NO_FLOAT, True],
    "deaths": [[1]],
    "last_epoch": [{}],
    "reason": [5],
    "repeat_of": ["0"],
    "device_faults": ["x", 5, [5], [["vm:1"]]],
    "outgrown_shares": ["x", 5, [None], ["0.5"]],
    "others in epoch 1": [5, ["x"], [NO_FLOAT]],
    "version": ["\ud800", "x" * 5000, "a\nb", "\x1b[31m", NO_FLOAT],
    "constants": [[1], "LR", {"LR": NO_FLOAT}, {"\ud800": 1}],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, each in ATTRIBUTES.items() for value in each])
def test_an_attribute_that_no_search_of_ours_wrote_is_refused(experiment, capfd, name, value):
    records = [json.loads(line) for line in experiment.journal.read_text().splitlines()]
    for record in records:
        if isinstance(record.get("user_attrs"), dict):
            record["user_attrs"][name] = value
    experiment.journal.write_text("".join(json.dumps(each) + "\n" for each in records))

    status, told = read(experiment, ["results"], capfd)

    assert status == 2
    assert told.startswith(f"{experiment.journal}: trial 0: ")
    assert told.endswith("\n  If Promotune wrote this file, take it from a backup.\n")
    assert len(told) < 500


def test_a_programs_own_words_need_be_no_unicode(experiment, capfd):
    text = experiment.journal.read_text()
    experiment.journal.write_text(text.replace('"seed":0', '"seed":0,"reason":"Odd: \\udc80"'))
    assert experiment.journal.read_text() != text
    for words in READERS[:-1]:
        assert read(experiment, words, capfd)[0] == 0


@pytest.mark.parametrize("control", ["\x1b[31m", "\x1b]0;owned\x07", "\x9b31m", "\r", "\u202e"])
@pytest.mark.parametrize("words", [["results", "exp"], ["list"], ["compare", "exp", "exp"], ["apply", "exp"], ["load"]])
def test_no_control_character_of_an_experiment_reaches_the_terminal(experiment, capfd, words, control):
    space = experiment.space.read_text().replace("Score/Val", json.dumps(f"Score{control}/Val")[1:-1])
    experiment.space.write_text(space.replace("metric: ", 'metric: "', 1).replace("/Val", '/Val"', 1))
    other = experiment.folder.with_name(f"other{control.replace('/', '')}")
    shutil.copytree(experiment.folder, other)
    main([*words, "--storage", str(experiment.folder.parent)])
    told = "".join(capfd.readouterr())

    assert control.strip() not in told or control == "\r"
    assert not [each for each in told if each not in "\n\t" and (ord(each) < 32 or 127 <= ord(each) < 160)]


CONTROLS = ["\x1b[31m", "\x1b]0;owned\x07", "\x9b31m", "\r", "\x00", "\x7f", "\n", "\t"]
MARKS = ["\u202e", "\u2066", "\u200e", "\u061c", "\u2028", "\u2029", "\u200b", "\ufeff", "\U000e0041", "\u200d"]
MARKUP = ["[/red]", "[bold]", "IoU[car]", "[link=http://e]x[/link]", ":smile:", "<script>", "%s", "{}"]
ORDINARY = ["漢字", "é", "\U0001f4a9", "'", '"', "\\", "../..", "$(id)", "-rf", ",", "#"]
PARTS = st.sampled_from([*CONTROLS, *MARKS, *MARKUP, *ORDINARY])


def words(parts):
    return st.lists(st.tuples(parts, st.sampled_from([1, 1, 1, 1500])), min_size=1, max_size=3)


WORDS = words(PARTS | st.text(max_size=4))
"""Texts of all kinds that a stranger may have put anywhere: parts, and how often each is repeated."""
UNSHRUNK = [each for each in Phase if each is not Phase.shrink]
"""A text that does harm is short enough as it is; to look for the shortest one takes minutes."""
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
PEOPLES = [["results", "exp"], ["results", "exp", "exp"], ["list"], ["apply", "exp"], ["compare", "exp", "exp"]]
MACHINES = [["results", "exp", "--json"], ["results", "exp", "--csv"], ["report", "exp", "-o", "r.html"]]


def write_odd_experiment(folder, metric, constant, choice, reason):
    """Write an experiment whose every name and text are somebody else's; raise SpaceError where one cannot be."""
    program = f"LR = 0.01\nCFG = {{{constant!a}: 0.1}}\nNAME = {choice!a}\n"
    key = f"CFG[{constant!r}]"
    constants = {
        "LR": {"loguniform": [1e-4, 0.1]},
        key: {"uniform": [0, 1]},
        "NAME": {"choice": [choice, f"{choice}2"]},
    }
    space = {"system": "program.py", "metric": metric, "mode": "max", "constants": constants}
    failure = Failure(kind="Odd", message=reason, place=reason, code=reason)
    hardcoded = {"LR": 0.01, key: 0.1, "NAME": choice}
    trials = [
        Trial(curve=[0.5, 0.6], values=hardcoded, only=True),
        Trial(curve=[0.7], values={**hardcoded, "NAME": f"{choice}2"}, only=True),
        Trial(values={**hardcoded, key: 0.5}, only=True, state="FAIL", failure=failure),
    ]
    return write_experiment(folder, trials, json.dumps(space), program=program)


@settings(max_examples=12, deadline=None, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
@given(metric=WORDS, constant=WORDS, choice=WORDS, reason=words(PARTS | TEXT))
def test_no_text_of_an_experiment_does_anything_to_the_output(
    tmp_path_factory, monkeypatch, capfdbinary, metric, constant, choice, reason
):
    folder = tmp_path_factory.mktemp("odd")
    texts = ("".join(part * n for part, n in each) for each in (metric, constant, choice, reason))
    try:
        write_odd_experiment(folder, *texts)
    except PromotuneError:
        reject()
    monkeypatch.chdir(folder / "project")
    for command in (*PEOPLES, *MACHINES):
        status = main([*command, "--storage", str(folder / "storage")])
        out, err = (each.decode() for each in capfdbinary.readouterr())
        assert status == 0, err
        if command in PEOPLES:
            out = out.replace("\u200d", "")
            assert not {each for each in out if unicodedata.category(each) in HIDDEN} - {"\n"}
            assert command[0] == "apply" or max(map(len, out.splitlines())) < 10_000  # its diff is for `patch`


LATIN = os.fsdecode(b"caf\xe9")
"""A name of bytes that are not UTF-8, as Python has it."""
TAKE_EXPERIMENTS = [name for name in COMMANDS if name not in ("constants", "promote", "list", "completion", "agents")]
WITHOUT_A_NAME = ("search", "search_program")
WORDS_WITH_PATHS = {
    "constants": [f"{LATIN}.py"],
    "promote": [f"{LATIN}.py", "LR", "--mode", "min"],
    "search": ["--space", "s", "--storage", LATIN],
    **{name: ["exp", "--storage", LATIN] for name in TAKE_EXPERIMENTS},
    "export": ["exp", "--to", "csv", "--storage", LATIN],
    "propose": ["exp", "LR=0.1", "--storage", LATIN],
    "set": ["exp", "trials=5", "--storage", LATIN],
    "mcp": ["--storage", LATIN],
    "list": ["--storage", LATIN],
    "search_program": [f"{LATIN}.py", "LR", "--mode", "min"],
}


@pytest.mark.parametrize("name", WORDS_WITH_PATHS)
def test_a_path_that_is_not_utf8_is_refused_at_once_by_every_command(tmp_path, monkeypatch, capfd, name):
    words = WORDS_WITH_PATHS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{LATIN}.py").write_text("LR = 0.1\n")

    assert main(words if name in WITHOUT_A_NAME else [name, *words]) == 2
    got = next(word for word in words if LATIN in word)
    assert capfd.readouterr() == (
        "",
        f"this is not UTF-8, got {got!r}\n  Give the file or the folder a name in UTF-8.\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == [f"{LATIN}.py"]


@pytest.mark.parametrize("name", WORDS_WITH_PATHS)
def test_a_working_directory_that_is_not_utf8_is_refused_by_every_command(tmp_path, monkeypatch, capfd, name):
    (tmp_path / LATIN).mkdir()
    monkeypatch.chdir(tmp_path / LATIN)
    words = [word.replace(LATIN, "x") for word in WORDS_WITH_PATHS[name]]

    assert main(words if name in WITHOUT_A_NAME else [name, *words]) == 2
    assert capfd.readouterr().err == (
        f"the working directory: this is not UTF-8, got {str(tmp_path / LATIN)!r}\n"
        "  Give the file or the folder a name in UTF-8.\n"
    )


JSONS = ["000,baseline/trial.json", "applied.json", "surroundings.json", "retrain/000,baseline/retrain.json"]
ODD = {
    "nested too deep": DEEP,
    "no mapping": "[1]",
    "no lists": '{"LR": 5}',
    "no Unicode": '{"LR": "\\ud800"}',
    "no float": f'{{"LR": [{NO_FLOAT}]}}',
}


@pytest.mark.parametrize("name", JSONS)
@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_file_beside_the_ledger_that_is_not_ours_counts_for_nothing(experiment, capfd, name, text):
    (experiment.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (experiment.folder / name).write_text(text)
    for words in (["results"], ["apply"], ["report"]):
        assert read(experiment, words, capfd)[0] == 0


def test_a_ledger_that_is_nested_too_deep_is_no_ledger(experiment, capfd):
    n_before = len(experiment.journal.read_text().splitlines())
    with experiment.journal.open("a") as file:
        file.write(f'{{"op_code":0,"a":{DEEP}\n{{"op_code":0}}\n')

    assert read(experiment, ["results"], capfd)[0] == 2
    assert read(experiment, ["resume", "--trials", "1"], capfd) == (
        2,
        (
            f"{experiment.journal}: line {n_before + 1} is no record, and records follow it\n"
            "  Take it from a backup; nothing was changed.\n"
        ),
    )


DAMAGED = {
    "a flipped byte": (
        lambda lines: [*lines[:2], b"\xb0" + lines[2][1:], *lines[3:]],
        "line 3 is no record, and records follow it",
    ),
    "a changed key": (
        lambda lines: [*lines[:-1], lines[-1].replace(b'"study_id"', b'"study_ie"')],
        "line {last} is no record",
    ),
    "no first record": (lambda lines: lines[1:], "a ledger holds one study, got 0"),
    "nothing": (lambda lines: [], "a ledger holds one study, got 0"),
    "a torn first record": (lambda lines: [lines[0][:20]], "a ledger holds one study, got 0"),
}


@pytest.mark.parametrize(("damage", "what"), DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("words", [["results"], ["apply"], ["report"], ["load"]], ids=" ".join)
def test_a_damaged_ledger_is_told_by_its_line(experiment, capfd, words, damage, what):
    lines = experiment.journal.read_bytes().splitlines(keepends=True)
    experiment.journal.write_bytes(b"".join(damage(lines)))
    message = f"{experiment.journal}: {what.format(last=len(lines))}\n  Take it from a backup; nothing was changed."

    if words == ["load"]:
        with pytest.raises(ExperimentError) as refused:
            load(experiment.folder, 1)
        assert str(refused.value) == message
    else:
        assert read(experiment, words, capfd) == (2, f"{message}\n")


@pytest.mark.parametrize("words", [["apply"], ["report"]], ids=" ".join)
def test_a_damaged_snapshot_is_told_by_its_own_path(experiment, capfd, words):
    program = experiment.source / "program.py"
    program.write_text("LR = (\n")

    assert read(experiment, words, capfd) == (
        2,
        (
            f"{program}:1: this is not Python: '(' was never closed\n"
            "  It is the experiment's own copy, and was whole when the search began: take it from a backup.\n"
        ),
    )


CONTRADICTIONS = {
    "a constant": (
        "study.journal",
        '"constants":{"LR":0.02',
        '"constants":{"LR":0.03',
        "trial 1: LR is 0.03, and 0.02 was drawn",
    ),
    "a choice": (
        "study.journal",
        '"OPTIMIZER":"adam"},"version":"002',
        '"OPTIMIZER":"sgd"},"version":"002',
        "trial 2: OPTIMIZER is 'sgd', and 'adam' was drawn",
    ),
    "a curve": ("study.journal", '"2":0.9', '"2":0.8', "trial 1: its score is [0.9], and its curve says [0.8]"),
    "a torn end": ("study.journal", "", "", "torn"),
    "a setting": ("space.yaml", "scheduler: asha", "scheduler: none", "scheduler asha -> none"),
    "a seed": ("space.yaml", "seed: 0\n", "seed: 1\n", "seed 0 -> 1"),
    "a metric": ("space.yaml", "Score/Val", "Score/Wal", "metric ['Score/Val'] -> ['Score/Wal']"),
}


@pytest.mark.parametrize(("name", "before", "after", "what"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
@pytest.mark.parametrize("words", [["results"], ["results", "--json"], ["report"], ["apply"]], ids=" ".join)
def test_what_the_files_contradict_is_told(experiment, capfd, words, name, before, after, what):
    file = experiment.folder / name
    text = file.read_text()
    changed = text.replace(before, after, 1) if before else text + '{"op_code":8,'
    assert changed != text
    file.write_text(changed)

    if name == "space.yaml":
        told = f"warning: {file} is not as the search left it: {what}\n"
    elif what == "torn":
        told = f"warning: {file} ends in a torn record of 13 bytes; `resume` takes it out\n"
    else:
        told = f"warning: {file}: {what}\n"
    assert read(experiment, words, capfd) == (0, told)


def test_what_does_not_contradict_itself_has_no_warning(experiment, capfd):
    assert read(experiment, ["results"], capfd) == (0, "")


def test_a_space_file_that_is_cut_at_a_lines_end_is_told(tmp_path, capfd, monkeypatch):
    write_experiment(tmp_path, TRIALS, f"{SPACE}scheduler: none\n")
    monkeypatch.chdir(tmp_path / "project")
    space = ExperimentPaths(tmp_path / "storage" / "exp").space
    text = space.read_text()
    space.write_text(text[: text.index("scheduler:")])

    assert read(ExperimentPaths(space.parent), ["results"], capfd) == (
        0,
        f"warning: {space} is not as the search left it: scheduler none -> asha\n",
    )


def test_a_search_is_not_resumed_by_settings_that_it_never_had(experiment, capfd):
    text = experiment.space.read_text()
    experiment.space.write_text(text.replace("scheduler: asha", "scheduler: none"))

    assert read(experiment, ["resume", "--trials", "+1"], capfd) == (
        2,
        (
            f"{experiment.space}: not as the search left it: scheduler asha -> none\n"
            "  Take it from a backup, or give the space with --space FILE.\n"
        ),
    )


LINKS = ["driver.log", ".lock", ".lock.holder", "retrain", "000,baseline/log.txt", "000,baseline/checkpoints"]


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("words", [["resume", "--trials", "+1"], ["retrain"]], ids=" ".join)
def test_what_trains_refuses_links_that_lead_out_of_the_experiment(experiment, capfd, tmp_path, name, words):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir() if name in ("retrain", "000,baseline/checkpoints") else elsewhere.write_text("mine")
    link = experiment.folder / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(elsewhere)

    assert read(experiment, words, capfd) == (
        2,
        (
            f"{link}: a link that leads out of the experiment, to {elsewhere}\n"
            "  What trains here would write there. Put a copy in its place.\n"
        ),
    )


def test_who_deletes_a_version_does_not_write_through_the_links_beside_it(experiment, capfd, tmp_path):
    (tmp_path / "elsewhere").write_text("mine")
    (experiment.folder / ".lock.holder").symlink_to(tmp_path / "elsewhere")
    (experiment.folder / "000,baseline").mkdir()
    (experiment.folder / "000,baseline" / "trial.json").symlink_to(tmp_path / "elsewhere")

    read(experiment, ["delete", "000,baseline", "--yes"], capfd)

    assert (tmp_path / "elsewhere").read_text() == "mine"


CHANGED = {
    "a choice": (
        "32, 64",
        "32, 65",
        "constants.BATCH_SIZE choice 32, 64, 128, 256, 512 -> choice 32, 65, 128, 256, 512",
    ),
    "a range": ("[0.0, 0.5]", "[0.0, 0.6]", "constants.DROPOUT uniform 0 to 0.5 -> uniform 0 to 0.6"),
    "the mode": ("mode: max", "mode: min", "mode ['max'] -> ['min']"),
}


@pytest.mark.parametrize(("old", "new", "told"), CHANGED.values(), ids=CHANGED)
def test_a_space_that_is_not_what_was_searched_is_told_and_not_gone_on_with(experiment, capfd, old, new, told):
    text = experiment.space.read_text()
    assert old in text
    experiment.space.write_text(text.replace(old, new, 1))

    assert told in read(experiment, ["results"], capfd)[1]
    status, refused = read(experiment, ["resume", "--trials", "4"], capfd)
    assert status == 2
    assert f"not as the search left it: {told}" in refused
