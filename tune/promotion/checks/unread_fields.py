"""Fields that nothing reads, though what holds them is passed on: ``hparams["lr"]`` of ``Net(hparams)``.

The names that hold a dict, or an object of a class of settings, are followed through assignments and the project's own
functions. In doubt a field counts as read.
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from tune.promotion.constant import Constant, ConstantKind
from tune.promotion.find.module_scan import ModuleScan
from tune.promotion.find.project import Project
from tune.promotion.find.usages import FIELD_ATTRIBUTES, TELLING

KEPT = frozenset({"save_hyperparameters"})
"""Methods that keep what they are given, under HPARAMS."""
HPARAMS = frozenset({"hparams", "_hparams", "hparams_initial"})
FIELD = re.compile(r"\w+(\.\w+|(\['\w+'\])+)")
ANY_NAME = frozenset({"globals", "locals", "eval", "exec", "attrgetter", "itemgetter", "instantiate"})
"""Functions that may read a field whose name stands nowhere."""
OF_DICTS = frozenset(dir(dict)) | frozenset(FIELD_ATTRIBUTES)
BY_KEY = frozenset({"get", "pop", "setdefault"})
"""Methods of dicts that read what their first argument names."""
MOST_NAMES = 20
"""Names that one holder is followed through; past them a field counts as read."""

Parents = dict[ast.AST, ast.AST]
"""What each node of a file stands in."""


def correct_reads_of_fields(constants: Iterable[Constant], project: Project) -> Iterator[Constant]:
    """Yield the constants; a field that no text names has reads where something may read any field, and none else."""
    index = _NameIndex(project)
    holders: dict[tuple[str, ...], str | None] = {}
    for each in constants:
        path = _split_field(each)
        if path and _stands_once(path[-1], each, project):
            if path[:-1] not in holders:
                uses = _HolderUses(path[0], path[1:-1], index)
                holders[path[:-1]] = _find_read_of_any_name(project) or uses.find_whole_read()
            place = holders[path[:-1]]
            yield replace(each, reads=() if place is None else each.reads or (place,))
        else:
            yield each


class _NameIndex:
    """Where a project reads names, what stands around each of them, and its functions; files are walked when asked."""

    def __init__(self, project: Project) -> None:
        self._surveys = project.surveys.values()
        self._parents: dict[int, Parents] = {}
        """What each node of a file stands in, by the ``id`` of the file's survey."""

    def _find_parents(self, survey: ModuleScan) -> Parents:
        if id(survey) not in self._parents:
            nodes = ast.walk(survey.source.tree)
            self._parents[id(survey)] = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
        return self._parents[id(survey)]

    def _find_readers(self, name: str) -> Iterator[tuple[ModuleScan, Parents]]:
        """Yield the files that read a name, or an attribute of this name, with their nodes."""
        for survey in self._surveys:
            if name in survey.name_reads or name in survey.attribute_reads:
                yield survey, self._find_parents(survey)

    def find_loads(self, name: str) -> Iterator[tuple[str, ast.expr, Parents]]:
        """Yield where a name, or an attribute of this name, is read: the place, the node, and what nodes stand in."""
        for survey, parents in self._find_readers(name):
            for node in parents:
                match node:
                    case ast.Name(id=read, ctx=ast.Load()) | ast.Attribute(attr=read, ctx=ast.Load()) if read == name:
                        yield survey.place_of_line(node.lineno), node, parents

    def find_functions(self, name: str) -> Iterator[tuple[ast.FunctionDef, bool]]:
        """Yield what a call of a name may execute, each with whether it gets an object first."""
        raw = name.encode()
        for survey in self._surveys:
            for node, owner in self._find_parents(survey).items() if raw in survey.source.raw else ():
                owner_name = owner.name if isinstance(owner, ast.ClassDef) else None
                if not isinstance(node, ast.FunctionDef):
                    continue
                if node.name == name or (node.name, owner_name) == ("__init__", name):
                    yield node, owner_name is not None

    def find_other_names(self, name: str) -> set[str]:
        """Return the names that imports give to what has a name, and those that are declared to be of a class."""
        aliases = (alias for survey in self._surveys for node in survey.imports for alias in node.names)
        found = {alias.asname for alias in aliases if alias.name.rpartition(".")[2] == name and alias.asname}
        for _, parents in self._find_readers(name):
            for node in parents:
                match node:
                    case (
                        ast.arg(arg=other, annotation=ast.expr() as annotation)
                        | ast.AnnAssign(target=ast.Name(id=other) | ast.Attribute(attr=other), annotation=annotation)
                    ) if any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(annotation)):
                        found.add(other)
        return found


def _find_read_of_any_name(project: Project) -> str | None:
    for survey in project.surveys.values():
        for called in survey.calls:
            match called.node:
                case (
                    ast.Call(func=ast.Name(id="getattr"), args=[_, ast.expr() as name, *_])
                    | ast.Call(func=ast.Name(id=str(name)) | ast.Attribute(attr=str(name)))
                ) if name in ANY_NAME or (isinstance(name, ast.expr) and not isinstance(name, ast.Constant)):
                    return survey.place_of_line(called.node.lineno)
    return None


