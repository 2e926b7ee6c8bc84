"""Which constants are worth a search, and which of them first: by their names, and by what takes them."""

import ast
import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from tune.promotion.configs.hydra_values import compose_config
from tune.promotion.constant import Constant, ConstantKind, Site, Span
from tune.promotion.find.literals import Unknown
from tune.promotion.find.metric import find_unjudged_modules
from tune.promotion.find.project import ProjectSymbol, project_of
from tune.promotion.find.usages import find_evaluation_loaders, find_unused_classes, is_open_cli
from tune.promotion.find.value_flow import receiving_parameters
from tune.promotion.find_constants import find_all
from tune.promotion.options.declared_options import find_options, is_lightning_cli
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.program import Program
from tune.promotion.program_kind import does_something
from tune.promotion.ranks import (
    BY_ITS_CALLEE,
    LEAST_WIDTH,
    MACHINERY,
    MACHINERY_OF_CONFIGS,
    NEVER,
    OF_EVALUATION,
    OF_INPUT,
    OF_THE_DATA,
    PROMISING_OF_MACHINERY,
    TEXTS,
    Rank,
    rank_of_receiver,
    rank_of_words,
)
from tune.space.dimensions import Value, is_int
from tune.space.suggest_range import words_of

TARGET = "_target_"
"""hydra's key of what is built with the keys beside it."""

TYPE = re.compile(r"(\w+\.)*[A-Z]\w*\[")
"""``NDArray[float]``: a name for a type."""


