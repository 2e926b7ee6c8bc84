"""Which parameters get their values from an option or a config file: a search of their defaults changes nothing."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from tune.promotion.configs.config_layers import merges_mappings
from tune.promotion.configs.hydra_values import compose_config
from tune.promotion.constant import Constant, ConstantKind
from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import project_of
from tune.promotion.find.signatures import is_dataclass
from tune.promotion.find.usages import is_open_cli
from tune.promotion.find_constants import find_all
from tune.promotion.options.declared_options import find_options, is_lightning_cli
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.program import Program

TARGET = "_target_"
"""hydra's key of what is built with the keys beside it."""


class SetElsewhere:
    """The parameters of a program that LightningCLI, hydra, ``**`` or a config file sets."""

    def __init__(self, program: Program, options: Sequence[Option], args: Sequence[str] = ()) -> None:
        """``options``: the program's; ``args``: what it is given on its command line."""
        self._program = program
        self._options = options
        self._args = args

    def sets_parameter(self, held: Constant | Option) -> bool:
        """Tell whether something else sets a parameter: search that."""
        if isinstance(held, Option):
            is_of_cli = held.parser is OptionParser.FILE and held.dest in self._dests_of_cli
            return is_of_cli or self.find_assignment(held) is not None
        if held.form not in (ConstantKind.PARAMETER, ConstantKind.FIELD):
            return False
        owner, _, name = held.name.partition("@")[0].rpartition(".")
        owner = owner.rpartition(".")[2]
        if held.form is ConstantKind.FIELD:
            return self.find_filling_value(held) is not None
        return (
            (held.starred and name in self._option_names)
            or self.find_filling_value(held) is not None
            or owner in self._classes_of_cli
            or (owner, name) in self._set_by_configs
            or (held.where, name) in self._cli_parameters
            or (owner, name) in self._passed_by_subclasses
        )

    def find_filling_value(self, held: Constant) -> Option | None:
        """Return the value of a config file that has the name of a dataclass's field, and may fill it in.

        Or one that has the keys of an entry, ``DEFAULTS['optim']['lr']``, where the program merges mappings.
        """
        name = held.name.partition("@")[0]
        if held.form is ConstantKind.FIELD and self._merges:
            keys = re.findall(r"\w+", name)[1:]
            merged = next((each for each in self._options if _is_value_of_file(each, keys)), None)
            if merged is not None:
                return merged
        owner, _, name = name.rpartition(".")
        is_field = held.form in (ConstantKind.PARAMETER, ConstantKind.FIELD)
        return self._values_of_files.get(name) if is_field and owner.rpartition(".")[2] in self._dataclasses else None

    def find_assignment(self, option: Option) -> str | None:
        """Return where the program assigns another value to what it read of a config file; None: nowhere for certain.

        Under a condition it may: what a parser leaves out is None, and is not assigned then.
        """
        if option.parser is not OptionParser.FILE:
            return None
        for survey in project_of(self._program).surveys.values():
            for each in survey.overwrites:
                head, _, path = each.path.partition(".")
                is_attribute = head in ("self", "cls") and "." not in path
                if each.value is None or is_attribute or not f".{path}".endswith(f".{option.dest}"):
                    continue
                if self._merges and not isinstance(evaluate_literal(each.value), Unknown):
                    continue  # a default, over which the file is merged
                is_changed = each.path in map(dotted_path, _find_paths(each.value))
                if not is_changed and (not each.scope.branch or self._is_given(each.value)):
                    return f"{survey.place_of_line(each.line)} assigns {each.path}"
        return None

    def _is_given(self, value: ast.expr) -> bool:
        """Tell whether an expression is an option of the command line that has a default."""
        name = (dotted_path(value) or "").rpartition(".")[2]
        declared = [each for each in self._options if each.dest == name and each.parser is not OptionParser.FILE]
        return any(not isinstance(each.value, Unknown) and each.value is not None for each in declared)

    def reads_setting(self, held: Constant | Option) -> bool:
        """Tell whether a value is read from a setting of its own name, which is known: ``cfg["train"]["lr"]``.

        Of any name, where it is a field of an object that is called as its class: ``settings.lr`` of ``Settings``.
        """
        if not isinstance(held.value, Unknown):
            return False
        if held.value.text.casefold() in self._folded_fields:
            return True
        name = re.findall(r"\w+", held.name.partition("@")[0])[-1]
        return name in self._names_with_values and name in _find_keys(held.value.text)

    def find_unbuilt_classes(self) -> frozenset[str]:
        """Return the classes that only config files name which the one that hydra composes leaves out."""
        composed = compose_config(self._program, ())
        if composed is None:
            return frozenset()
        built = {str(value).rpartition(".")[2] for dest, value in composed.values.items() if dest.endswith(TARGET)}
        return self._program.named_objects - built

    @cached_property
    def _passed_by_subclasses(self) -> frozenset[tuple[str, str]]:
        """Class and name of each parameter that every subclass passes to ``super()``; the class itself is not built."""
        surveys = project_of(self._program).surveys.values()
        definitions = (node for survey in surveys for nodes in survey.definitions.values() for node in nodes)
        classes = [node for node in definitions if isinstance(node, ast.ClassDef)]
        subclasses: dict[str, list[ast.ClassDef]] = defaultdict(list)
        for each in classes:
            for base_name in {(dotted_path(base) or "").rpartition(".")[2] for base in each.bases}:
                subclasses[base_name].append(each)
        built = {(dotted_path(each.node.func) or "").rpartition(".")[2] for survey in surveys for each in survey.calls}
        found = set[tuple[str, str]]()
        for base in classes:
            below = subclasses.get(base.name, [])
            if below and base.name not in built and base.name not in self._program.named_objects:
                passed = [_find_passed_parameters(each, base) for each in below]
                found |= {(base.name, name) for name in frozenset.intersection(*passed)}
        return frozenset(found)

    @cached_property
    def _folded_fields(self) -> frozenset[str]:
        """The names of constants in classes whose values the source tells, in small letters: ``settings.lr``."""
        known = (each for each in find_all(self._program).constants if not isinstance(each.value, Unknown))
        return frozenset(name.casefold() for each in known if (name := each.name.partition("@")[0]).count(".") == 1)

    @cached_property
    def _names_with_values(self) -> frozenset[str]:
        """The last parts of the names of options, and of constants whose values the source tells."""
        known = (each for each in find_all(self._program).constants if not isinstance(each.value, Unknown))
        return self._option_names | {re.findall(r"\w+", each.name.partition("@")[0])[-1] for each in known}

    @cached_property
    def _dests_of_cli(self) -> frozenset[str]:
        """The names of LightningCLI's options in what its parser returns."""
        return frozenset(each.dest for each in self._options if each.parser is OptionParser.LIGHTNING_CLI)

    @cached_property
    def _cli_parameters(self) -> frozenset[tuple[str, str]]:
        """Place and name of each parameter that a LightningCLI has an option for."""
        if not any(each.parser in (OptionParser.LIGHTNING_CLI, OptionParser.FILE) for each in self._options):
            return frozenset()
        declared = find_options(self._program)  # those in force stand in the config file that gives them a value
        options = (each for each in declared if each.parser is OptionParser.LIGHTNING_CLI)
        return frozenset((each.place, each.dest.rpartition(".")[2]) for each in options)

    @cached_property
    def _classes_of_cli(self) -> frozenset[str]:
        """The names of classes all of whose parameters are options or keys of a config file of LightningCLI's."""
        project = project_of(self._program)
        surveys = project.surveys.values()
        calls = [each.node for survey in surveys for each in survey.calls if is_lightning_cli(each, survey, project)]
        if not calls:
            return frozenset()
        owned = project.names_below("LightningModule", "LightningDataModule") if any(map(is_open_cli, calls)) else ()
        return self._program.named_objects.union(owned)

    @cached_property
    def _set_by_configs(self) -> frozenset[tuple[str, str]]:
        """Class and name of each parameter that a config of hydra's gives to what it builds."""
        composed = compose_config(self._program, self._args)
        values = {} if composed is None else composed.values
        targets = {
            dest.removesuffix(TARGET): str(value).rpartition(".")[2]
            for dest, value in values.items()
            if dest.endswith(TARGET)
        }
        built_with: dict[str, list[str]] = {group: [group] for group in targets}
        for merged in self._merged_groups:
            for group in merged & targets.keys():
                built_with[group].extend(merged)
        return frozenset(
            (targets[group], dest.removeprefix(part))
            for group, parts in built_with.items()
            for part in parts
            for dest in values
            if dest.startswith(part) and "." not in dest.removeprefix(part)
        )

    @cached_property
    def _merged_groups(self) -> list[frozenset[str]]:
        """The groups that the program builds one thing of: ``instantiate({**cfg.model, **cfg.optimizer})``."""
        found: list[frozenset[str]] = []
        for survey in project_of(self._program).surveys.values():
            for called in survey.calls:
                match called.node:
                    case ast.Call(func=built_by, args=[ast.Dict(keys=keys, values=values), *_]) if _is_instantiate(
                        built_by
                    ):
                        paths = [dotted_path(each) or "" for key, each in zip(keys, values, strict=True) if key is None]
                        found.append(frozenset(f"{path.partition('.')[2]}." for path in paths if "." in path))
        return found

    @cached_property
    def _option_names(self) -> frozenset[str]:
        """The names of the options, and of the keys of config files, without what is above them."""
        return frozenset(option.dest.rpartition(".")[2] for option in self._options)

    @cached_property
    def _values_of_files(self) -> dict[str, Option]:
        """The values of the config files that the program reads by itself, by their keys without what is above them."""
        files = (option for option in self._options if option.parser is OptionParser.FILE)
        return {option.dest.rpartition(".")[2]: option for option in files}

    @cached_property
    def _merges(self) -> bool:
        return merges_mappings(self._program)

    @cached_property
    def _dataclasses(self) -> frozenset[str]:
        """The names of the program's dataclasses, and models of pydantic's: a config file may fill them in."""
        project = project_of(self._program)
        return project.names_below("BaseModel", "BaseSettings").union(
            name
            for survey in project.surveys.values()
            for name, nodes in survey.definitions.items()
            if any(isinstance(node, ast.ClassDef) and is_dataclass(node) for node in nodes)
        )