def _split_field(constant: Constant) -> tuple[str, ...]:
    """Return the names of ``CFG['optim']['lr']`` or ``Config.lr``; none of what is no such field."""
    is_field = constant.form is ConstantKind.FIELD and FIELD.fullmatch(constant.name) is not None
    return tuple(re.findall(r"\w+", constant.name)) if is_field else ()


def _stands_once(key: str, constant: Constant, project: Project) -> bool:
    """Tell whether no attribute has a name, and no text says it but for the key that stands before the value."""
    (site, *others) = constant.sites
    for name, survey in project.surveys.items():
        lines = survey.strings.get(key, [])
        if key in survey.attribute_reads or others or (lines and (name, lines) != (site.source, [site.span.line])):
            return False
    return True


class _HolderUses:
    """What a program does with a dict, or with the objects of a class."""

    def __init__(self, base: str, sections: Sequence[str], index: _NameIndex) -> None:
        """``sections``: the keys between the holder and its field: each part that holds the field is followed, too."""
        self._base = base
        self._sections = frozenset(sections)
        self._index = index
        self._names: set[str] = set()

    def find_whole_read(self) -> str | None:
        """Return the place that may read a field without a text that names it; None where none does."""
        self._names = {self._base}
        done: set[str] = set()
        while waiting := self._names - done:
            done |= waiting
            for name in sorted(waiting):
                self._names |= self._index.find_other_names(name)
                for place, node, parents in self._index.find_loads(name):
                    if len(done) > MOST_NAMES or not self._is_harmless(node, parents):
                        return place
        return None

    def _is_harmless(self, node: ast.expr, parents: Parents) -> bool:
        """Tell whether a use reads no field but one that it names; what gets the holder is followed, too."""
        parent = parents[node]
        match parent:
            case ast.Call(func=function) if function is node:  # the class, for an object of it
                return isinstance(node, ast.Name) and node.id == self._base and self._is_harmless(parent, parents)
            case ast.Attribute(attr=name) if name in self._sections:
                return self._is_harmless(parent, parents)
            case ast.Attribute():
                return _reads_one_attribute(parent, parents[parent], self._sections)
            case ast.Subscript(value=value, slice=ast.Constant(value=key)) if value is node:
                return key not in self._sections or self._is_harmless(parent, parents)
            case ast.Compare(ops=[ast.In() | ast.NotIn()], left=left):
                return left is not node
            case ast.arg() | ast.Expr():
                return True
            case ast.expr():
                return self._is_passed_on(node, parent, parents) or _is_annotation(node, parents)
            case _:
                return self._is_passed_on(node, parent, parents)

    def _is_passed_on(self, node: ast.expr, parent: ast.AST, parents: Parents) -> bool:
        """Tell whether names get the holder, and nothing else does; they are followed."""
        match parent:
            case ast.Assign(targets=targets):
                return all(self._add_target(target) for target in targets)
            case ast.AnnAssign(target=target):
                return node is not parent.value or self._add_target(target)
            case ast.keyword(arg=word):
                call = parents[parent]
                return word is not None and isinstance(call, ast.Call) and self._is_followed(call, word)
            case ast.Call(args=args):
                return self._is_followed(parent, args.index(node))
            case _:
                return False

    def _add_target(self, target: ast.expr) -> bool:
        match target:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                self._names.add(name)
                return True
            case _:
                return False

    def _is_followed(self, call: ast.Call, place: int | str) -> bool:
        """Add the parameters that get the holder; tell whether all of them are known."""
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in TELLING:
            return True
        if name == "update" and isinstance(function, ast.Attribute) and getattr(function.value, "attr", "") in HPARAMS:
            return self._add_target(function.value)
        if name in KEPT:
            self._names |= HPARAMS
            return True
        found = list(self._index.find_functions(name))
        parameters = [_parameter_at(place, node, is_method=is_method) for node, is_method in found]
        self._names.update(each for each in parameters if each is not None)
        return bool(found) and None not in parameters


def _reads_one_attribute(node: ast.Attribute, above: ast.AST, sections: Collection[str]) -> bool:
    """Tell whether ``held.lr``, or ``held.get("lr")``, names what it reads, and that is no section."""
    if not (isinstance(above, ast.Call) and above.func is node):
        return node.attr not in OF_DICTS and not node.attr.startswith("__")
    if node.attr == "update":
        return True
    key = above.args[0] if node.attr in BY_KEY and above.args else None
    return isinstance(key, ast.Constant) and key.value not in sections


def _is_annotation(node: ast.expr, parents: Parents) -> bool:
    """Tell whether a name stands in the annotation of a parameter or a variable: ``cfg: Config | None``."""
    here: ast.AST = node
    while isinstance(above := parents.get(here), ast.expr):
        here = above
    return isinstance(above, ast.arg) or (isinstance(above, ast.AnnAssign) and above.annotation is here)


def _parameter_at(place: int | str, function: ast.FunctionDef, *, is_method: bool) -> str | None:
    positional = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if isinstance(place, str):
        return place if place in (*positional, *(each.arg for each in function.args.kwonlyargs)) else None
    number = place + is_method
    return positional[number] if number < len(positional) else None
