"""Where a constant may be read, where a value is assigned to another namespace, and what serves no training.

In doubt a place counts as a read: a constant without any is worth a warning.
"""

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol, Variable

MAX_PLACES = 20
"""Places kept of each constant, its own file's first: nobody reads more, and 200 modules may all read ``lr``."""

FIELD_FUNCTIONS = ("vars", "asdict", "astuple", "fields")
"""Functions that read all fields of an object."""
FIELD_ATTRIBUTES = ("__dict__", "_asdict", "asdict", "astuple", "dict", "model_dump")
"""Attributes and methods that do the same."""

MOST_HOLDERS = 5
"""Names that an object of a class is followed through."""
TELLING = frozenset({"print", "pprint", "repr", "str", "len", "type", "isinstance", "info", "debug"}) | {
    *("dump", "dumps", "safe_dump", "to_yaml", "log_hyperparams", "safe_load", "load", "loads", "full_load", "open"),
}
"""Functions that show, read or write what they are given, and use none of it."""

Place = tuple[ModuleScan, int]


class ConstantReads:
    """The reading places of a program, as ``file:line``."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def of_variable(self, name: str, survey: ModuleScan) -> tuple[str, ...]:
        """Return the places that may read a module-level name of a file."""
        own = _places_in(survey, survey.name_reads.get(name, ()), survey.scope_readers)
        return _first_places(own, self._find_elsewhere(name, survey), self._as_text(name))

    def of_field(self, base: str, path: str, key: str, survey: ModuleScan, key_line: int) -> tuple[str, ...]:
        """Return the places that may read ``base.key`` or ``base['key']``; the string at ``key_line`` defines it.

        ``path``: of the key from ``base`` on, as in ``.optim['lr']``. There is no place where ``base`` is a class that
        serves as a base alone, and each class below it has the first attribute of the path, too.
        """
        attribute = re.match(r"\.(\w+)", path)
        if attribute is not None and self._is_always_overridden(base, attribute[1], survey):
            return ()
        texts = (place for place in self._as_text(key) if place[0] is not survey or place[1] != key_line)
        inner = path.removesuffix(f".{key}").removesuffix(f"['{key}']")
        whole = self._taken_whole.get(inner.rpartition(".")[2], ()) if attribute is not None and inner else ()
        filled = {each.line for each in survey.overwrites if each.path.startswith(f"{base}.")}
        bare = [line for line in survey.bare_reads.get(base, ()) if line not in filled]
        own = _places_in(survey, bare, survey.scope_readers)
        return _first_places(own, self._as_attribute(key), texts, self._find_whole_reads(base), whole)

    def of_parameter(self, name: str, survey: ModuleScan, lines: range, *, owner: str | None) -> tuple[str, ...]:
        """Return the places that may read a parameter: its name within ``lines``, and attributes of that name.

        ``owner``: the class whose constructor is made of its fields, of which it is one; what takes all fields of an
        object, or an object of the class as a whole, reads it. None: it is no field.
        """
        own = _places_in(survey, (line for line in survey.name_reads.get(name, ()) if line in lines))
        whole = () if owner is None else (*self._readers_of_fields, *self._find_takers(owner))
        return _first_places(own, self._as_attribute(name), self._as_text(name), whole)

    def _find_takers(self, owner: str) -> Iterator[Place]:
        """Yield the places that pass an object of a class to a call, by the names that hold one."""
        names = set(self._holders.get(owner, ()))
        for _ in range(MOST_HOLDERS):
            more = {name for each in names for name in self._holders.get(each, ())} - names
            names |= more
            if not more:
                break
        for name in sorted(names):
            yield from self._taken_whole.get(name, ())

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        """By a class, or a name, the names that hold an object of it: ``cfg = Cfg()``, ``self.cfg = cfg``."""
        found: list[tuple[str, str]] = []
        for each in self._project.surveys.values():
            values = [(name, value) for name, held in each.held.items() for value in held]
            values += [(over.path, over.value) for over in each.overwrites if over.value is not None]
            for path, value in values:
                made = value.func if isinstance(value, ast.Call) else value
                found.append((_last_key(made), path.rpartition(".")[2]))
            nodes = (node for function in each.functions.values() for node in ast.walk(function.node.args))
            arguments = (node for node in nodes if isinstance(node, ast.arg))
            found += [(_last_key(node.annotation), node.arg) for node in arguments if node.annotation is not None]
        names: dict[str, list[str]] = {}
        for holder, name in found:
            if holder:
                names.setdefault(holder, []).append(name)
        return names

    @cached_property
    def _taken_whole(self) -> dict[str, list[Place]]:
        """The places that pass something to a library as it is, by its last name: ``build(self.cfg)``."""
        found: dict[str, list[Place]] = {}
        for each in self._project.surveys.values():
            for called in each.calls:
                for name in find_taken_names(called.node) if is_of_library(called.node, each, self._project) else ():
                    found.setdefault(name, []).append((each, called.node.lineno))
        return found

    def of_attribute(self, name: str) -> tuple[str, ...]:
        """Return the places that may read an attribute of any object."""
        return _first_places(self._as_attribute(name), self._as_text(name))

    def _is_always_overridden(self, base: str, key: str, survey: ModuleScan) -> bool:
        """Tell whether nothing names a class but classes that descend from it, and give the attribute a value."""
        if base not in survey.definitions:
            return False
        subclasses = self._subclasses.get(base, ())
        headers = {(id(each), line) for each, node in subclasses for line in (base.lineno for base in node.bases)}
        named = [*_places_in(survey, survey.name_reads.get(base, ())), *self._as_attribute(base), *self._as_text(base)]
        for each, alias in self._aliases_by_name.get(base, ()):
            named += _places_in(each, each.name_reads.get(alias, ()))
        is_base_alone = bool(named) and all((id(each), line) in headers for each, line in named)
        return is_base_alone and all(_gives_attribute(node, key) for _, node in subclasses)

    def _find_elsewhere(self, name: str, survey: ModuleScan) -> Iterator[Place]:
        """Yield from other files: the name imported, also by a star; as an attribute; the whole module passed on."""
        yield from self._as_attribute(name)
        for each, alias in self._aliases_by_name.get(name, ()):
            yield from _read_as_imported(each, alias)
        for each, _ in self._aliases_by_name.get("*", ()):
            if each is not survey and not self._is_hidden_by_star(name, survey, each):
                yield from _read_as_imported(each, name)
        yield from self._find_whole_reads(survey.modules[0])

    def _is_hidden_by_star(self, name: str, survey: ModuleScan, seen_in: ModuleScan) -> bool:
        """Tell whether a later star import gives a name of ``survey`` another value."""
        stars = [module for _, module in self._project.star_imports(seen_in)]
        later = stars[stars.index(survey) + 1 :] if survey in stars else []
        return any(name in module.bindings for module in later)

    def _find_whole_reads(self, name: str) -> Iterator[Place]:
        """Yield the places of other files that take an imported thing as a whole: ``vars(config)``, ``**CFG``."""
        for each, alias in self._aliases_by_name.get(name, ()):
            yield from _places_in(each, each.bare_reads.get(alias, ()))

    def _as_attribute(self, name: str) -> Iterator[Place]:
        for each in self._with_attribute.get(name, ()):
            yield from _places_in(each, each.attribute_reads[name])

    def _as_text(self, name: str) -> Iterator[Place]:
        """Yield the string literals that are the name: ``getattr(config, "LR")``."""
        for each in self._with_string.get(name, ()):
            yield from _places_in(each, each.strings[name])

    @cached_property
    def _readers_of_fields(self) -> tuple[Place, ...]:
        """The places that take all fields of some object: ``vars(config)``, ``asdict(config)``, ``c.model_dump()``."""
        return tuple(
            place
            for each in self._project.surveys.values()
            for place in _places_in(
                each,
                *(each.name_reads.get(name, ()) for name in FIELD_FUNCTIONS),
                *(each.attribute_reads.get(name, ()) for name in FIELD_ATTRIBUTES),
            )
        )

    @cached_property
    def _with_string(self) -> dict[str, list[ModuleScan]]:
        return _by_name((each, each.strings) for each in self._project.surveys.values())

    @cached_property
    def _with_attribute(self) -> dict[str, list[ModuleScan]]:
        return _by_name((each, each.attribute_reads) for each in self._project.surveys.values())

    @cached_property
    def _subclasses(self) -> dict[str, list[tuple[ModuleScan, ast.ClassDef]]]:
        """The classes with a base of this name, as its own file calls it; one that an import renames is none."""
        found: dict[str, list[tuple[ModuleScan, ast.ClassDef]]] = {}
        for survey in self._project.surveys.values():
            for node in (each for nodes in survey.definitions.values() for each in nodes):
                for base in node.bases if isinstance(node, ast.ClassDef) else ():
                    assert isinstance(node, ast.ClassDef)
                    found.setdefault((dotted_path(base) or "").rpartition(".")[2], []).append((survey, node))
        return found

    @cached_property
    def _aliases_by_name(self) -> dict[str, list[tuple[ModuleScan, str]]]:
        """Imported name -> the files that import it, and what they call it."""
        found: dict[str, list[tuple[ModuleScan, str]]] = {}
        for each in self._project.surveys.values():
            for node in each.imports:
                for alias in node.names:
                    last = alias.name.rpartition(".")[2]
                    found.setdefault(last, []).append((each, alias.asname or alias.name.partition(".")[0]))
        return found


def is_of_library(call: ast.Call, survey: ModuleScan, project: Project) -> bool:
    """Tell whether a call may be of another library's function, which may use all of what it is given."""
    path = dotted_path(call.func) or ""
    head, last = path.partition(".")[0], path.rpartition(".")[2]
    is_own = head in ("self", "cls", "super", "") or isinstance(project.resolve_name(path, survey), ProjectSymbol)
    return not is_own and last not in TELLING