def filled_field_warnings(
    program: Program, constants: Mapping[str, Constant | Option], args: Sequence[str]
) -> tuple[str, ...]:
    """Return warnings about values that a trial may have no say in: a config file, a word or an assignment gives them.

    ``OmegaConf.merge`` and ``merge_from_list`` do so unseen.

    ``constants``: those that are searched, by their keys.
    """
    elsewhere = SetElsewhere(program, find_options(program, args), args)
    filled = {key: elsewhere.find_filling_value(held) for key, held in constants.items() if isinstance(held, Constant)}
    values = {key: held for key, held in constants.items() if isinstance(held, Option)}
    assigned = {key: elsewhere.find_assignment(held) for key, held in values.items()}
    words = {word.partition("=")[0] for word in args}
    entries = {
        key: ".".join(re.findall(r"\w+", held.name.partition("@")[0])[1:])
        for key, held in constants.items()
        if isinstance(held, Constant) and held.form is ConstantKind.FIELD
    }
    said = {key: path for key, path in entries.items() if path in words}
    return (
        tuple(f"{key}: args say {path}, and a trial's value is not in force then" for key, path in said.items())
        + tuple(
            f"{key}: {option.where} may fill it in, and a trial's value is not in force then: search {option.name}"
            for key, option in filled.items()
            if option is not None
        )
        + tuple(
            f"{key}: {place}, and a trial's value is not in force then: search what it is assigned from"
            for key, place in assigned.items()
            if place is not None
        )
    )


