"""The page of several experiments side by side."""

import re

import pytest

from tests.ledgers import write_experiment
from tests.recorded import searched
from tests.results.test_report import figures
from tune.cli import main
from tune.errors import ExperimentError
from tune.experiment.open import open_experiment
from tune.results.report.comparison import build_comparison, write_comparison


@pytest.fixture
def two(tmp_path):
    """Return two experiments: one of three trials, the second of which failed, and one of two."""
    storage = tmp_path / "storage"
    write_experiment(storage, "one", [[0.1, 0.4], None, [0.2, 0.6]])
    write_experiment(storage, "two", [[0.2], [0.5]])
    return [open_experiment(name, storage) for name in ("one", "two")]


def test_each_has_a_column_that_says_what_it_came_to(two):
    page = build_comparison(two)

    assert page.goal == "maximise Score/Val"
    assert [each.name for each in page.columns] == ["one", "two"]
    told = [dict(each.cells) for each in page.columns]
    assert [(each["best"], each["hardcoded values"], each["trials that ended"]) for each in told] == [
        ("0.6", "0.4", "3"),
        ("0.5", "0.2", "2"),
    ]
    assert [each["epochs in all"] for each in told] == ["4", "2"]
    assert [each["best trial"] for each in told] == [each.best.version for each in two]
    assert page.constants == ("LR",)
    assert [each.best for each in page.columns] == [(f"{each.best.values['LR']:.6g}",) for each in two]
    assert [each.searched for each in page.columns] == [("uniform 0 to 1",)] * 2


def test_the_histories_lie_over_each_other_by_epochs_and_by_trials(two):
    (plot,) = build_comparison(two).plots

    assert list(plot.figures) == ["by epochs trained", "by trials"]
    lines = {
        label: [(each["name"], each["x"], each["y"]) for each in fig["data"]] for label, fig in plot.figures.items()
    }
    so_far = {"one": (0.4, 0.4, 0.6), "two": (0.2, 0.5)}
    assert lines["by epochs trained"] == [("one", [2, 2, 4], so_far["one"]), ("two", [1, 2], so_far["two"])]
    assert lines["by trials"] == [("one", [1, 2, 3], so_far["one"]), ("two", [1, 2], so_far["two"])]
    colours = {each["line"]["color"] for each in plot.figures["by trials"]["data"]}
    assert len(colours) == 2


def test_experiments_without_a_score_are_compared_without_a_plot(tmp_path):
    storage = tmp_path / "storage"
    for name in ("one", "two"):
        write_experiment(storage, name, [None])
    page = build_comparison([open_experiment(name, storage) for name in ("one", "two")])

    assert page.plots == ()
    assert [dict(each.cells)["best"] for each in page.columns] == ["-", "-"]


def test_the_command_writes_one_file_that_needs_no_other_and_says_where(two, tmp_path, capfd):
    path = tmp_path / "both.html"
    status = main(["compare", "one", "two", "-o", str(path), "--storage", str(tmp_path / "storage")])
    out, err = capfd.readouterr()
    html = path.read_text()

    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"report: {path} ({path.stat().st_size / 1e6:.1f} MB)"
    assert "<h1>one, two</h1>" in html
    assert list(figures(html)) == ["histories"]
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", html)


def test_a_file_that_cannot_be_written_is_told(two, tmp_path):
    with pytest.raises(ExperimentError) as caught:
        write_comparison(two, tmp_path / "storage")

    assert str(caught.value).startswith(f"{tmp_path / 'storage'}: the report cannot be written: ")


@pytest.mark.browser
def test_it_is_drawn_and_its_choice_is_followed(browser, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    folders = [searched(tmp_path / name, 30, name=name, seed=seed).folder for seed, name in enumerate(("one", "two"))]
    page = write_comparison([open_experiment(str(each), each.parent) for each in folders], tmp_path / "both.html")
    browser.look(width=1280)
    browser.open(page.as_uri())
    browser.wait("return document.querySelector('#histories[data-drawn]')")

    assert browser.run("return document.documentElement.scrollWidth") <= 1280
    title = "return document.querySelector('#histories .xtitle').textContent"
    assert browser.run(title) == "epochs, of all trials together"
    browser.run("const it = document.querySelector('select'); it.value = '1'; it.dispatchEvent(new Event('change'))")
    browser.wait(f"{title} === 'trials that ended'")
    names = "return [...document.querySelectorAll('#histories .legendtext')].map((each) => each.textContent)"
    assert browser.run(names) == ["one", "two"]
    assert browser.told() == []
