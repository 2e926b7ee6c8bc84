"""Train configurations for a batch or two, one after the other, and see what each takes of the GPU's memory."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tune.experiment.records import Failure
from tune.promotion.execute import Executor
from tune.promotion.snapshot import Snapshot
from tune.space.dimensions import Value
from tune.trial.messages import GpuMemoryReport, Job, MemoryFootprint, TrialTask, is_out_of_memory
from tune.trial.process.gpu_devices import CudaMemoryReader, MemoryReader
from tune.trial.program_run import ignore_report
from tune.trial.trial_runner import TrialRunner

SCRATCH = "weighed-"


def measure_configs(
    job: Job, seed: int, loads: Mapping[str, dict[str, Value]], gauge: MemoryReader | None = None
) -> GpuMemoryReport:
    """Return what each load takes, by what it is called; this process is to end behind it, and give all back.

    A load is a configuration, as a TrialTask has it. Whatever one raises is in its footprint.
    """
    gauge = gauge or CudaMemoryReader()
    total, free = gauge.read_total_and_free()
    executor = Executor(
        Snapshot(job.snapshot, job.program), {key: constant.sites for key, constant in job.constants.items()}
    )
    found = []
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
        for number, (what, values) in enumerate(loads.items()):
            version = str(Path(scratch) / str(number))
            task = TrialTask(
                number=number, version=version, seed=seed, values=values, preflight=True, rehearsal=True, weighs=True
            )
            gauge.reset_peak()
            record = TrialRunner(job, task, executor).run_trial(ignore_report, lambda *_: None)
            found.append(_create_footprint(what, gauge.read_peak(), record.failure))
    return GpuMemoryReport(
        total_bytes=total, free_bytes=free, context_bytes=gauge.read_context_bytes(), footprints=tuple(found)
    )


def _create_footprint(what: str, peak_bytes: int, failure: Failure | None) -> MemoryFootprint:
    if failure is None:
        return MemoryFootprint(what=what, peak_bytes=peak_bytes)
    overflows = is_out_of_memory(failure.kind, failure.message)
    return MemoryFootprint(what=what, peak_bytes=peak_bytes, failure=failure.reason, overflows=overflows)
