"""What trials take of a GPU, as the pre-flight measures it: memory, and how busy one keeps the GPU.

Each configuration is trained in a process of its own, which gives all back as it ends: the hardcoded one for some
seconds of steps, the others for a batch or two.
"""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

from tune.errors import NoRoomError
from tune.experiment.gpu_records import CONTEXT_BYTES, GpuMemoryReport, MemoryFootprint
from tune.experiment.records import Failure
from tune.space.dimensions import Value
from tune.trial.gpu.gpu_reader import GpuReading
from tune.trial.lightning.model_signature import StopBeforeTraining
from tune.trial.messages import is_out_of_memory

WARM_UP_S = 1.0
"""From the end of the first batch: NVML tells of the last second, and a first step compiles and chooses kernels.

Of a training that is over by then the last reading counts.
"""
STEPS_S = 3.0
"""Seconds of steps after that."""
SAMPLE_S = 0.2


Train = Callable[[Mapping[str, Value], bool], GpuReading]
"""Trains a configuration; with True for some seconds of steps, else for a batch or two."""


def measure_share(
    loads: Mapping[str, Mapping[str, Value]], train: Train, explain: Callable[[BaseException], Failure]
) -> GpuMemoryReport:
    """Return what each load takes, by what it is called; whatever one raises is in its footprint.

    ``explain`` makes a failure of an exception.
    """
    first: GpuReading | None = None
    footprints: list[MemoryFootprint] = []
    for what, values in loads.items():
        try:
            reading = train(values, not footprints)
        except NoRoomError:
            raise
        except (Exception, SystemExit) as error:
            failure = explain(error)
            overflows = is_out_of_memory(failure.kind, failure.message)
            footprints.append(MemoryFootprint(what=what, peak_bytes=0, failure=failure.reason, overflows=overflows))
        else:
            first = first or reading
            footprints.append(MemoryFootprint(what=what, peak_bytes=reading.peak_bytes))
    return GpuMemoryReport(
        total_bytes=0 if first is None else first.total_bytes,
        free_bytes=0 if first is None else first.free_bytes,
        context_bytes=CONTEXT_BYTES if first is None else first.context_bytes,
        footprints=tuple(footprints),
        utilization=None if first is None else first.utilization,
    )


class StepTimer:
    """The logic of a callback that ends a training after some seconds of steps, whichever Lightning it is for."""

    def __init__(self, read_utilization: Callable[[], float | None]) -> None:
        self._read = read_utilization
        self._warm_at: float | None = None
        self._read_at = 0.0
        self._while_warming: float | None = None  # the last one
        self._readings: list[float] = []

    @property
    def utilization(self) -> float | None:
        """The mean of what was read; None where nothing was."""
        return sum(self._readings) / len(self._readings) if self._readings else self._while_warming

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *batch: Any, **more: Any) -> None:
        """Read how busy the GPU was; end the training where that was read for long enough."""
        now = time.monotonic()
        if self._warm_at is None:
            self._warm_at, self._read_at = now + WARM_UP_S, now
        if now - self._read_at >= SAMPLE_S:
            self._read_at = now
            self._keep_reading(self._read(), is_warm=now >= self._warm_at)
        if now >= self._warm_at + STEPS_S:
            raise StopBeforeTraining

    def _keep_reading(self, utilization: float | None, *, is_warm: bool) -> None:
        if utilization is not None and is_warm:
            self._readings.append(utilization)
        elif utilization is not None:
            self._while_warming = utilization


class StepEachBatch:
    """The logic of a callback that lets the optimizers step at each batch, whatever the program says as it trains.

    An optimizer makes its state in its first step, and a forward is to be measured beside it. A callback of
    Lightning's, or the model itself, may set how many batches a step has as an epoch starts.
    """

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *batch: Any) -> None:
        """Let this batch be a whole step."""
        trainer.accumulate_grad_batches = 1


@lru_cache
def step_each_batch_class(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("StepEachBatch", (StepEachBatch, package.Callback), {})


@lru_cache
def step_timer_class(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("StepTimer", (StepTimer, package.Callback), {})
