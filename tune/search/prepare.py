"""A search without errors, as far as can be told without running the program."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.cluster.backend import Backend
from tune.cluster.resources import Resources
from tune.paths import check_name
from tune.promotion.program import Program, find_program
from tune.promotion.program_checks import DataLoaderWorkers, check_folder, check_names, most_workers
from tune.promotion.resolve import PromotedConstant, hardcoded_values, resolve_constants
from tune.promotion.space_checks import check_feasible
from tune.search.schedulers.epochs import check_epochs
from tune.space.dimensions import could_draw, n_points
from tune.space.space import Space, check_settings
from tune.storage_url import check_utf8


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
    check_names(program)
    check_folder(Path.cwd())
    promoted = resolve_constants(space, program)
    check_feasible(space, {item.key: item.dimension for item in promoted}, hardcoded_values(promoted))
    check_epochs(space, program)
    workers = most_workers(program, promoted)
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
