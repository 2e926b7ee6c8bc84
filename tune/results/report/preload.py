"""Make ready for a report: its libraries take longer to import than it takes to write."""

import functools
import gc
import importlib

from tune.gc_control import collector_paused
from tune.results.report.page import plotly_js

LIBRARIES = (
    "optuna.importance",
    "optuna.visualization",
    "plotly.graph_objects",
    "jinja2",
    "tune.results.report.build_report",
)


@functools.cache
def preload_libraries() -> None:
    """Import them, and pack plotly.js, once; the report is faster then, and no different."""
    with collector_paused():
        for library in LIBRARIES:
            importlib.import_module(library)
        gc.freeze()
    plotly_js()