def find_taken_names(call: ast.Call) -> set[str]:
    """Return the last names of what is passed as it is: ``cfg`` and ``data`` of ``build(self.cfg, config["data"])``."""
    given = (*call.args, *(keyword.value for keyword in call.keywords))
    paths = (dotted_path(node.value if isinstance(node, ast.Starred) else node) for node in given)
    return {path.rpartition(".")[2] for path in paths if path is not None}


def _last_key(node: ast.expr) -> str:
    """Return ``cfg`` of ``self.cfg``, and of the annotation ``"Cfg"`` its text; nothing of other expressions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rpartition(".")[2]
    return (dotted_path(node) or "").rpartition(".")[2]


def _gives_attribute(node: ast.ClassDef, name: str) -> bool:
    """Tell whether the body of a class assigns a name."""
    for each in node.body:
        match each:
            case ast.Assign(targets=targets) if any(isinstance(one, ast.Name) and one.id == name for one in targets):
                return True
            case ast.AnnAssign(target=ast.Name(id=own), value=ast.expr()) if own == name:
                return True
    return False


def _by_name(tables: Iterable[tuple[ModuleScan, dict[str, list[int]]]]) -> dict[str, list[ModuleScan]]:
    found: dict[str, list[ModuleScan]] = {}
    for survey, table in tables:
        for name in table:
            found.setdefault(name, []).append(survey)
    return found


def _places_in(survey: ModuleScan, *lines: Iterable[int]) -> Iterator[Place]:
    return ((survey, line) for line in sorted(itertools.chain(*lines)))


def _read_as_imported(survey: ModuleScan, name: str) -> Iterator[Place]:
    """Yield the places that read an imported name before the file binds it to something of its own."""
    imported = {line for node in survey.imports for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    bound = [each.line for each in survey.bindings.get(name, ()) if each.line not in imported]
    first = min(bound, default=None)
    yield from _places_in(survey, (line for line in survey.name_reads.get(name, ()) if first is None or line < first))


def _first_places(*places: Iterable[Place]) -> tuple[str, ...]:
    found: dict[tuple[int, int], str] = {}
    for survey, line in itertools.chain.from_iterable(places):
        if (key := (id(survey), line)) not in found:
            found[key] = survey.place_of_line(line)
            if len(found) == MAX_PLACES:
                break
    return tuple(dict.fromkeys(found.values()))


def takes_any_class_by_cli(project: Project) -> bool:
    """Tell whether a LightningCLI of the program is told on its command line which classes it builds."""
    return any(
        is_open_cli(called.node) and _builds_cli(called.node.func, survey, project)
        for survey in project.surveys.values()
        for called in survey.calls
    )


def _builds_cli(function: ast.expr, survey: ModuleScan, project: Project) -> bool:
    """Tell LightningCLI, and a class below it that leaves its constructor as it is."""
    path = dotted_path(function) or ""
    match project.resolve_name(path, survey):
        case ProjectSymbol(node=ast.ClassDef(body=body)) as own:
            methods = {each.name for each in body if isinstance(each, ast.FunctionDef)}
            return "__init__" not in methods and project.has_base(own, "LightningCLI")
        case _:
            return path.endswith("LightningCLI")


def is_open_cli(node: ast.Call) -> bool:
    """Tell a call of LightningCLI whose class of the model the command line, or a config file, names."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    model = node.args[0] if node.args else given.get("model_class")
    is_open = model is None or (isinstance(model, ast.Constant) and model.value is None)
    return is_open or any((each or "").startswith("subclass_mode") for each in given)


