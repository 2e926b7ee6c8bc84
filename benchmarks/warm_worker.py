"""What a warm worker adds to a trial beyond the program's own work, and whether it grows.

    python -m benchmarks.warm_worker [--trials 300] [--repeats 5]

One process, no Ray: trials of ``lit/digits.py``, one epoch each. Prints

- executing the program afresh: milliseconds to import it from the snapshot with values in force, beyond executing the
  compiled bodies of its modules bare;
- outside of ``Trainer.fit``: milliseconds of a whole trial less its fit;
- memory: resident after the last trial over resident after the 20th.
"""

import argparse
import contextlib
import gc
import os
import statistics
import tempfile
import time
from pathlib import Path
from types import ModuleType

import psutil

from tune.promotion.constants import find_constant, find_constants
from tune.promotion.execute import Executor
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot
from tune.space.space import System
from tune.trial.run import TrialRun
from tune.trial.task import Job, Task

ROOT = Path(__file__).parent.parent
SETTLED = 20
"""Trials after which a worker should have all that it will ever hold."""


def main() -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        job, executor = _worker(Path(folder))
        added = [_execution_ms(executor) for _ in range(options.repeats)]
        outside, memory = _trials(job, executor, Path(folder), options.trials)
    per = max(1, len(outside) // options.repeats)
    parts = [statistics.median(outside[start : start + per]) for start in range(0, per * options.repeats, per)]
    print(f"executing the program afresh, ms beyond its bodies: {_spread(added)}   (target: under 50)")
    print(f"a trial outside of fit, ms:                         {_spread(parts)}")
    growth = memory[-1] / memory[min(SETTLED, len(memory)) - 1]
    print(f"resident memory, last over {SETTLED}th of {len(memory)} trials:  {growth:.3f}   (target: under 1.2)")


def _worker(folder: Path) -> tuple[Job, Executor]:
    program = find_program(ROOT / "lit" / "digits.py")
    snapshot = take_snapshot(program, folder / "source")
    constants = {"LR": find_constant("LR", program, find_constants(program), "here")}
    job = Job(
        program=program,
        snapshot=snapshot.folder,
        shape=System(),
        constants=constants,
        options={},
        hardcoded={},
        metric="Accuracy/Val",
        mode="max",
        trainer={"max_epochs": 1, "accelerator": "cpu"},
        epochs_constant=None,
        n_threads=1,
        folder=Path.cwd(),
        gate="none",
    )
    return job, Executor(snapshot, {key: constant.sites for key, constant in constants.items()})


def _execution_ms(executor: Executor) -> float:
    """Return the median of ten: our import of the program, less its module's bare body."""
    path = executor.snapshot.program.path
    ours, bare = [], []
    for _ in range(10):
        started = time.perf_counter()
        with executor.execute({"LR": 0.01}):
            pass
        ours.append(time.perf_counter() - started)
        module = ModuleType("bare")
        module.__dict__["__promoted__"] = {}
        code = executor.code_of(path)
        started = time.perf_counter()
        exec(code, module.__dict__)
        bare.append(time.perf_counter() - started)
    return 1000 * (statistics.median(ours) - statistics.median(bare))


def _trials(job: Job, executor: Executor, folder: Path, n_trials: int) -> tuple[list[float], list[int]]:
    """Run trials; return (ms outside of fit, resident bytes) after each."""
    process = psutil.Process()
    outside, memory = [], []
    for number in range(n_trials):
        task = Task(
            number=number, version=str(folder / f"{number:03d}"), seed=0, values={"LR": 0.001 * (1 + number % 7)}
        )
        started = time.perf_counter()
        record = TrialRun(job, task, executor).run(lambda epoch, value, last, others: False, lambda: None)
        whole = time.perf_counter() - started
        assert record.fit_s is not None, record.failure
        if number == 0:
            gc.freeze()  # as the worker does
        outside.append(1000 * (whole - record.fit_s))
        memory.append(process.memory_info().rss)
    return outside, memory


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f}, {len(values)} repeats)"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with contextlib.suppress(KeyboardInterrupt):
        main()
