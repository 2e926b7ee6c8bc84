"""A folder or a URL: which folder of this machine stands for it, and how people read it."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tune import Experiment, load
from tune.cli.command_parsers import build_parser
from tune.cli.parser import COMMANDS, storage_of
from tune.errors import ExperimentError, OptionError, PromotuneError
from tune.paths import ExperimentPaths, display_path
from tune.storage_url import KNOWN, default_storage, is_url, local_folder_of, url_of


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_path_is_its_own_place(tmp_path):
    assert local_folder_of(tmp_path / "a") == tmp_path / "a"
    assert local_folder_of(f"file://{tmp_path}/a/") == tmp_path / "a"
    assert url_of(tmp_path / "a") is None


def test_a_path_that_goes_up_is_a_folder_without_detours(tmp_path, monkeypatch):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    monkeypatch.chdir(tmp_path / "real")

    assert local_folder_of("../x") == tmp_path / "x"
    assert local_folder_of("deep/../../y") == tmp_path / "y"
    assert local_folder_of(tmp_path / "link" / ".." / "z") == tmp_path / "real" / "z"
    assert local_folder_of(f"file://{tmp_path}/real/../w") == tmp_path / "w"


def test_a_url_has_a_folder_in_the_cache_that_leads_back_to_it(cache):
    folder = local_folder_of("s3://bucket/some/searches/")

    assert folder.is_relative_to(cache)
    assert folder.is_dir()
    assert folder == local_folder_of("s3://bucket/some/searches") != local_folder_of("s3://other/searches")
    assert url_of(folder / "lr" / "000,baseline") == "s3://bucket/some/searches/lr/000,baseline"
    assert display_path(folder / "lr") == "s3://bucket/some/searches/lr"


@pytest.mark.parametrize("url", ["ftp://me:secret@host/folder", "https://host/folder?sig=secret"])
def test_a_url_that_holds_a_secret_is_refused_without_repeating_it(url, cache):
    with pytest.raises(OptionError) as raised:
        local_folder_of(url)
    assert str(raised.value) == (
        "--storage: a URL with a password or a query is refused: it would be written down, "
        f"got {url.partition(':')[0]}://...\n  Give credentials by the environment or the provider's own files."
    )
    assert not cache.exists()


def test_a_url_without_a_bucket_is_refused():
    with pytest.raises(OptionError) as raised:
        local_folder_of("s3:///folder")
    assert str(raised.value) == "--storage: the URL names no bucket, got 's3:///folder'\n  Write s3://bucket/folder."


@pytest.mark.parametrize(
    "url", ["S3://bucket/folder", "simplecache::s3://bucket/folder", "\x1b[31ms3://b", "s3://[b/c"]
)
def test_what_is_neither_a_url_that_can_be_used_nor_a_path_is_refused(url, cache):
    with pytest.raises(OptionError) as raised:
        local_folder_of(url)
    where, remedy = str(raised.value).split("\n")
    assert where.startswith("--storage: no URL that can be used, ")
    assert where.endswith(f"got {url!r}")
    assert remedy.strip() == KNOWN
    assert not cache.exists()


@given(st.builds(str.__add__, st.sampled_from(["s3://b/", "s3://", "file://", "~", "a/", "x://[", ""]), st.text()))
@example("s3://b/" + "x" * 300)
@example("s3://b/a\nb")
@example("s3://b/\ud800")
@example("s3://b/ ")
def test_any_text_means_a_folder_or_is_refused(text):
    try:
        folder = local_folder_of(text)
    except OptionError:
        return
    assert folder.is_absolute()
    if is_url(text) and not text.startswith("file://"):
        assert folder.is_dir()
        assert url_of(folder) == text.rstrip("/")


def test_files_of_another_machine_are_not_looked_for_here(tmp_path):
    assert local_folder_of(f"file://localhost{tmp_path}") == tmp_path
    with pytest.raises(OptionError, match="the files of another machine cannot be reached, got 'file://host/folder'"):
        local_folder_of("file://host/folder")


def test_the_home_folder_of_nobody_is_refused():
    with pytest.raises(OptionError) as raised:
        local_folder_of("~nosuchuser/folder")
    assert str(raised.value) == (
        "--storage: no user has this name, or the user has no home folder, got '~nosuchuser/folder'\n"
        "  Write the path from the root."
    )


def test_a_command_takes_an_experiment_by_its_name_in_the_default_storage_and_by_its_folder_elsewhere(cache, tmp_path):
    folders = [default_storage() / "lr_bs", tmp_path / "my results" / "lr_bs", local_folder_of("s3://bucket/lr_bs")]

    assert [ExperimentPaths(folder).cli_argument for folder in folders] == [
        "lr_bs",
        f"'{tmp_path}/my results/lr_bs'",
        "s3://bucket/lr_bs",
    ]


def test_the_variable_names_the_storage_where_none_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMOTUNE_STORAGE", f" {tmp_path}/st ")
    assert default_storage() == storage_of(None) == tmp_path / "st"
    assert storage_of(str(tmp_path)) == tmp_path
    assert ExperimentPaths(tmp_path / "st" / "lr_bs").cli_argument == "lr_bs"

    for unset in ("", " "):
        monkeypatch.setenv("PROMOTUNE_STORAGE", unset)
        assert default_storage() == Path("~/ray_results").expanduser()


def test_an_error_about_the_variable_names_the_variable(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_STORAGE", "s3://")
    with pytest.raises(OptionError) as error:
        default_storage()
    assert str(error.value) == "PROMOTUNE_STORAGE: the URL names no bucket, got 's3://'\n  Write s3://bucket/folder."


@pytest.mark.parametrize("name", [name for name in COMMANDS if "--storage" in build_parser(name).option_spellings])
def test_the_help_of_a_command_with_a_storage_names_the_variable(name):
    assert "PROMOTUNE_STORAGE" in build_parser(name).format_help()


def test_the_python_api_takes_the_variable_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMOTUNE_STORAGE", str(tmp_path))
    with pytest.raises(ExperimentError) as error:
        Experiment("none")
    assert error.value.where == str(tmp_path)

    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "study.journal").write_text("no journal")
    with pytest.raises(PromotuneError) as error:
        load("begun")
    assert f"{tmp_path.name}/begun/space.yaml: " in str(error.value)


@pytest.fixture
def no_home(monkeypatch):
    """Know of no home folder, as in a container for a user of any number."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)


@pytest.mark.usefixtures("no_home")
def test_where_nobody_knows_of_a_home_folder_a_path_is_shown_whole(tmp_path):
    assert display_path(tmp_path / "lr") == str(tmp_path / "lr")


@pytest.mark.usefixtures("no_home")
def test_where_nobody_knows_of_a_home_folder_a_url_needs_a_place_for_its_copy():
    with pytest.raises(OptionError) as raised:
        local_folder_of("s3://bucket/searches")
    assert raised.value.where == "XDG_CACHE_HOME"
