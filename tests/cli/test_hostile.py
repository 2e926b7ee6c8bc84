"""Files that are not ours: exit status 2 and a clear error; nothing of them runs, nothing is written elsewhere."""

import copy
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.experiments import Trial, write_experiment
from tune.cli import main
from tune.paths import ExperimentPaths

TRIALS = [
    Trial(curve=[0.5, 0.6]),
    Trial(curve=[0.4, 0.9], values={"LR": 0.02}),
    Trial(curve=[0.2], values={"DROPOUT": 0.3}, state="PRUNED"),
]
READERS = [["results"], ["results", "--json"], ["apply"], ["report"], ["resume", "--trials", "1"]]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("../../etc"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
CANARY = "import pathlib\npathlib.Path({file!r}).write_text('run')\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    space = (write_experiment(folder, TRIALS).paths.space).read_text()
    (folder / "storage" / "exp" / "space.yaml").write_text(space.replace("trials: 20", "trials: 3"))
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
]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_file_that_is_garbage_is_refused_or_left_aside(experiment, original, capfd, data):
    name = data.draw(st.sampled_from(FILES))
    file = experiment.folder / name
    file.parent.mkdir(exist_ok=True)
    held = (
        (original / "storage" / "exp" / name).read_bytes() if (original / "storage" / "exp" / name).exists() else b"{}"
    )
    cut = data.draw(st.integers(0, len(held)))
    file.write_bytes(held[:cut] + data.draw(st.binary(max_size=30) | st.just(b"!!python/object/apply:os.system [id]")))
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
            "  Is it a study of ours?\n"
        ),
    )


def test_a_version_that_is_a_link_out_of_the_experiment_is_refused(experiment, capfd, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (experiment.folder / "000,baseline").symlink_to(tmp_path / "elsewhere")

    assert read(experiment, ["results"], capfd) == (
        2,
        (
            f"{experiment.journal}: trial 0: its version '000,baseline' is a link that leads out of the experiment\n"
            "  Is it a study of ours?\n"
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
            "  Is this an experiment?\n"
        ),
    )
