"""Bring a space and a program together: which constant each entry means, and whether its range fits the constant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from tune.errors import ConstantError, SpaceError
from tune.promotion.constant import Constant, ConstantKind
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import (
    check_together,
    find_constant,
    find_constants,
    last_word_of,
    shortest_names,
)
from tune.promotion.options.declared_options import find_option, find_options
from tune.promotion.options.option import REPLACED, Option, OptionParser
from tune.promotion.options.option_values import option_in_force
from tune.promotion.program import Program
from tune.promotion.ranking.spellings import find_other_spellings
from tune.promotion.symbols import holds_symbols
from tune.space.conditions import is_same_yaml_value
from tune.space.dimensions import (
    Choice,
    Dimension,
    FloatRange,
    IntRange,
    Value,
    arguments_of,
    describe_dimension,
    is_int,
    is_number,
    kind_of,
)
from tune.space.space import Script, Space

INT_KIND = {"uniform": "randint", "quniform": "qrandint", "loguniform": "lograndint"}
MOST_NAMED = 3
"""Constants that a warning names."""
FLOAT_KIND = {"randint": "quniform", "qrandint": "quniform", "lograndint": "loguniform"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotedConstant:
    """One constant that varies."""

    key: str
    """As the space file writes it."""
    constant: Constant | Option
    """What it leads to in the program, or on a script's command line."""
    dimension: Dimension
    """What it may be, its values of the constant's type."""
    where: str
    """The entry's place: ``search_spaces/lr_bs.yaml:7``."""
    is_symbol: bool = False
    """Whether its values are names that the source resolves, such as ``nn.ReLU``, and no texts."""

    @property
    def value(self) -> Value | Unknown:
        """What the source holds now; of a name its text."""
        held = self.constant.value
        return held.text if self.is_symbol and isinstance(held, Unknown) else held


def resolve_constants(space: Space, program: Program) -> tuple[PromotedConstant, ...]:
    """Return the space's constants in its order; raise ConstantError or SpaceError at the first that does not fit."""
    constants = find_constants(program)
    found: list[PromotedConstant] = []
    for key, dimension in space.dimensions.items():
        where = space.place_of_entry(f"constants.{key}")
        constant = _find_option_in_force(key, space, program, where) or find_constant(
            key, program, constants, where, space.args
        )
        for other in found:
            if set(other.constant.names) & set(constant.names) and other.constant.where == constant.where:
                what = f"{key}: {other.key!r} ({other.where}) is the same constant, {constant.where}"
                raise SpaceError(where, what, "Keep one of the two.")
        fitted = fit_dimension(key, constant, dimension, where)
        if isinstance(constant, Option):
            _check_can_be_given(key, constant, fitted, where)
        is_symbol = isinstance(constant, Constant) and holds_symbols(key, constant, fitted, program, where)
        found.append(PromotedConstant(key=key, constant=constant, dimension=fitted, where=where, is_symbol=is_symbol))
    check_together(
        [item.constant for item in found if isinstance(item.constant, Constant)], space.place_of_entry("constants")
    )
    return tuple(found)


def hardcoded_values(promoted: Sequence[PromotedConstant]) -> dict[str, Value]:
    """Return the values that the source says, without those that only running the program can tell."""
    return {item.key: value for item in promoted if not isinstance(value := item.value, Unknown)}


def baseline_value(item: PromotedConstant, trained: Mapping[str, Value]) -> Value | Unknown:
    """Return what the baseline ``trained`` with, by the ledger; where that says nothing else, what the source holds."""
    if item.key not in trained:
        return item.value
    held = trained[item.key]
    return held if isinstance(item.value, Unknown) or not is_same_yaml_value(held, item.value) else item.value


def constant_warnings(promoted: Sequence[PromotedConstant], program: Program) -> tuple[str, ...]:
    """Return warnings about constants that are legal, and may not do what a search wants."""
    found: list[str] = []
    for item in promoted:
        if isinstance(item.constant, Option):
            if item.constant.is_replaced:
                found.append(f"{item.where}: {item.key}: {REPLACED} ({item.constant.where})")
            continue
        if item.constant.form in (ConstantKind.VARIABLE, ConstantKind.FIELD) and not item.constant.reads:
            unread = f"{item.where}: {item.key}: nothing in the program reads it ({item.constant.where})"
            others = _find_read_ones_of_its_kind(item, program)
            found.append(f"{unread}; of its kind it reads {', '.join(others)}" if others else unread)
        found += [f"{item.where}: {item.key}: {warning}" for warning in item.constant.warnings]
    return tuple(found)


def _find_read_ones_of_its_kind(item: PromotedConstant, program: Program) -> list[str]:
    """Return other constants under a usual name of the same hyperparameter that the program reads, a few of them."""
    word = last_word_of(item.key)
    words = {word, *find_other_spellings(word)}
    named = ((each, name) for each, name in shortest_names(program).items() if each.reads and each != item.constant)
    return [f"{name} ({each.value!r}, {each.where})" for each, name in named if last_word_of(name) in words][
        :MOST_NAMED
    ]


def _find_option_in_force(key: str, space: Space, program: Program, where: str) -> Option | None:
    """Return the option that ``--lr`` or ``optimizer.lr=`` means; None where it is no such name."""
    if not key.startswith("-") and not key.endswith("="):
        return None
    options = find_options(program, space.args)
    is_in_file = any(key in option.names for option in options if option.parser is OptionParser.FILE)
    if not isinstance(space.shape, Script) and not is_in_file:
        raise ConstantError(
            where,
            f"{key!r} is an option, and a system has no command line",
            "Write `script:` in the place of `system:`.",
        )
    option = find_option(key, program, options, where, space.args)
    return option_in_force(option, program, space.args, space.place_of_entry("args"))


