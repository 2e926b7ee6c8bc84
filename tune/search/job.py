"""What all trials of a search share: its job."""

from collections.abc import Sequence
from pathlib import Path

from tune.promotion.constants import Constant, Form, find_constants
from tune.promotion.literals import Unknown
from tune.promotion.options import Option
from tune.promotion.program import Program
from tune.promotion.resolve import Promoted
from tune.search.machines.resources import Resources
from tune.search.scheduling.epochs import epochs_constant
from tune.space.dimensions import Value, extremes
from tune.space.settings import AUTO
from tune.space.space import Space
from tune.trial.task import Job


def build_job(
    space: Space, program: Program, promoted: Sequence[Promoted], snapshot: Path, resources: Resources
) -> Job:
    """Return the part of a search that all its trials share."""
    epochs = epochs_constant(program)
    return Job(
        program=program,
        snapshot=snapshot,
        shape=space.shape,
        constants={item.key: item.constant for item in promoted if isinstance(item.constant, Constant)},
        options={item.key: item.constant for item in promoted if isinstance(item.constant, Option)},
        hardcoded=_hardcoded(program, promoted),
        metric=space.metric,
        mode=space.mode,
        others=tuple(each.metric for each in space.others),
        fits=None if space.settings.fits == AUTO else space.settings.fits,
        pauses_trials=space.settings.scheduler in ("hyperband", "pbt") and space.stops_early,
        trainer=_trainer(space, resources),
        epochs_constant=None if epochs is None else epochs.name,
        n_threads=resources.n_threads,
        n_ranks=resources.workers_per_trial,
        gpu_share=resources.gpus_per_trial if space.settings.trainer.get("accelerator") != "cpu" else 0,
        folder=Path.cwd(),
        own_folder=space.settings.own_folder,
        gate=f"preflight of {snapshot}",
        mutants=_mutants(promoted) if space.settings.scheduler == "pbt" and space.stops_early else {},
        hang_after_s=space.settings.hang_after_s,
        travels=resources.reached is not None and resources.reached.travels,
    )


def _mutants(promoted: Sequence[Promoted]) -> dict[str, tuple[Value, ...]]:
    """Return what may tell whether a constant can change while a trial trains: a range's ends, a choice's values."""
    return {item.key: extremes(item.dimension) for item in promoted}


def _trainer(space: Space, resources: Resources) -> dict[str, Value]:
    accelerator = {"accelerator": "gpu" if resources.gpus_per_trial else "cpu"}
    return {**accelerator, **space.settings.trainer}


def _hardcoded(program: Program, promoted: Sequence[Promoted]) -> dict[str, Value]:
    taken = {item.constant.sites for item in promoted if isinstance(item.constant, Constant)}
    return {
        constant.name: constant.value
        for constant in find_constants(program)
        if constant.sites[0].source == program.source.name
        and constant.form in (Form.VARIABLE, Form.FIELD)
        and constant.sites not in taken
        and not isinstance(constant.value, Unknown)
    }
