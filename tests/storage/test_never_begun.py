"""A search whose driver was killed before its ledger was there, in whatever state, in a folder and at a URL."""

import json
import shutil

import pytest

from tests.experiments import PROGRAM, SPACE
from tune.cli import main
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.study.journal import create_study
from tune.space.space_file import read_space, write_space
from tune.storage import lease
from tune.storage.remote_folder import RemoteFolder
from tune.storage_url import local_folder_of

BEGUN = "exp never began: it begins now"
NEVER = "this search never began: it was ended before its first trial"


def _lock(paths):
    paths.lock.touch()
    paths.lock_holder.write_text("process 1 on another.machine\n")


def _half_a_space(paths):
    _lock(paths)
    (paths.folder / ".space.yaml.0a1b2c3d").write_text("system: pro")


def _space(paths):
    _lock(paths)
    write_space(read_space(paths.folder.parents[1] / "project" / "exp.yaml"), paths.space)


def _half_a_snapshot(paths):
    _space(paths)
    paths.source.mkdir()
    (paths.source / ".program.py.0a1b2c3d").write_text("LR")


def _log(paths):
    _space(paths)
    program = find_program(paths.folder.parents[1] / "project" / "program.py")
    take_snapshot(program, paths.source)
    (paths.folder / "driver.log").write_text("Ray starts\n")


def _ledger(paths):
    _log(paths)
    space = read_space(paths.space, program_is_here=False)
    resolve_constants(space, find_program(space.program))
    create_study(paths, space)
    return paths.journal.read_bytes().splitlines(keepends=True)


def _empty_ledger(paths):
    _ledger(paths)
    paths.journal.write_bytes(b"")


