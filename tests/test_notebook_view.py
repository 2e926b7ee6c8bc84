"""What a notebook shows of a search that runs: its table, and its curves in two forms."""

import math
import xml.etree.ElementTree as ET
from collections import Counter
from types import SimpleNamespace

from tune.experiment.trial_result import TrialResult
from tune.notebook import MOST_CURVES, NotebookView, build_figure, build_table, draw_curves, is_in_notebook
from tune.search.progress import Progress

CURVES = {0: {1: 0.1, 2: 0.2}, 1: {1: 0.5}, 2: {1: 0.3, 2: math.nan, 3: 0.4}}


def test_a_figure_has_a_curve_for_each_trial_and_names_the_best_and_the_hardcoded_one():
    figure = build_figure(CURVES, 2, "<b>m</b>")
    named = [each["name"] for each in figure["data"] if each["showlegend"]]

    assert len(figure["data"]) == 3
    assert named == ["hardcoded", "best: trial 2"]
    assert figure["data"][-1]["y"] == [0.3, None, 0.4]
    assert figure["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
    assert figure["layout"]["yaxis"]["title"]["text"] == "&lt;b&gt;m&lt;/b&gt;"  # plotly.js reads HTML there


def test_a_picture_without_a_script_has_the_same_curves_and_escapes_the_metric():
    page = draw_curves(CURVES, 2, "<b>m</b>")
    picture = ET.fromstring(page.partition("<p>")[0])
    lines = [each for each in picture if each.tag.endswith("polyline")]

    assert len(lines) == 3
    assert [len(each.get("points").split()) for each in lines] == [1, 2, 2]
    assert "<b>" not in page
    assert "script" not in page
    assert draw_curves({}, None, "m") == "<p>no epoch yet</p>"


def outcome(number, curve):
    return TrialResult(
        number=number,
        version=f"{number:03d},<i>",
        values={},
        state="complete",
        score=max(curve.values()),
        best_epoch=1,
        curve=curve,
        measures={},
        reason=None,
    )


def test_a_table_has_the_trials_that_run_and_those_that_ended_last_and_escapes_their_names():
    progress = Progress("max", 4, 2, n_epochs=3)
    progress.on_trial_end(outcome(0, {1: 0.25, 2: 0.125}))
    page = build_table(progress.current_status(), "m")

    assert page.startswith("<p>1/4 trials, best m = 0.25 in epoch 1 of 000,&lt;i&gt;, ")
    assert "<td>000,&lt;i&gt;</td><td>complete</td><td>2</td><td>0.125</td><td>0.25</td>" in page
    assert "<i>" not in page


def view_of(monkeypatch, mode="max"):
    """Return a view whose outputs keep what they show."""
    shown = []
    handle = SimpleNamespace(update=lambda found, raw: shown.append(found))
    monkeypatch.setattr("IPython.display.display", lambda found, raw, display_id: handle)
    view = NotebookView.__new__(NotebookView)
    monkeypatch.setattr(
        "tune.api_progress.ProgressView.__init__",
        lambda self, plan: self.__dict__.update(progress=Progress(mode, 9, 1), metric="m", _drawn_at=-math.inf),
    )
    view.__init__(SimpleNamespace(space=SimpleNamespace(mode=mode)))
    return view, shown


def test_a_view_keeps_a_bounded_number_of_curves_and_the_best_and_the_hardcoded_one_among_them(monkeypatch):
    view, _ = view_of(monkeypatch, mode="min")
    for number in range(MOST_CURVES + 10):
        view.on_trial_end(outcome(number, {1: 1.0 + abs(number - 3)}))
    figure = view._figure(is_last=True)["application/vnd.plotly.v1+json"]
    names = [each["name"] for each in figure["data"]]

    assert len(names) == MOST_CURVES + 2
    assert names[-2:] == ["hardcoded", "best: trial 3"]
    assert Counter(names).most_common(1)[0][1] == 1


def test_a_view_draws_plotlys_figure_at_the_end_alone_for_jupyterlab_does_not_draw_it_again(monkeypatch):
    view, shown = view_of(monkeypatch)
    view.draw()
    view.close()

    plotly = ["application/vnd.plotly.v1+json" in each for each in shown]
    assert plotly == [False, False, False, True]


def test_no_kernel_is_no_notebook():
    assert not is_in_notebook()
