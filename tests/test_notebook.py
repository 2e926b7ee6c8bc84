"""The notebook runs from its first cell to its last on a search that has just ended, and is kept without outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import tune

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "experiment.ipynb"
NAMED = 'EXPERIMENT = "lr_bs"'
PATIENCE_S = 300  # a cell, on a machine that others use


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_kept_without_outputs():
    cells = [cell for cell in read().cells if cell.cell_type == "code"]

    assert len(cells) > 5
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}


@pytest.fixture
def searched(ray, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    return tune.search(
        "lr_bs.yaml", trials=3, concurrency=2, scheduler="none", trainer={"max_epochs": 2}, storage=tmp_path
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_every_cell_runs_and_the_score_is_the_searchs_own(searched, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PLOTLY_RENDERER", "json")
    notebook = read()
    (named,) = [cell for cell in notebook.cells if NAMED in cell.source]
    named.source = named.source.replace(NAMED, f"EXPERIMENT = {str(searched.paths.folder)!r}")
    patience = {"timeout": PATIENCE_S, "startup_timeout": PATIENCE_S}
    NotebookClient(notebook, **patience, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()

    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [each.output_type for each in outputs if each.output_type in ("error", "stream")] == ["stream"]
    (told,) = [each.text for each in outputs if each.output_type == "stream"]
    right, seen = re.fullmatch(r"([\d.]+) of 450 images are told right; the search saw ([\d.]+)\n", told).groups()
    assert float(right) == pytest.approx(float(seen), abs=1e-5)
    assert float(seen) == pytest.approx(searched.best.score, abs=1e-5)
    figures = [each.data["application/json"] for each in outputs if "application/json" in each.get("data", {})]
    assert [len(each["data"]) for each in figures] == [3, 2, 8]  # curves; constants; pictures


SEARCH = """
from tune import search
search(
    "lr_bs.yaml", trials=2, concurrency=1, trainer={"max_epochs": 1}, storage=STORAGE, progress=True
)
"""


class Kept(NotebookClient):
    """Keeps every picture that a display is updated with."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "update_display_data":
            self.updates.append(msg["content"]["data"])
        return super().process_message(msg, cell, cell_index)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cell_shows_a_table_and_curves_while_its_search_runs_and_then_the_experiment(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cell = nbformat.v4.new_code_cell(SEARCH.replace("STORAGE", repr(str(tmp_path))))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    patience = {"timeout": PATIENCE_S, "startup_timeout": PATIENCE_S}
    client = Kept(notebook, **patience, resources={"metadata": {"path": ROOT}})
    client.updates = []
    client.execute()

    assert [each.output_type for each in cell.outputs] == ["display_data", "display_data", "execute_result"]
    table, curves, shown = (each.data for each in cell.outputs)
    assert re.fullmatch(
        r"2/2 trials, best Accuracy/Val = [\d.]+ in epoch 1 of .*, \d+:\d\d so far", table["text/plain"]
    )
    assert table["text/html"].count("<tr>") == 3
    figure = curves["application/vnd.plotly.v1+json"]
    assert len(figure["data"]) == 2
    assert curves["text/html"].count("<polyline") == 2
    tables = [each["text/plain"] for each in client.updates if "trials, " in each["text/plain"]]
    assert {each.partition(" ")[0] for each in tables} == {"0/2", "1/2", "2/2"}
    assert shown["text/plain"].startswith("<Experiment lr_bs: 2 of 2 trials, best Accuracy/Val = ")
    assert shown["text/html"].count("<tr>") == 3