CHANGING = frozenset(
    {"update", "clear", "pop", "popitem", "setdefault", "merge_from_file", "merge_from_list"}
) | frozenset({"append", "extend", "insert", "remove", "sort", "reverse"})
"""Methods that change what they are called on."""


class NamespaceAssignments:
    """What the program assigns from outside, by file and path."""

    def __init__(self, project: Project) -> None:
        self._places: dict[tuple[str, str], str] = {}
        self._inside: dict[tuple[str, str], str] = {}
        self._of_self: dict[tuple[str, str, str], str] = {}
        for each in project.surveys.values():
            for path, line in (*((found.path, found.line) for found in each.overwrites), *find_changing_calls(each)):
                match project.resolve_name(path, each):
                    case Variable(survey=survey, name=name):
                        self._places.setdefault((survey.source.name, name), each.place_of_line(line))
                        for prefix in _path_prefixes(name)[:-1]:
                            self._inside.setdefault((survey.source.name, prefix), each.place_of_line(line))
            for line, module in project.star_imports(each):
                for name in module.bindings.keys() & each.bindings.keys():
                    if any(binding.line < line for binding in each.bindings[name]):
                        self._places.setdefault((each.source.name, name), each.place_of_line(line))
            for overwrite in each.overwrites:
                head, _, attribute = overwrite.path.partition(".")
                if head in ("self", "cls") and overwrite.scope.owner is not None:
                    key = (each.source.name, overwrite.scope.owner.name, attribute)
                    self._of_self.setdefault(key, each.place_of_line(overwrite.line))

    def find_overwrite(self, path: str, survey: ModuleScan) -> str | None:
        """Return the place that overwrites ``path`` of a module, or something that it lies in; None: no place."""
        found = (self._places.get((survey.source.name, prefix)) for prefix in _path_prefixes(path))
        return next((place for place in found if place is not None), None)

    def find_overwrite_within(self, path: str, survey: ModuleScan) -> str | None:
        """Return the place that overwrites something that lies in ``path``; None: no place."""
        return self._inside.get((survey.source.name, path))

    def of_self(self, owner: str, attribute: str, survey: ModuleScan) -> str | None:
        """Return the place where a class's own methods assign ``self.attribute``."""
        return self._of_self.get((survey.source.name, owner, attribute))


