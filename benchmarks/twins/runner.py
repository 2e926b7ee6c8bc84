"""Runs plain programs, each in a process that is forked from this one, so that what they import is imported once.

    python -m benchmarks.twins.runner

This process has imported torch, Lightning and what a fit of Lightning's imports, and nothing of `tune/`: a run is what
`python PROGRAM` is, with the same bits.

A line of standard input is a request, and a line of standard output says that the run is over. The program gets nothing
but a seed, as each trial does, and a ``ModelCheckpoint`` in each of its Trainers, which keeps every monitored value.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning
import tensorboard.backend.event_processing.event_file_loader
import torch
import torchmetrics

IMPORTED = (tensorboard, torchmetrics)
"""What most programs import."""
IMPORTED_BY_FITS = ("s3fs", "omegaconf", "rich._emoji_codes", "torch.utils.tensorboard", "torch.optim.swa_utils")
"""What a fit, or the table of a model's layers, imports where it is installed."""


class Monitor:
    """Keeps all values of the metric; a fit that does not log the metric is left out. Below a ``ModelCheckpoint``."""

    monitor: str
    best_k_models: dict[str, Any]

    @property
    def curve(self) -> list[float]:
        """The values in their order."""
        return [float(value) for value in self.best_k_models.values()]

    def state_dict(self) -> dict[str, Any]:
        """Leave nothing in checkpoints: the program's ``ckpt_path="best"`` would put the values of then back."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the values."""

    def _save_topk_checkpoint(self, trainer: Any, monitor_candidates: dict[str, Any]) -> None:
        if self.monitor in monitor_candidates:
            super()._save_topk_checkpoint(trainer, monitor_candidates)  # type: ignore[misc]


def main() -> None:
    """Run one program a line."""
    for name in IMPORTED_BY_FITS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        importlib.import_module(request["package"])  # once for all that use it
        gc.freeze()  # no collector of a child writes to the pages that it shares with this process
        child = os.fork()
        if child == 0:
            sys.exit(_run(request))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(request: dict[str, Any]) -> int:
    """Run a program as ``__main__``; return its exit status."""
    _redirect_output(request["log"])
    os.chdir(request["folder"])
    torch.set_num_threads(request["n_threads"])
    pytorch_lightning.seed_everything(request["seed"], workers=True, verbose=False)
    code = 0
    with _monitored(request) as monitors:
        try:
            _execute(request["words"])
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
            code = 1
    fits = [
        {"curve": each.curve, "best": None if each.best_model_score is None else float(each.best_model_score)}
        for each in monitors
    ]
    Path(request["result"]).write_text(json.dumps(fits))
    return code


def _execute(words: list[str]) -> None:
    if words[0] == "-m":
        sys.argv[:] = words[1:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = words
        sys.path[0] = str(Path(words[0]).resolve().parent)
        runpy.run_path(words[0], run_name="__main__")


def _redirect_output(log: str) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(target, 1)
    os.dup2(target, 2)


@contextlib.contextmanager
def _monitored(request: dict[str, Any]) -> Iterator[list[Any]]:
    """Append a monitor to the callbacks of each Trainer."""
    package = importlib.import_module(request["package"])
    monitor_class = type("Monitor", (Monitor, package.callbacks.ModelCheckpoint), {})
    monitors: list[Any] = []
    before = package.Trainer.__init__

    @functools.wraps(before)
    def replacement(trainer: Any, *args: Any, **given: Any) -> None:
        before(trainer, *args, **given)
        monitor = monitor_class(
            Path(request["monitors"]) / str(len(monitors)),
            monitor=request["metric"],
            mode=request["mode"],
            save_top_k=-1,
            save_weights_only=True,
            **request["monitor"],
        )
        monitors.append(monitor)
        trainer.callbacks.append(monitor)

    package.Trainer.__init__ = replacement
    try:
        yield monitors
    finally:
        package.Trainer.__init__ = before


if __name__ == "__main__":
    main()