def _check_can_be_given(key: str, option: Option, dimension: Dimension, where: str) -> None:
    """Raise SpaceError where the program's parser makes another value of an option's."""
    options = dimension.options if isinstance(dimension, Choice) else ()
    if option.makes_true and option.value is not False and any(each is False for each in options):
        what = f"{key}: `type=bool` makes True of every word, so False cannot be given ({option.where})"
        raise SpaceError(where, what, "Write `action=argparse.BooleanOptionalAction` in the program.")


def fit_dimension(key: str, constant: Constant | Option, dimension: Dimension, where: str) -> Dimension:
    """Return a range in the constant's type; raise SpaceError where it does not fit."""
    return _RangeFit(key, constant, where).fit_dimension(dimension)


class _RangeFit:
    """One entry's range against its constant."""

    def __init__(self, key: str, constant: Constant | Option, where: str) -> None:
        self.key = key
        self.constant = constant
        self.where = where

    def fit_dimension(self, dimension: Dimension) -> Dimension:
        """Return the range in the constant's type."""
        match self.constant.value:
            case Unknown() | None:
                return dimension
            case bool():
                return self._fit_options(dimension, bool, "choice: [true, false]")
            case int(value):
                return self._fit_float(dimension) if _means_a_float(value, dimension) else self._fit_int(dimension)
            case float():
                return self._fit_float(dimension)
            case str(text):
                return self._fit_options(dimension, str, f"choice: [{text}, ...]")
            case tuple():
                choice = self._fit_options(dimension, list, "choice: [[...], [...]]")
                return Choice(options=tuple(tuple(each) if isinstance(each, list) else each for each in choice.options))
            case list():
                return self._fit_options(dimension, list, "choice: [[...], [...]]")
            case dict():
                return self._fit_options(dimension, dict, "choice: [{...}, {...}]")
            case _:
                assert_never(self.constant.value)

    def _fit_options(self, dimension: Dimension, kind: type, example: str) -> Choice:
        """Return a choice whose options are all of one type; null is "off" and fits every constant."""
        if not isinstance(dimension, Choice):
            raise self._build_error(
                f"{self._type_with_article()} constant takes a choice alone", dimension, f"Write `{example}`."
            )
        for option in dimension.options:
            if option is not None and type(option) is not kind:
                raise self._option_error(option)
        return dimension

    def _fit_int(self, dimension: Dimension) -> Dimension:
        match dimension:
            case IntRange():
                return dimension
            case Choice():
                return self._fit_options(dimension, int, "choice: [...]")
            case FloatRange():
                raise self._build_error("an int constant gets no float range", dimension, self._int_hint(dimension))
            case _:
                assert_never(dimension)

    def _fit_float(self, dimension: Dimension) -> Dimension:
        match dimension:
            case FloatRange():
                return dimension
            case Choice():
                return self._float_options(dimension)
            case IntRange():
                written = _format_range(FLOAT_KIND[kind_of(dimension)], _float_arguments(dimension))
                raise self._build_error("a float constant gets no int range", dimension, f"Write `{written}`.")
            case _:
                assert_never(dimension)

    def _float_options(self, choice: Choice) -> Choice:
        options: list[Value] = []
        for option in choice.options:
            if option is not None and not is_number(option):
                raise self._option_error(option)
            options.append(float(option) if is_number(option) else option)
        return replace(choice, options=tuple(options))

    def _int_hint(self, dimension: FloatRange) -> str:
        as_float = f"write {float(self._int_value())!r} in the program if it is a float"
        arguments = arguments_of(dimension)
        if not all(isinstance(number, float) and number.is_integer() for number in arguments):
            return f"Write `{INT_KIND[kind_of(dimension)]}` with whole numbers, or {as_float}."
        whole = [int(number) for number in arguments if is_number(number)]
        return f"Write `{_format_range(INT_KIND[kind_of(dimension)], whole)}`, or {as_float}."

    def _int_value(self) -> int:
        assert is_int(self.constant.value)
        return self.constant.value

    def _type_with_article(self) -> str:
        name = type(self.constant.value).__name__
        return f"an {name}" if name[0] in "aeiou" else f"a {name}"

    def _build_error(self, rule: str, dimension: Dimension, hint: str) -> SpaceError:
        return SpaceError(
            self.where, f"{self.key}: {rule}, got {describe_dimension(dimension)} for {self._describe_constant()}", hint
        )

    def _option_error(self, option: Value) -> SpaceError:
        kind = type(self.constant.value).__name__
        what = (
            f"{self.key}: an option must be of the constant's type, {kind}, got {option!r} for "
            f"{self._describe_constant()}"
        )
        hint = f"Write every option as {self._type_with_article()}"
        as_float = isinstance(option, float) and is_int(self.constant.value)
        return SpaceError(
            self.where, what, f"{hint}, or {float(self._int_value())!r} in the program." if as_float else f"{hint}."
        )

    def _describe_constant(self) -> str:
        return f"{self.constant.name} = {self.constant.value!r} ({self.constant.where})"


def _means_a_float(value: int, dimension: Dimension) -> bool:
    """``DROPOUT = 0`` with a range from 0 to 0.5 is a float that was written short; so is ``LR = 1``."""
    if value not in (0, 1) or isinstance(dimension, IntRange):
        return False
    numbers = dimension.options if isinstance(dimension, Choice) else arguments_of(dimension)
    return any(isinstance(number, float) and not number.is_integer() for number in numbers)


def _float_arguments(dimension: IntRange) -> list[int]:
    step = [1] if dimension.step is None and not dimension.log else []
    return [number for number in arguments_of(dimension) if is_int(number)] + step


def _format_range(kind: str, arguments: list[int]) -> str:
    return f"{kind}: [{', '.join(str(number) for number in arguments)}]"
