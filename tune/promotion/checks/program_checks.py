"""What the source of a program says about a search: warnings, DataLoader workers, exported notebooks."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.errors import ProgramError
from tune.invocation import PACKAGE
from tune.promotion.checks.outside_modules import outside_warnings
from tune.promotion.constant import Constant, ConstantKind
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.scan import is_main_guard
from tune.promotion.find_constants import find_constants
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.options.option_values import option_in_force
from tune.promotion.program import Program, Source
from tune.promotion.resolve import PromotedConstant
from tune.space.dimensions import Value, extreme_values, is_int
from tune.space.space import Script, Shape
from tune.space.suggest_range import words_of

BUILDERS = frozenset({OptionParser.HYDRA, OptionParser.LIGHTNING_CLI})
"""What may build an object from a config, with values that no call in the source passes."""
LAST_WORD = re.compile(r"[A-Za-z]\w*(?=\W*$)")
LIMIT = "limit_val_batches"
NAMES = frozenset({"num_workers", "n_workers", "workers"})
"""The last word of what programs call them: ``DataLoader.num_workers``, ``NUM_WORKERS``, ``--workers``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLoaderWorkers:
    """What a DataLoader is given."""

    number: int
    where: str
    """``lit/digits.py:95``."""


def most_workers(
    program: Program, promoted: Sequence[PromotedConstant] = (), shape: Shape | None = None
) -> DataLoaderWorkers:
    """Return the most that any trial may ask for; none where the source names no number.

    ``shape``: how the program is run; the arguments of a script may say the number.
    """
    found = _find_workers(program, promoted, shape.args if isinstance(shape, Script) else ())
    return max(found, key=lambda each: each.number, default=DataLoaderWorkers(number=0, where=""))


def core_shortage_warnings(workers: DataLoaderWorkers, n_cores: float) -> tuple[str, ...]:
    """Return a warning where a trial's cores do not go round."""
    if workers.number <= n_cores:
        return ()
    enough = max(1, int(n_cores))
    cores = f"{n_cores:g} CPU core{'s' if n_cores != 1 else ''}"
    return (f"{workers.where}: {workers.number} DataLoader workers, and a trial has {cores}: {enough} would do",)


def validation_limit_doubts(keys: Iterable[str], trainer: Mapping[str, Value], program: Program) -> tuple[str, ...]:
    """Return a warning where a number of batches, of a size that is searched, is all that trials are judged on.

    ``keys``: of the constants that are searched; ``trainer``: arguments that win over the program's own.
    """
    sizes = [key for key in keys if {"batch", "size"} <= {*words_of(key)} or "bs" in words_of(key)]
    own = next((each.value for each in find_constants(program) if each.name == f"Trainer.{LIMIT}"), None)
    limit = trainer.get(LIMIT, own)
    if not sizes or not is_int(limit) or limit < 1:
        return ()
    what = f"{LIMIT} counts batches, and {sizes[0]} is searched: with another size of validation's batches trials are"
    return (f"{what} judged on another part of the data; leave it out, or search no size of batches",)


def _find_workers(
    program: Program, promoted: Sequence[PromotedConstant], args: Sequence[str]
) -> Iterator[DataLoaderWorkers]:
    searched = {_identity_of(item.constant): extreme_values(item.dimension) for item in promoted}
    options = [option for option in find_options(program, args) if _is_their_number(option.name)]
    held = [option_in_force(option, program, args, "args") for option in options]
    said = [option for option in held if is_int(option.value)]
    constants = [each for each in find_constants(program) if each.reads and _is_their_number(each.name)]
    every: list[Constant | Option] = [each for each in constants if not _is_replaced(each, said)] + held
    for constant in every:
        for value in (constant.value, *searched.get(_identity_of(constant), ())):
            if is_int(value):
                yield DataLoaderWorkers(number=value, where=constant.where)


def _is_replaced(constant: Constant, said: Sequence[Option]) -> bool:
    """Tell whether an option gives a parameter its value: by a star, or by a config that builds the object."""
    if constant.form is not ConstantKind.PARAMETER:
        return False
    is_built = len(constant.sites) == 1 and any(option.parser in BUILDERS for option in said)
    return bool(said) and (constant.starred or is_built)


def _identity_of(constant: Constant | Option) -> object:
    """Return what tells a constant from all others, those in its line too."""
    return constant.sites if isinstance(constant, Constant) else constant.names


