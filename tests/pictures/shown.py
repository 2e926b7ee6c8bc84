"""What decides how a picture looks, as a text that any machine makes alike: the same things drawn from made-up trials.

A picture is out of date when this text is another one. What a change leaves as it looks leaves the text alone.
"""

import base64
import gzip
import hashlib
import io
import json
import re
import tempfile
from collections import Counter
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from rich.console import Console
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tests.cli.view import outcome
from tests.pictures import ROOT
from tests.recorded import searched
from tune.cli.terminal.live_frame import Frame
from tune.cli.terminal.live_view import USUAL
from tune.experiment.open import open_experiment
from tune.results.report.build_report import write_report
from tune.results.report.page import ASSETS
from tune.search.progress import BestTrial, Running, SearchStatus
from tune.trial.checkpoints.event_files import session_start

SEARCHED = ("search_spaces/lr_bs.yaml", "lit/digits.py")  # what the pictures are of
NUMBER = re.compile(r"-?\d[\d.,]*(?:e[-+]?\d+)?")
BELOW = "<h2>What the constants do</h2>"  # where the picture of the report ends
FIGURES = re.compile(r'<script type="text/plain" id="figures"[^>]*>([^<]*)')


def digests():
    """Return a digest for each picture."""
    subject = "".join((ROOT / each).read_text(encoding="utf-8") for each in SEARCHED)
    texts = {"terminal.png": terminal(), "hparams.png": hparams(), "report.png": report()}
    return {name: hashlib.sha256((subject + text).encode()).hexdigest() for name, text in texts.items()}


def terminal():
    """Return the live view of made-up trials, with its colours."""
    curve = {1: 0.5, 2: 0.75, 3: 0.7}
    ended = [outcome(0, "000,baseline", curve, "complete", ""), outcome(1, "001,LR=0.1", {1: 0.1}, "pruned", "")]
    standing = SearchStatus(
        n_trials=20,
        counts=Counter(complete=1, pruned=1, failed=1, running=2),
        running=(
            Running(number=4, version="004,LR=0.02", started=95.0, in_preflight=False, curve=curve, n_epochs=10),
            Running(number=5, version="005,LR=0.03", started=99.0, in_preflight=False),
        ),
        latest=(*ended, outcome(2, "002,LR=1", {}, "failed", "ValueError: no")),
        best=BestTrial(version="004,LR=0.02", score=0.75, epoch=2),
        baseline=BestTrial(version="000,baseline", score=0.7, epoch=3),
        phase="trials run",
        has_ended=False,
        elapsed_s=30.0,
        left_s=60.0,
    )
    frame = Frame(title="lr_bs", metric="Accuracy/Val", standing=standing, now=100.0, phase="", said=USUAL)
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system="truecolor", width=100, height=30, _environ={}
    )
    console.print(frame)
    return console.file.getvalue()


def hparams():
    """Return what the HPARAMS tab learns of a trial; the rest of the tab is TensorBoard's."""
    summary = session_start({"LR": 0.001, "BATCH_SIZE": 64, "KIND": "relu", "BIAS": True}, 0.0)
    said = HParamsPluginData.FromString(summary.value[0].metadata.plugin_data.content)
    return json.dumps(MessageToDict(said), sort_keys=True)


def report():
    """Return the part of a report that the picture shows, of made-up trials, with its style sheet and script.

    Without its numbers, whose last digits differ from machine to machine.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = searched(Path(folder), 60)
        html = write_report(open_experiment(str(paths.folder), paths.folder)).read_text(encoding="utf-8")
    drawn = json.loads(gzip.decompress(base64.b64decode(FIGURES.search(html)[1])))
    figures = json.dumps({name: drawn[name] for name in ("history", "curves")}, sort_keys=True)
    body, below, _ = html.replace(folder, "").partition("<body>")[2].partition(BELOW)
    assert below
    assets = [(ASSETS / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")]
    return "".join([NUMBER.sub("0", body + figures), *assets])
