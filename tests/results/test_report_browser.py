"""The report in a real browser: every plot is drawn, light and dark, wide and narrow, and nothing else happens."""

import pytest

from tests.recorded import searched
from tests.results.test_report import several
from tune.experiment.open import open_experiment
from tune.results.report.build_report import write_report

pytestmark = pytest.mark.browser

DRAWN = """
  const next = document.querySelector("figure.plot:not([data-drawn])");
  if (next) next.scrollIntoView();
  return !next && document.querySelectorAll("figure.plot").length;
"""
"""The number of plots once all are drawn: each is when it comes into sight."""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    paths = searched(tmp_path_factory.mktemp("report"), 60)
    return write_report(open_experiment(str(paths.folder), paths.folder))


@pytest.mark.parametrize(("width", "theme", "paper"), [(1280, "light", "246, 247, 249"), (390, "dark", "16, 19, 23")])
def test_a_report_when_it_is_opened_then_draws_all_plots_and_fits_the_screen(width, theme, paper, browser, report):
    browser.look(width=width, theme=theme, touch=width < 600)
    browser.open(report.as_uri())

    assert browser.wait(DRAWN) == 8
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == f"rgb({paper})"
    ink = browser.run("return getComputedStyle(document.body).color")
    assert browser.run("return getComputedStyle(document.querySelector('#history .legendtext')).fill") == ink
    assert browser.told() == []


def test_a_plot_when_the_theme_changes_then_follows(browser, report):
    browser.look(width=1280, theme="light")
    browser.open(report.as_uri())
    browser.wait(DRAWN)
    browser.look(width=1280, theme="dark")

    ink = browser.run("return getComputedStyle(document.body).color")
    browser.wait("return getComputedStyle(document.querySelector('#history .legendtext')).fill === arguments[0]", ink)


def test_a_choice_of_two_constants_when_it_is_made_then_their_contour_is_drawn(browser, report):
    browser.look(width=1280)
    browser.open(report.as_uri())
    browser.wait(DRAWN)
    title = "return document.querySelector('#contours .xtitle').textContent"
    before = browser.run(title)
    browser.run(
        "const it = document.querySelector('#contours select'); it.value = '2'; it.dispatchEvent(new Event('change'))"
    )

    assert before == "HIDDEN"
    browser.wait(f"{title} !== 'HIDDEN'")


def test_a_report_of_hostile_values_when_it_is_opened_then_they_are_text_alone(browser, tmp_path):
    paths = several(tmp_path)
    browser.look(width=1280)
    browser.open(write_report(open_experiment(str(paths.folder), paths.folder)).as_uri())

    browser.wait(DRAWN)
    assert browser.run("return document.images.length") == 0
    assert "</script><img src=x o" in browser.run(
        "return document.querySelector('figure.plot.narrow').closest('section').textContent"
    )
    assert browser.told() == []


PRINTED = """
  const ends = [...document.querySelectorAll(".main-svg")].map((each) => each.getBoundingClientRect().right);
  return ends.length > 0 && Math.max(...ends) <= arguments[0];
"""


def test_a_report_when_it_is_printed_then_plots_fit_the_paper_and_bars_have_their_colour(browser, report):
    browser.look(width=1280)
    browser.open(report.as_uri())
    browser.wait(DRAWN)
    assert not browser.run(PRINTED, 718)

    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.wait(PRINTED, 718)
    assert browser.run("return document.documentElement.scrollWidth") <= 1280
    assert browser.run("return getComputedStyle(document.querySelector('.bar span')).printColorAdjust") == "exact"
    assert browser.run("return getComputedStyle(document.querySelector('figure.plot')).breakInside") == "avoid"

    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.run("dispatchEvent(new Event('afterprint'))")
    browser.wait(f"return !(() => {{ {PRINTED} }})(718)".replace("arguments[0]", "718"))


def test_a_report_when_it_is_on_a_phone_then_every_range_is_seen_without_scrolling(browser, report):
    browser.look(width=390, touch=True)
    browser.open(report.as_uri())
    ends = browser.run(
        "return [...document.querySelectorAll('.constants td')].map((each) => each.getBoundingClientRect().right)"
    )

    assert len(ends) >= 6
    assert max(ends) <= 390