def _is_their_number(name: str) -> bool:
    last = LAST_WORD.search(name.partition("@")[0].replace("-", "_"))
    return last is not None and last.group().casefold() in NAMES


LINE_MAGICS = frozenset({"run_line_magic", "magic", "system", "getoutput"})
"""Methods of IPython's shell that a line of a notebook becomes. A cell's magic holds the cell's code, and is kept."""


def is_line_magic(node: ast.AST) -> bool:
    """Tell whether a statement is a line's magic: ``get_ipython().run_line_magic('matplotlib', 'inline')``."""
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), name))):
            return name in LINE_MAGICS
        case _:
            return False


def find_line_magics(program: Program) -> list[str]:
    """Return the places of line magics: a plain Python has no ``get_ipython``."""
    return [
        f"{source.name}:{node.lineno}"
        for source in program.sources.values()
        if b"get_ipython" in source.raw
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Expr) and is_line_magic(node)
    ]


SEEDING = frozenset({"seed_everything", "torch.manual_seed", "torch.random.manual_seed", "torch.cuda.manual_seed"}) | {
    "torch.cuda.manual_seed_all",
    "np.random.seed",
    "numpy.random.seed",
    "random.seed",
}
"""Calls that seed the whole process; a `torch.Generator` of the program's own is its own affair."""

DEVICES = "CUDA_VISIBLE_DEVICES"
TEMPORARY_FOLDER = frozenset({"gettempdir", "gettempdirb"})
UNIQUE_NAMES = frozenset({"mkdtemp", "mkstemp", "mktemp", "NamedTemporaryFile"}) | {
    "SpooledTemporaryFile",
    "TemporaryDirectory",
    "TemporaryFile",
}
"""Functions of ``tempfile`` whose files have names that nothing else has."""
READS = frozenset({"get", "getenv"})
"""Functions that read an environment variable."""
MAX_PLACES = 3

NEEDED = frozenset({PACKAGE.name, "ray", "torch", "lightning", "pytorch_lightning", "optuna", "numpy", "tensorboard"})
"""Modules that an actor or a trial imports, beside those of the standard library that this process has loaded."""

IMPORTED_BY_LIGHTNING = frozenset({"torch", "numpy"})
"""Those that Lightning imports, whatever the program does."""


def check_modules(program: Program) -> None:
    """Raise ProgramError where a search from the working directory would import another module than is meant."""
    check_names(program)
    check_folder(Path.cwd())


def check_names(program: Program) -> None:
    """Raise ProgramError where a module of the project has our package's name, or hides a library that is needed."""
    imported = {
        top
        for source in program.sources.values()
        if source is not program.source
        for top in _top_level_names(source, program)
    }
    for folder in program.search_path.before:
        for entry in sorted(folder.iterdir()):
            name = _module_name(entry)
            if name in NEEDED - {PACKAGE.name} and (name in imported or name in IMPORTED_BY_LIGHTNING):
                what = f"it lies where the program imports from, and hides the `{name}` that is installed"
                raise ProgramError(_display_name(entry, program), what, "Give it another name.")
    for source in program.sources.values():
        if not source.path.is_relative_to(PACKAGE) and PACKAGE.name in _top_level_names(source, program):
            what = f"the program imports its own `{PACKAGE.name}`, and that is the name of Promotune's package, too"
            raise ProgramError(source.name, what, "Give it another name; in a trial the other one would be imported.")


def _top_level_names(source: Source, program: Program) -> set[str]:
    """Return the top-level names that a file may be imported under."""
    path = program.search_path
    holding = [folder for folder in (*path.before, *path.behind) if source.path.is_relative_to(folder)]
    return {source.path.relative_to(folder).parts[0].removesuffix(".py") for folder in holding}


def _module_name(entry: Path) -> str | None:
    """Return the name under which a file or a folder is imported; None where it is no module."""
    if entry.suffix == ".py":
        return entry.stem
    return entry.name if (entry / "__init__.py").is_file() else None


def _display_name(entry: Path, program: Program) -> str:
    return program.name_of(entry if entry.is_file() else entry / "__init__.py")


def check_folder(folder: Path) -> None:
    """Raise ProgramError where a module in the working directory would be imported by an actor for another's.

    An actor looks in the directory that the search was started from before it looks among what is installed.
    """
    needed = NEEDED | (sys.stdlib_module_names & sys.modules.keys())
    for entry in sorted(folder.iterdir()):
        name = _module_name(entry)
        if name in needed and entry.resolve() != PACKAGE:
            what = f"the workers would import it for the `{name}` that they need"
            raise ProgramError(str(entry), what, "Give it another name, or start the search from another folder.")