def _is_value_of_file(option: Option, keys: Sequence[str]) -> bool:
    return option.parser is OptionParser.FILE and option.dest == ".".join(keys)


def _find_paths(value: ast.expr) -> Iterator[ast.expr]:
    """Yield the names, attributes and subscripts of an expression."""
    return (each for each in ast.walk(value) if isinstance(each, ast.Name | ast.Attribute | ast.Subscript))


def _is_instantiate(function: ast.expr) -> bool:
    return (dotted_path(function) or "").rpartition(".")[2] == "instantiate"


def is_group_of_one(option: Option) -> bool:
    """Tell a config group of hydra's that has no other file to choose."""
    place = option.config
    if option.parser is not OptionParser.HYDRA or place is None or "defaults" not in place.keys:
        return False
    return len(list((place.path.parent / option.name.rstrip("=")).glob("*.y*ml"))) < 2


def _find_keys(text: str) -> set[str]:
    """Return the last keys by which an expression reads settings: attributes, subscripts and ``get``."""
    found = set[str]()
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except SyntaxError:
        return found
    for node in nodes:
        match node:
            case ast.Attribute(attr=key) | ast.Subscript(slice=ast.Constant(value=str(key))):
                found.add(key)
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), *_]):
                found.add(key)
    return found


def _find_passed_parameters(node: ast.ClassDef, base: ast.ClassDef) -> frozenset[str]:
    """Return the parameters of the base's constructor that a class passes to it."""
    declared = next(
        (each.args for each in base.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None
    )
    names = [] if declared is None else [each.arg for each in (*declared.posonlyargs, *declared.args)][1:]
    found = set[str]()
    for call in ast.walk(node):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")):
                n = next((n for n, each in enumerate(call.args) if isinstance(each, ast.Starred)), len(call.args))
                found |= {*names[:n], *(keyword.arg for keyword in call.keywords if keyword.arg is not None)}
    return frozenset(found)
