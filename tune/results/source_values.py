"""Values of the ledger, which is JSON, as the program and its source have them."""

from tune.promotion.find.literals import Symbol, Unknown
from tune.promotion.resolve import PromotedConstant
from tune.promotion.source_edit import has_same_repr
from tune.space.dimensions import Choice, Value


def as_json(value: Value) -> Value:
    """Return a value as JSON has it: a list for a tuple, a text for a name."""
    match value:
        case Symbol():
            return str(value)
        case tuple() | list():
            return [as_json(each) for each in value]
        case dict():
            return {key: as_json(each) for key, each in value.items()}
        case _:
            return value


def as_program_type(value: Value, item: PromotedConstant) -> Value:
    """Return a value as the program's type: the ledger is JSON, which writes a tuple as a list."""
    known = [*item.dimension.options] if isinstance(item.dimension, Choice) else []
    if not isinstance(item.value, Unknown):
        known.append(item.value)
    return next((each for each in known if has_same_repr(as_json(each), as_json(value))), value)


def as_source_value(value: Value, item: PromotedConstant) -> Value:
    """Return a value as the source has it: of the program's type, or a name."""
    return Symbol(value) if item.is_symbol and isinstance(value, str) else as_program_type(value, item)