def program_warnings(program: Program, *, is_script: bool, seed_is_chosen: bool = True) -> tuple[str, ...]:
    """Return warnings; ``seed_is_chosen``: the search has another seed than the usual one, which is to do something."""
    warnings = [*outside_warnings(program)]
    if seed_is_chosen and (places := list(_find_seeding(program, is_script=is_script))):
        warnings.append(f"{join_places(places)}: the program seeds itself: the search's `seed` changes nothing below")
    if places := list(_device_choices(program)):
        warnings.append(
            f"{join_places(places)}: the program names its GPU itself; a trial keeps the one that it is given"
        )
    if places := find_line_magics(program):
        warnings.append(
            f"{join_places(places)}: `get_ipython()` is there in a notebook alone: trials leave such lines out"
        )
    if places := list(_temporary_folder_reads(program)):
        warnings.append(
            f"{join_places(places)}: each trial has a temporary folder of its own, which is removed with it: "
            "trials share no lock and no file there"
        )
    return tuple(warnings)


def join_places(places: Sequence[str]) -> str:
    """Return the first places in one line; ``...`` stands for the others."""
    return ", ".join(places[:MAX_PLACES]) + (", ..." if len(places) > MAX_PLACES else "")


def _find_seeding(program: Program, *, is_script: bool) -> Iterator[str]:
    for source in program.sources.values():
        runs_guard = is_script and source is program.source
        for node in _walk_executable(source.tree, runs_guard=runs_guard):
            if isinstance(node, ast.Call) and _is_seeding(dotted_path(node.func) or ""):
                yield f"{source.name}:{node.lineno}"


def _device_choices(program: Program) -> Iterator[str]:
    """Yield the places where the program writes CUDA_VISIBLE_DEVICES."""
    for source in program.sources.values():
        for node in ast.walk(source.tree):
            match node:
                case ast.Assign(targets=[ast.Subscript(value=held, slice=ast.Constant(value=name))]):
                    writes = name == DEVICES and (dotted_path(held) or "").endswith("environ")
                case ast.Call(func=ast.Attribute(attr="setdefault" | "putenv"), args=[ast.Constant(value=name), *_]):
                    writes = name == DEVICES
                case ast.Call(func=ast.Attribute(value=held, attr="update"), keywords=keywords):
                    writes = (dotted_path(held) or "").endswith("environ") and DEVICES in {
                        each.arg for each in keywords
                    }
                case _:
                    writes = False
            if writes and isinstance(node, ast.stmt | ast.expr):
                yield f"{source.name}:{node.lineno}"


def _temporary_folder_reads(program: Program) -> Iterator[str]:
    """Yield the places where the program asks for the folder of temporary files: it chooses a name in it then."""
    for source in program.sources.values():
        if b"gettempdir" in source.raw or b"TMPDIR" in source.raw:
            yield from (f"{source.name}:{line}" for line in _lines_that_read_temporary_folder(source.tree))


def _lines_that_read_temporary_folder(tree: ast.AST) -> Iterator[int]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Call(func=function) if _last_name(function) in UNIQUE_NAMES:
                continue
            case ast.Call(func=function) if _last_name(function) in TEMPORARY_FOLDER:
                yield node.lineno
            case ast.Call(func=function, args=[ast.Constant(value="TMPDIR"), *_]) if _last_name(function) in READS:
                yield node.lineno
            case ast.Subscript(value=held, slice=ast.Constant(value="TMPDIR"), ctx=ast.Load()):
                if _last_name(held) == "environ":
                    yield node.lineno
        yield from _lines_that_read_temporary_folder(node)


def _last_name(function: ast.expr) -> str:
    """Return ``mkdtemp`` of ``tempfile.mkdtemp``, whatever stands before it; empty where it has no name."""
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _is_seeding(path: str) -> bool:
    return path in SEEDING or path.endswith(".seed_everything")


def _walk_executable(tree: ast.AST, *, runs_guard: bool) -> Iterator[ast.AST]:
    """Yield the nodes that may be executed: without the main guard of what is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and not runs_guard and is_main_guard(node.test):
            continue
        yield node
        yield from _walk_executable(node, runs_guard=runs_guard)
