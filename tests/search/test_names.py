"""A version's name is short, sorts as trials ran, is unique, and legal on every file system."""

import contextlib
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune.errors import ExperimentError
from tune.paths import check_name, claim_experiment
from tune.search.study.version_folders import version_name

NAMES = [
    (0, {}, "000,baseline"),
    (7, {"LR": 0.0032, "BATCH_SIZE": 64}, "007,LR=0.0032,BATCH_SIZE=64"),
    (7, {"LR": 0.00123456}, "007,LR=0.00123"),
    (7, {"LR": 1e-05}, "007,LR=1e-05"),
    (7, {"X": True, "Y": None}, "007,X=True,Y=None"),
    (7, {"SIZES": [64, 32], "P": (0.12345, "a/b")}, "007,SIZES=64-32,P=0.123-a_b"),
    (7, {"config.LR": 0.1}, "007,config.LR=0.1"),
    (7, {"CFG['lr']": 0.1}, "007,CFG.lr=0.1"),
    (7, {"CFG['opt'][\"name\"]": "sgd", "SIZES[0]": 8}, "007,CFG.opt.name=sgd,SIZES.0=8"),
    (7, {"PATH": "../../etc"}, "007,PATH=.__.__etc"),
    (7, {"TEXT": 'a<b>c:"d|e?f*g'}, "007,TEXT=a_b_c__d_e_f_g"),
    (7, {"TEXT": "x" * 50}, f"007,TEXT={'x' * 16}"),
    (7, {"TEXT": "ends."}, "007,TEXT=ends"),
    (7, {"--lr": 0.1, "--batch-size": 8, "optimizer.lr=": 0.2}, "007,lr=0.1,batch-size=8,optimizer.lr=0.2"),
    (1234, {"LR": 0.1}, "1234,LR=0.1"),
]


@pytest.mark.parametrize(("number", "values", "name"), NAMES)
def test_a_version_is_named_after_its_number_and_values(number, values, name):
    assert version_name(number, values) == name


def test_what_finds_no_room_is_left_out_and_what_is_shorter_still_comes():
    values = {"A": 1, "A_VERY_LONG_CONSTANT_NAME_THAT_SOMEONE_WROTE_IN_ONE_OF_THEIR_FIRST_PROGRAMS": 2, "B": 3}

    assert version_name(7, values) == "007,A=1,B=3"


keys = st.from_regex(r"[^\W\d]\w{0,30}", fullmatch=True)
values = st.one_of(
    st.text(max_size=40), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.integers(), max_size=9)
)


@given(st.integers(0, 9999), st.dictionaries(keys, values, max_size=8))
def test_a_name_is_legal_everywhere(number, held):
    name = version_name(number, held)

    assert len(name.encode()) <= 80
    assert re.match(r"\d{3,4},", name) or not held or name == f"{number:03d}"
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', name)  # Windows
    assert not name.endswith((".", " "))
    assert ".." not in name


@given(st.text(max_size=60) | st.sampled_from(["../..", "/etc", "-rf", "--help", "a\0b", ".hidden", "\ud800", "~root"]))
def test_any_name_of_an_experiment_is_a_folder_in_its_storage_or_is_refused(name):
    with tempfile.TemporaryDirectory() as place:
        storage = Path(place) / "storage"
        claimed = claim_experiment(storage, name, numbered=True)
        assert [path.name for path in Path(place).iterdir()] == ["storage"]
        assert list(storage.iterdir()) == [claimed.folder]
        assert not claimed.folder.name.startswith(("-", "."))
        with contextlib.suppress(ExperimentError):  # `--name` takes what needs no change
            assert check_name(name) == claimed.folder.name


def test_names_sort_as_the_trials_ran_and_differ_by_their_number_alone():
    names = [version_name(number, {"X": 1}) for number in range(1000)]

    assert sorted(names) == names
    assert len(set(names)) == 1000