def _path_prefixes(path: str) -> list[str]:
    """Return ``a``, ``a.b`` and ``a.b.c`` of ``a.b.c``."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def find_changing_calls(survey: ModuleScan) -> Iterator[tuple[str, int]]:
    """Yield (path, line) of what a call changes: ``CFG.update(...)``, ``setattr(CFG, "lr", 1)``."""
    for called in survey.calls:
        match called.node:
            case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in CHANGING:
                path = dotted_path(base)
            case ast.Call(func=ast.Name("setattr"), args=[base, ast.Constant(value=str(name)), _]):
                path = f"{dotted_path(base)}.{name}"
            case _:
                continue
        if path is not None:
            yield path, called.node.lineno


EVALUATION = re.compile(r"(val|valid|validation|eval|evaluation|test|predict|prediction)(_|$)")
"""How a name begins that is of no training."""
HOOKS = frozenset({"val_dataloader", "test_dataloader", "predict_dataloader"})
N_OF_TRAINING = 2
"""``fit(model, train_loader, val_loader)``: behind these come loaders of validation."""


def find_evaluation_loaders(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the expressions that make them: what hooks call, what is assigned to such a name, what `fit` takes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) if name in HOOKS:
                yield from (each for each in ast.walk(node) if isinstance(each, ast.Call))
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=value):
                if EVALUATION.match(name.lower()):
                    yield value
            case ast.Call(func=ast.Attribute(attr="fit"), args=args, keywords=keywords):
                yield from args[N_OF_TRAINING:]
                yield from (each.value for each in keywords if each.arg == "val_dataloaders")
            case ast.Call(func=ast.Attribute(attr="validate" | "test" | "predict"), args=args, keywords=keywords):
                yield from (*args, *(each.value for each in keywords))