def _torn_ledger(paths):
    first, *_ = _ledger(paths)
    paths.journal.write_bytes(first[: len(first) // 2])


def _ledger_of_one_record(paths):
    first, *_ = _ledger(paths)
    paths.journal.write_bytes(first)


def _ledger_without_format(paths):
    first, second, *_ = _ledger(paths)
    paths.journal.write_bytes(first + second[:-1])


def _nothing(paths):
    pass


WITHOUT_SPACE = (_nothing, _lock, _half_a_space)
WITH_SPACE = (_space, _half_a_snapshot, _log)
WITH_LEDGER = (_empty_ledger, _torn_ledger, _ledger_of_one_record, _ledger_without_format)
AT_URL = (_lock, _log, _torn_ledger)
"""These are tried at a URL, too."""
WHERE = ("folder", "url", "url, nothing there", "url, no copy")
"""At a URL the driver had carried everything there, or nothing yet; the next command runs on its machine or another."""


@pytest.fixture
def begun(monkeypatch):
    """Let a search end as it begins; return the folders of those that began."""
    begun = []

    def begin(search):
        assert search.space.dimensions.keys() == {"LR", "BATCH_SIZE", "DROPOUT", "OPTIMIZER"}
        write_space(search.space, search.paths.space)
        begun.append(search.paths.folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("tune.search.run.run_search", begin)
    return begun


def pair_with_places(states, *but):
    """Parametrize a test with each state in a folder, and with three of them at a URL."""
    pairs = [(left, where) for where in WHERE for left in states if where == "folder" or left in AT_URL]
    pairs = [pair for pair in pairs if pair not in but]
    names = [f"{left.__name__.strip('_')}, {where}" for left, where in pairs]
    return pytest.mark.parametrize(("left", "place"), pairs, indirect=["place"], ids=names)


@pytest.fixture
def place(request, tmp_path, monkeypatch):
    """Return what leaves a killed search in a storage, and returns the storage's name on the command line."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    (project / "program.py").write_text(PROGRAM + "MAX_EPOCHS = 3\n")
    (project / "exp.yaml").write_text(SPACE)
    monkeypatch.chdir(project)
    monkeypatch.setattr(lease, "SETTLE_S", 0.05)  # nobody else takes it meanwhile
    storage = request.getfixturevalue("url") if request.param != "folder" else str(tmp_path / "storage")

    def leave(write):
        paths = ExperimentPaths(tmp_path / "storage" / "exp")
        paths.folder.mkdir(parents=True)
        write(paths)
        if request.param == "folder":
            return storage
        remote = RemoteFolder(f"{storage}/exp")
        remote.write_file(".lease.json", b'{"id": "1", "host": "another.machine", "pid": 1, "time": 0}')
        if request.param != "url, nothing there":
            for path in paths.folder.rglob("*"):
                if path.is_file() and not path.name.startswith("."):
                    remote.copy_to_url(path, path.relative_to(paths.folder).as_posix())
        if request.param != "url, no copy":
            shutil.copytree(paths.folder, local_folder_of(storage) / "exp")
        shutil.rmtree(tmp_path / "storage")
        return storage

    leave.where = request.param
    return leave


@pair_with_places([*WITHOUT_SPACE, *WITH_SPACE, *WITH_LEDGER])
def test_a_new_search_takes_the_name(left, place, begun, capfd):
    storage = place(left)

    assert main(["--space", "exp.yaml", "--name", "exp", "--storage", storage]) == 130
    assert [folder.name for folder in begun] == ["exp"]
    assert "there is an experiment" not in capfd.readouterr().err


@pair_with_places([*WITH_SPACE, *WITH_LEDGER])
def test_resume_begins_it(left, place, begun, capfd, monkeypatch, tmp_path):
    storage = place(left)
    monkeypatch.chdir(tmp_path)  # the space names its program whole
    assert main(["resume", "exp", "--storage", storage]) == 130
    out, err = capfd.readouterr()
    assert err == ""
    assert out.count(BEGUN) == 1
    assert [folder.name for folder in begun] == ["exp"]


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_resume_names_the_experiments_own_space_where_its_program_no_longer_fits(place, begun, capfd, tmp_path):
    storage = place(_space)
    (tmp_path / "project" / "program.py").write_text(PROGRAM.replace("LR", "RATE") + "MAX_EPOCHS = 3\n")

    assert main(["resume", "exp", "--storage", storage]) == 2
    assert capfd.readouterr().err.startswith("../storage/exp/space.yaml:5: 'LR' is not a constant")
    assert begun == []


@pair_with_places([_lock, _half_a_space])
def test_resume_without_a_space_says_how_it_begins(left, place, begun, capfd):
    storage = place(left)

    assert main(["resume", "exp", "--storage", storage]) == 2
    err = capfd.readouterr().err
    if place.where != "url, no copy":  # nothing lies there but a lease
        assert NEVER in err
        assert "Give the command that began it again, or its space with --space FILE." in err
        assert main(["resume", "exp", "--space", "exp.yaml", "--storage", storage]) == 130
        assert len(begun) == 1
    assert "Did you mean 'exp'" not in err


@pair_with_places([*WITH_SPACE, *WITH_LEDGER])
def test_list_tells_it(left, place, capfd):
    storage = place(left)
    assert main(["list", "--json", "--storage", storage]) == 0
    (one,) = json.loads(capfd.readouterr().out)
    assert (one["name"], one["state"], one["error"]) == ("exp", "never began", None)


@pair_with_places([*WITH_SPACE, *WITH_LEDGER])
def test_readers_say_that_it_never_began(left, place, capfd):
    storage = place(left)
    for word in ("results", "report", "apply"):
        assert main([word, "exp", "--storage", storage]) == 2
        out, err = capfd.readouterr()
        assert err.endswith(f"{NEVER}\n  `resume` begins it.\n"), word
        assert out == ""
    for options in ([], ["--json"], ["--follow"]):
        assert main(["status", "exp", *options, "--storage", storage]) == 130
        out, err = capfd.readouterr()
        assert "never began" in out
        assert err == ""


@pair_with_places(
    [_lock, _half_a_space, *WITH_SPACE, *WITH_LEDGER],
    *((left, "url, no copy") for left in WITHOUT_SPACE),  # nothing lies there but a lease that has lapsed
)
def test_delete_removes_it(left, place, capfd):
    storage = place(left)
    assert main(["delete", "exp", "--yes", "--storage", storage]) == 0
    assert main(["list", "--storage", storage]) == 0
    assert "no experiments in" in capfd.readouterr().out
    if "url" in place.where:
        assert RemoteFolder(storage).list_folders() == []
