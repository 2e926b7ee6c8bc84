"""Make ready for a report: its libraries take longer to import than it takes to write."""

import importlib

from tune.results.report.bundle import plotly_js

LIBRARIES = ("optuna.importance", "optuna.visualization", "plotly.graph_objects", "jinja2")


def prepare() -> None:
    """Import them, and pack plotly.js; the report is faster then, and no different."""
    for library in LIBRARIES:
        importlib.import_module(library)
    plotly_js()
