"""Make the documentation's pictures anew, from a real search: ``python -m tests.pictures``.

Needs Chromium; takes a minute.
"""

import contextlib
import json
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.browser import DEEP_TEXT, chromium
from tests.pictures import FOLDER, RECORD, ROOT
from tests.pictures.screen import page_of
from tests.pictures.shown import digests
from tests.terminal import Terminal, python
from tune.results.dashboards import serve_tensorboard

COMMAND = "python run_search.py --space lr_bs.yaml"
DIM = ("running ", "ended", "Ctrl-C")
N_COLOURS = 96
SETTLED_S = 2.0  # what moves has come to rest
PATIENCE_S = 600  # for the search, on a machine that others use
HALF_WAY = r"(?s)^lr_bs .* (?:[4-9]|1\d)/20 trials.*^running.*[▁-█]{2}"


def main():
    with tempfile.TemporaryDirectory() as home:
        page = search(Path(home))
        experiment = Path(home) / "ray_results" / "lr_bs"
        FOLDER.mkdir(parents=True, exist_ok=True)
        with chromium() as browser:
            look_at(browser, page.as_uri(), "terminal.png", "return true", element="#terminal", width=1200, scale=1.5)
            with serve_tensorboard(experiment) as address:
                versions = [folder.name for folder in sorted(experiment.glob("0*"))][:10]
                look_at(browser, f"{address}#hparams", "hparams.png", DEEP_TEXT, versions, width=1300, height=620)
            drawn = "return document.querySelectorAll('figure.plot[data-drawn]').length >= 2"
            look_at(browser, (experiment / "report.html").as_uri(), "report.png", drawn, width=1100, height=1560)
    RECORD.write_text(json.dumps(digests(), indent=2) + "\n", encoding="utf-8")


def search(home):
    """Search in a terminal; return a page that shows it as it was half-way."""
    environment = {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    terminal = Terminal(python(*COMMAND.split()[1:]), columns=104, rows=28, environment=environment, cwd=ROOT)
    with contextlib.closing(terminal):
        terminal.wait_for(HALF_WAY, PATIENCE_S)
        page = home / "terminal.html"
        with terminal.still() as screen:
            page.write_text(page_of(COMMAND, screen, DIM), encoding="utf-8")
        assert terminal.end(PATIENCE_S) == 0, terminal.text
    return page


def look_at(browser, address, name, ready, *given, element=None, **size):
    """Write what a page shows once it is ready, in few colours."""
    browser.look(**size)
    browser.open(address)
    browser.wait(ready, *given)
    time.sleep(SETTLED_S)
    path = FOLDER / name
    browser.picture(path, element)
    with Image.open(path) as image:
        image.convert("RGB").quantize(N_COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KiB")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
