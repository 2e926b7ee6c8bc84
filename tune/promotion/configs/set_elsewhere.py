"""Which parameters get their values from an option or a config file: a search of their defaults changes nothing."""

import ast
from collections.abc import Sequence
from functools import cached_property

from tune.promotion.configs.hydra_values import compose_config
from tune.promotion.constant import Constant, ConstantKind
from tune.promotion.find.project import project_of
from tune.promotion.find.usages import is_open_cli
from tune.promotion.options.declared_options import is_lightning_cli
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.program import Program

TARGET = "_target_"
"""hydra's key of what is built with the keys beside it."""


class SetElsewhere:
    """The parameters of a program that LightningCLI, hydra, ``**`` or a config file sets."""

    def __init__(self, program: Program, options: Sequence[Option]) -> None:
        """``options``: the program's."""
        self._program = program
        self._options = options

    def sets_parameter(self, held: Constant | Option) -> bool:
        """Tell whether something else sets a parameter: search that."""
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
        owned = project.names_below("LightningModule", "LightningDataModule") if any(map(is_open_cli, calls)) else ()
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