class ConstantRanking:
    """How promising the constants of a program are."""

    def __init__(self, program: Program, options: Sequence[Option] | None = None) -> None:
        """``options``: the program's, where they were found already."""
        self._program = program
        self._options = find_options(program) if options is None else options
        self._flows = find_all(program).flows

    def is_promising(self, held: Constant | Option) -> bool:
        """Tell whether a search of it may gain something."""
        return self.rank_of(held) is not None and not is_never_read(held)

    def _is_set_elsewhere(self, held: Constant | Option) -> bool:
        """Tell whether LightningCLI or hydra passes a parameter, from an option or a config file: search that."""
        if isinstance(held, Option) or held.form is not ConstantKind.PARAMETER:
            return False
        owner, _, name = held.name.rpartition(".")
        owner = owner.rpartition(".")[2]
        return (
            (held.starred and name in self._option_names)
            or (owner in self._dataclasses and name in self._keys_of_files)
            or owner in self._classes_of_cli
            or (owner, name) in self._set_by_configs
            or (held.where, name) in self._cli_parameters
        )

    def _is_of_unused_class(self, held: Constant | Option) -> bool:
        """Tell whether all places of a constant stand in classes that the program never builds."""
        return isinstance(held, Constant) and _lies_in(held, self._unused_lines)

    def is_judged(self, held: Constant | Option) -> bool:
        """Tell whether a constant may change the score: it is none of a module that logs nothing in validation.

        Where no LightningModule of the program logs there, each is judged.
        """
        return not (isinstance(held, Constant) and _lies_in(held, self._unjudged_lines))

    def rank_of(self, held: Constant | Option) -> Rank | None:
        """Return its kind; None where a search of it is not promising."""
        words = frozenset(words_of(held.name))
        if self._is_set_elsewhere(held) or self._is_of_unused_class(held):
            return None
        if {"batch", "size"} <= words:
            words -= {"device", "devices"}  # per_device_train_batch_size
        never = NEVER - OF_THE_DATA if isinstance(held.value, tuple | list) else NEVER
        if not _is_searchable(held.value, words) or words & never or self._is_passed_on(held.value):
            return None
        if _is_endless(held.value, words):
            return None
        if isinstance(held, Option):
            part, dot, _ = held.dest.partition(".")
            last = held.dest.rpartition(".")[2]
            if dot and part in MACHINERY_OF_CONFIGS and not PROMISING_OF_MACHINERY.fullmatch(last):
                return None
            if part == "model" and dot and _is_number(held.value):
                return rank_of_words(words) or self._rank_of_receivers(held) or Rank.OTHER
        if isinstance(held, Constant) and held.form is ConstantKind.ARGUMENT:
            return self._rank_of_argument(held, words)
        if (
            _is_of_a_drawing(held)
            or self._is_width_of_data(held)
            or (words >= {"batch", "size"} and words & OF_EVALUATION)
        ):
            return None
        return rank_of_words(words) or self._rank_of_receivers(held) or self._rank_in_model(held)

    def _rank_of_argument(self, held: Constant, words: frozenset[str]) -> Rank | None:
        ((callee, parameter),) = receiving_parameters(held, self._flows)
        known = rank_of_receiver(callee, parameter)
        if known is Rank.BATCH_SIZE and all(self._is_of_evaluation(site) for site in held.sites):
            return None
        if held.bound_to is not None or (known is Rank.WIDTH and is_int(held.value) and held.value < LEAST_WIDTH):
            return None
        if known is not None or callee in self._torch_module_names:
            return known or Rank.OTHER
        rank = rank_of_words(words)
        return None if rank in BY_ITS_CALLEE or callee in MACHINERY else rank

    def _is_width_of_data(self, held: Constant | Option) -> bool:
        """Tell what layers take as the width of their input alone, and what a class holds that serves data."""
        receivers = receiving_parameters(held, self._flows)
        if receivers and all(parameter in OF_INPUT for _, parameter in receivers):
            return True
        is_width = rank_of_words(frozenset(words_of(held.name.rpartition(".")[2]))) is Rank.WIDTH
        return is_width and held.name.rpartition(".")[0] in self._data_names

    def _is_of_evaluation(self, site: Site) -> bool:
        return any(span.is_around(site.span) for span in self._evaluation_spans.get(site.source, ()))

    def _rank_of_receivers(self, held: Constant | Option) -> Rank | None:
        receivers = receiving_parameters(held, self._flows)
        ranks = [rank for callee, parameter in receivers if (rank := rank_of_receiver(callee, parameter)) is not None]
        in_model = any(callee in self._torch_module_names for callee, _ in receivers) and _is_number(held.value)
        return min(ranks, default=Rank.OTHER if in_model else None)

    def _rank_in_model(self, held: Constant | Option) -> Rank | None:
        """Return OTHER for a number that one of the program's modules holds or takes."""
        owner = held.name.partition(".")[0]
        return Rank.OTHER if "." in held.name and owner in self._torch_module_names and _is_number(held.value) else None

    def _is_passed_on(self, value: Value | Unknown) -> bool:
        """Tell a value that another name holds: ``width``, ``self.width``, ``args.width`` of an option, a type."""
        if not isinstance(value, Unknown):
            return False
        head, _, rest = value.text.partition(".")
        return value.text.isidentifier() or head == "self" or rest in self._option_dests or bool(TYPE.match(value.text))

    @cached_property
    def _cli_parameters(self) -> frozenset[tuple[str, str]]:
        """Place and name of each parameter that a LightningCLI has an option for."""
        options = (each for each in self._options if each.parser is OptionParser.LIGHTNING_CLI)
        return frozenset((each.place, each.dest.rpartition(".")[2]) for each in options)

    @cached_property
    def _classes_of_cli(self) -> frozenset[str]:
        """The names of classes all of whose parameters are options or keys of a config file of LightningCLI's."""
        project = project_of(self._program)
        surveys = project.surveys.values()
        calls = [each.node for survey in surveys for each in survey.calls if is_lightning_cli(each, survey, project)]
        if not calls:
            return frozenset()
        owned = self._names_below("LightningModule", "LightningDataModule") if any(map(is_open_cli, calls)) else ()
        return self._program.named_objects.union(owned)

    @cached_property
    def _set_by_configs(self) -> frozenset[tuple[str, str]]:
        """Class and name of each parameter that a config of hydra's gives to what it builds."""
        composed = compose_config(self._program, ())
        values = {} if composed is None else composed.values
        targets = {
            dest.removesuffix(TARGET): str(value).rpartition(".")[2]
            for dest, value in values.items()
            if dest.endswith(TARGET)
        }
        parts = ((targets.get(dest.removesuffix(dest.rpartition(".")[2])), dest.rpartition(".")[2]) for dest in values)
        return frozenset((owner, name) for owner, name in parts if owner is not None)

    @cached_property
    def _unused_lines(self) -> dict[str, list[range]]:
        """The lines of classes that the program never builds, by file; none where the search would build one."""
        found: dict[str, list[range]] = {}
        project = project_of(self._program)
        if does_something(project) or any(is_lightning_cli(each, project.main, project) for each in project.main.calls):
            for survey, node in find_unused_classes(project):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                found.setdefault(survey.source.name, []).append(lines)
        return found

    @cached_property
    def _unjudged_lines(self) -> dict[str, list[range]]:
        """The lines of LightningModules that log nothing in validation, beside one that does, by file."""
        found: dict[str, list[range]] = {}
        for survey, node in find_unjudged_modules(project_of(self._program)):
            found.setdefault(survey.source.name, []).append(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return found

    @cached_property
    def _evaluation_spans(self) -> dict[str, list[Span]]:
        """The code that makes loaders for validation, test and prediction alone, by file."""
        return {
            survey.source.name: [Span.from_node(node) for node in find_evaluation_loaders(survey.source.tree)]
            for survey in project_of(self._program).surveys.values()
        }

    @cached_property
    def _option_names(self) -> frozenset[str]:
        """The names of the options, and of the keys of config files, without what is above them."""
        return frozenset(option.dest.rpartition(".")[2] for option in self._options)

    @cached_property
    def _keys_of_files(self) -> frozenset[str]:
        """The keys of the config files that the program reads by itself, without what is above them."""
        files = (option.dest for option in self._options if option.parser is OptionParser.FILE)
        return frozenset(dest.rpartition(".")[2] for dest in files)

    @cached_property
    def _dataclasses(self) -> frozenset[str]:
        """The names of the program's dataclasses: a config file may fill them in."""
        surveys = project_of(self._program).surveys.values()
        return frozenset(
            name
            for survey in surveys
            for name, nodes in survey.definitions.items()
            if any("dataclass" in ast.unparse(each) for node in nodes for each in node.decorator_list)
        )

    @cached_property
    def _option_dests(self) -> frozenset[str]:
        return frozenset(option.dest for option in self._options)

    @cached_property
    def _torch_module_names(self) -> frozenset[str]:
        """The names of the program's modules."""
        return self._names_below("LightningModule", "Module")

    @cached_property
    def _data_names(self) -> frozenset[str]:
        """The names of the program's classes that serve data."""
        return self._names_below("LightningDataModule", "Dataset", "IterableDataset")

    def _names_below(self, *bases: str) -> frozenset[str]:
        """Return the names of the program's classes that descend from one of ``bases``."""
        project = project_of(self._program)
        return frozenset(
            name
            for survey in project.surveys.values()
            for name, nodes in survey.definitions.items()
            if any(project.has_base(ProjectSymbol(survey, node), base) for node in nodes for base in bases)
        )


def _lies_in(held: Constant, lines: Mapping[str, Sequence[range]]) -> bool:
    return all(any(site.span.line in each for each in lines.get(site.source, ())) for site in held.sites)


def is_never_read(held: Constant | Option) -> bool:
    """Tell whether the source shows that nothing reads it."""
    return not held.reads if isinstance(held, Constant) else not held.is_read


def _is_searchable(value: Value | Unknown, words: frozenset[str]) -> bool:
    """Tell a number, several of them, or a text that is a choice: an optimizer's name."""
    match value:
        case bool():
            return False
        case str():
            return bool(words & TEXTS)
        case None | Unknown():
            return not words & TEXTS or rank_of_words(words - TEXTS) is not None
        case tuple() | list():
            return bool(value) and all(map(_is_number, value))
        case dict():
            return False
        case _:
            return True


def _is_of_a_drawing(held: Constant | Option) -> bool:
    """Tell a fraction that is called `width` and nothing else: of a bar or a line, for a layer has whole numbers."""
    last = frozenset(words_of(held.name.rpartition(".")[2]))
    return isinstance(held.value, float) and not held.value.is_integer() and last == {"width"}


def _is_endless(value: Value | Unknown, words: frozenset[str]) -> bool:
    """Tell Lightning's -1 for a training that only another limit ends."""
    return is_int(value) and value < 0 and rank_of_words(words) is Rank.EPOCHS


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
