"""What stands before Ray starts: a search without errors, as far as can be told, and the job that its trials share."""

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.cluster.auto_gpu_share import configs_to_measure
from tune.cluster.backend import Backend
from tune.cluster.resources import Resources
from tune.experiment.environment import name_gpus, visible_gpus
from tune.paths import check_name
from tune.promotion.checks.program_checks import DataLoaderWorkers, check_modules, most_workers
from tune.promotion.checks.replaced_values import find_replacements
from tune.promotion.checks.space_checks import N_DRAWS, allowed_options, check_feasible
from tune.promotion.constant import Constant, ConstantKind
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import find_constants
from tune.promotion.options.option import Option
from tune.promotion.program import Program, find_program
from tune.promotion.resolve import PromotedConstant, hardcoded_values, resolve_constants
from tune.search.schedulers.trial_length import check_epochs, find_epochs_constant
from tune.space.conditions import draw_config
from tune.space.dimensions import Choice, Value, could_draw, extreme_values, n_points
from tune.space.search_methods import SCHEDULERS
from tune.space.settings import AUTO
from tune.space.space import Script, Space, check_settings
from tune.storage_url import check_utf8
from tune.trial.messages import Job, TrialObjective


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """A search without errors, as far as can be told without running the program."""

    space: Space
    program: Program
    promoted: tuple[PromotedConstant, ...]
    resources: Resources
    workers: DataLoaderWorkers
    """Of the program's DataLoaders."""
    storage: Path
    name: str | None
    """None: the space file's name, with a number if that is taken."""


def prepare_search(space: Space, machine: Backend, storage: Path, name: str | None) -> SearchPlan:
    """Raise a UserError at whatever is wrong; on this machine this imports neither torch nor Ray nor Optuna."""
    check_settings(space)
    program = find_program(space.program)
    check_utf8(str(program.path), "the program")
    check_utf8(str(Path.cwd()), "the working directory")
    check_modules(program)
    promoted = resolve_constants(space, program)
    check_feasible(space, {item.key: item.dimension for item in promoted}, hardcoded_values(promoted))
    check_epochs(space, program)
    workers = most_workers(program, promoted, space.shape)
    checked_name = None if name is None else check_name(name)
    return SearchPlan(
        space=space,
        program=program,
        promoted=promoted,
        resources=machine.allocate_resources(space.settings, program, storage, workers.number),
        workers=workers,
        storage=storage,
        name=checked_name,
    )


def count_trials(space: Space, promoted: Sequence[PromotedConstant]) -> int:
    """Return how many trials a search will have: a grid may have fewer points than trials were asked for.

    Conditions and requirements may leave out some more; that only visiting them tells.
    """
    if space.settings.sampler != "grid":
        return space.settings.trials
    known = hardcoded_values(promoted)
    on_grid = all(item.key in known and could_draw(item.dimension, known[item.key]) for item in promoted)
    n = math.prod(n_points(item.dimension) for item in promoted)
    return int(min(space.settings.trials, n if on_grid else n + 1))  # the baseline is trained, too


def build_job(
    space: Space, program: Program, promoted: Sequence[PromotedConstant], snapshot: Path, resources: Resources
) -> Job:
    """Return the part of a search that all its trials share."""
    epochs = find_epochs_constant(program)
    accelerator = {"accelerator": "gpu" if resources.gpus_per_trial else "cpu"}
    return Job(
        program=program,
        snapshot=snapshot,
        shape=space.shape,
        constants={item.key: item.constant for item in promoted if isinstance(item.constant, Constant)},
        symbols={
            item.key: item.dimension.options
            for item in promoted
            if item.is_symbol and isinstance(item.dimension, Choice)
        },
        options={item.key: item.constant for item in promoted if isinstance(item.constant, Option)},
        probes=_choose_probes(space, promoted),
        others={item.key: extreme_values(item.dimension) for item in promoted},
        replaced=find_replacements(
            program,
            {item.key: item.constant for item in promoted},
            space.shape.args if isinstance(space.shape, Script) else (),
        ),
        hardcoded=_hardcoded_constants(program, promoted),
        objective=TrialObjective(
            metric=space.metric, mode=space.mode, others=tuple(each.metric for each in space.others)
        ),
        fits=None if space.settings.fits == AUTO else space.settings.fits,
        checkpoints=space.settings.checkpoints,
        pauses_trials=SCHEDULERS[space.settings.scheduler].pauses_trials and space.stops_early,
        trainer={**accelerator, **space.settings.trainer},
        epochs_constant=None if epochs is None else epochs.name,
        n_threads=resources.n_threads,
        n_ranks=resources.workers_per_trial,
        gpu_share=trained_share(space, resources),
        folder=Path.cwd(),
        own_folder=space.settings.own_folder,
        loads=configs_to_measure(space, promoted) if resources.is_measured else {},
        holdout=space.settings.holdout,
        seeds_per_trial=space.settings.seeds_per_trial,
        gate=f"preflight of {snapshot}",
        # What may tell whether a constant can change while a trial trains: a range's ends, a choice's values
        mutants={item.key: extreme_values(item.dimension) for item in promoted}
        if space.settings.scheduler == "pbt" and space.stops_early
        else {},
        hang_after_s=space.settings.hang_after_s,
        travels=resources.reached is not None and resources.reached.travels,
    )


def trained_share(space: Space, resources: Resources) -> float:
    """Return how much of a GPU a trial trains on; one that has a GPU may train on the CPU."""
    return resources.gpus_per_trial if space.settings.trainer.get("accelerator") != "cpu" else 0


def name_trial_gpus(space: Space, resources: Resources) -> str:
    """Return the names of the GPUs that trials may train on; on a cluster those of this machine."""
    if not trained_share(space, resources):
        return ""
    return name_gpus(",".join(resources.gpus)) if resources.gpus else visible_gpus()


def _choose_probes(space: Space, promoted: Sequence[PromotedConstant]) -> tuple[dict[str, Value], ...]:
    """Return values for the options that vary, others than the baseline's: the first of their ranges, and the last.

    Where the space's requirements refuse those, it is an allowed one of 1,000 draws.
    """
    known = hardcoded_values(promoted)
    dimensions = {item.key: item.dimension for item in promoted if isinstance(item.constant, Option)}
    if not dimensions:
        return ()
    others = {key: [v for v in extreme_values(each) if v != known.get(key)] for key, each in dimensions.items()}
    ends = [{key: each[place] for key, each in others.items() if each} for place in (0, -1)]
    rng = random.Random(space.settings.seed)  # noqa: S311 - no secret
    drawn = [draw_config(dimensions, {}, rng) for _ in range(N_DRAWS)] if space.requirements else []
    allowed = (allowed_options(space, values, known) for values in (*ends, *drawn))
    return tuple(itertools.islice((values for values in allowed if values), 2))


def _hardcoded_constants(program: Program, promoted: Sequence[PromotedConstant]) -> dict[str, Value]:
    taken = {item.constant.sites for item in promoted if isinstance(item.constant, Constant)}
    return {
        constant.name: constant.value
        for constant in find_constants(program)
        if constant.sites[0].source == program.source.name
        and constant.form in (ConstantKind.VARIABLE, ConstantKind.FIELD)
        and constant.sites not in taken
        and not isinstance(constant.value, Unknown)
    }
