"""A run of a batch or two, which tells what a program logs where its source does not."""

import contextlib
import tempfile
from pathlib import Path

from tune.errors import MetricError
from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.checks.program_checks import check_folder
from tune.promotion.metric.metric import Metric, choose_of_logged
from tune.promotion.program import Program
from tune.space.dimensions import Value
from tune.space.settings import Settings
from tune.space.space import Shape, Space

IN_A_RUN = "logged in a run of a batch or two"
IN_THE_PREFLIGHT = "logged in the pre-flight"


def run_for_metric(program: Program, shape: Shape, trainer: dict[str, Value]) -> Metric:
    """Run the program for a batch or two, and choose among what it logs. Here torch and Ray are imported.

    ``trainer``: arguments of its Trainer that win over its own.
    """
    from tune.cluster.process_server import ray_temp_folder
    from tune.cluster.resources import plan_resources
    from tune.experiment.records import read_record
    from tune.search.run import KEPT_NOTHING, run_search
    from tune.search.spec import Search
    from tune.trial.fits import NEVER_FITS, NEVER_FITS_HINT

    check_folder(Path.cwd())
    settings = Settings(trials=1, trainer=trainer)
    space = Space(
        path=program.path.with_suffix(".yaml"),
        program=program.path,
        shape=shape,
        metric="",  # no program logs it
        mode="min",
        dimensions={},
        settings=settings,
        lines={},
    )
    with (
        ray_temp_folder() as scratch,  # it is removed even where this process is killed
        tempfile.TemporaryDirectory(prefix="run-", dir=scratch, ignore_cleanup_errors=True) as folder,
    ):
        search = Search(
            space=space,
            program=program,
            promoted=(),
            resources=plan_resources(settings, None),
            paths=ExperimentPaths(Path(folder)),
            rehearsal=True,
        )
        with contextlib.suppress(MetricError):  # as expected: the records hold what is logged
            if (fault := run_search(search).fault) is not None:
                raise type(fault)(fault.where, fault.what, KEPT_NOTHING)
        found = (read_record(VersionPaths(version)) for version in Path(folder).iterdir() if version.is_dir())
        records = [record for record in found if record is not None]
    logged = next((record for record in records if record.logged), None)
    if logged is None:
        if any(each.failure is not None and each.failure.message == NEVER_FITS for each in records):
            raise MetricError(None, NEVER_FITS, NEVER_FITS_HINT)
        raise MetricError(None, "the program logs no metric", "Log a metric with self.log.")
    is_judged = any(logged.logged_in.get(stage) for stage in ("val", "validate"))
    origin = IN_A_RUN if is_judged else f"{IN_A_RUN}, and nothing in validation"
    return choose_of_logged(logged.logged, origin, logged.logged_in)


def is_found_by_a_run(metric: Metric) -> bool:
    """Tell whether the source does not tell the metric, so that the program was run."""
    return metric.origin.startswith((IN_A_RUN, IN_THE_PREFLIGHT))
