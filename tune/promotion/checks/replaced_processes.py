"""What a program's Trainer says of its processes, and a search replaces: a trial has as many as the search gives it."""

from collections.abc import Iterator, Mapping

from tune.promotion.constant import Constant, ValueFlows
from tune.promotion.find.literals import Unknown
from tune.promotion.find.value_flow import receiving_parameters
from tune.promotion.find_constants import find_all
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option import Option
from tune.promotion.options.option_values import option_in_force
from tune.promotion.program import Program
from tune.space.dimensions import Value
from tune.space.space import Script, Shape

ARGUMENTS = ("devices", "num_nodes", "strategy")
"""Of the Trainer: those of a trial follow from ``workers_per_trial`` and ``gpus_per_trial``."""
OF_ONE_PROCESS = ("auto", "single_")


def process_warnings(program: Program, shape: Shape, trainer: Mapping[str, Value], n_processes: int) -> tuple[str, ...]:
    """Return a warning where the program asks for other processes than the ``n_processes`` of a trial.

    ``trainer``: the arguments that the search says itself.
    """
    found: dict[str, tuple[Value, str]] = {}
    for name, value, where in _find_arguments(program, shape):
        if name not in trainer and _is_replaced(name, value, n_processes):
            found[name] = value, where
    if not found:
        return ()
    n_wanted = max((_count(value) for name, (value, _) in found.items() if name == "devices"), default=2)
    names = [name for name in ARGUMENTS if name in found]
    said = ", ".join(f"{name}={found[name][0]!r}" for name in names)
    number = "one process" if n_processes == 1 else f"{n_processes} processes"
    what = f"{found[names[0]][1]}: a trial trains in {number} on one machine, and not with {said}"
    return (f"{what}; `gpus_per_trial: {n_wanted}` or `workers_per_trial: {n_wanted}` gives it {n_wanted} processes",)


def _find_arguments(program: Program, shape: Shape) -> Iterator[tuple[str, Value, str]]:
    """Yield (argument, value, place) of what the source, the command line and config files give a Trainer."""
    scan = find_all(program)
    args = shape.args if isinstance(shape, Script) else ()
    options = [option_in_force(each, program, args, "args") for each in find_options(program, args)]
    every: list[Constant | Option] = [*scan.constants, *options]
    for held in every:
        name = _argument_of(held, scan.flows)
        if name is not None and not isinstance(held.value, Unknown):
            yield name, held.value, held.where


def _argument_of(held: Constant | Option, flows: ValueFlows) -> str | None:
    """Return the argument of the Trainer that a value becomes; None: another thing, or none of ARGUMENTS."""
    owner, _, last = held.dest.rpartition(".") if isinstance(held, Option) else ("", "", "")
    if owner.rpartition(".")[2] == "trainer":
        return last if last in ARGUMENTS else None
    reached = receiving_parameters(held, flows)
    return next((name for callee, name in reached if callee == "Trainer" and name in ARGUMENTS), None)


def _is_replaced(name: str, value: Value, n_processes: int) -> bool:
    if name == "strategy":
        return n_processes == 1 and isinstance(value, str) and not value.startswith(OF_ONE_PROCESS)
    return _count(value) > 1 and not (name == "devices" and _count(value) == n_processes)


def _count(value: Value) -> int:
    """Return how many devices or nodes a value means; 0: as many as there are."""
    match value:
        case bool():
            return 0
        case int():
            return max(value, 0)
        case list() | tuple():
            return len(value)
        case str() if "," in value:
            return len([each for each in value.split(",") if each.strip()])
        case str() if value.isdecimal():
            return int(value)
        case _:
            return 0
